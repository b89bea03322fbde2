"""What becomes of accounts that are listed elsewhere when the lists change."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Text, bindparam, delete, literal_column, null, select, update

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys, format_keys
from commonroom.storage.accounts import ACCOUNT_COLUMNS, to_account
from commonroom.storage.committer import Step
from commonroom.storage.database import Database
from commonroom.storage.records import Account, Renaming
from commonroom.storage.statements import Parameters, Statement
from commonroom.storage.tables import account as table
from commonroom.storage.tables import account_revision, archive_owner

_ONE = table.c.jid == bindparam("account")
_COUNTER = account_revision.c.id == literal_column("1")
_CURRENT = select(account_revision.c.value).where(_COUNTER).scalar_subquery()
# Behind an address that is on its way to another one: no address ends so.
_MOVING = literal_column("'/'", Text)


class SqlListedStore:
    """See `interfaces.ListedStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        compiled = database.statement
        self._count = compiled(
            update(account_revision).where(_COUNTER).values(value=account_revision.c.value + bindparam("by"))
        )
        own = _CURRENT - bindparam("back", type_=BigInteger)
        listed = table.c.origin.is_not(None)
        self._depart = compiled(
            update(table)
            .where(_ONE, listed, table.c.departed.is_(None))
            .values(departed=bindparam("at", type_=BigInteger), changed=own)
        )
        self._restore = compiled(
            update(table).where(_ONE, table.c.departed.is_not(None)).values(departed=null(), changed=own)
        )
        self._outdate = compiled(
            update(table).where(_ONE).values(scram_keys=literal_column("''"), verifier=null(), changed=own)
        )
        self._keep = compiled(
            update(table)
            .where(_ONE, listed)
            .values(scram_keys=bindparam("keys"), verifier=bindparam("stands_for"))
        )
        self._due = compiled(
            select(*ACCOUNT_COLUMNS)
            .where(table.c.departed < bindparam("before", type_=BigInteger))
            .order_by(table.c.departed)
            .limit(bindparam("limit"))
        )
        self._page = compiled(
            select(*ACCOUNT_COLUMNS)
            .where(table.c.jid > bindparam("after"), listed)
            .order_by(table.c.jid)
            .limit(bindparam("limit"))
        )
        self._moves = _Moves(database)

    def depart(self, accounts: Sequence[JID], at: int) -> None:
        """Note that they left."""
        self._change(self._depart, accounts, {"at": at})

    def restore(self, accounts: Sequence[JID]) -> None:
        """Note that they are back."""
        self._change(self._restore, accounts, {})

    def outdate(self, accounts: Sequence[JID]) -> None:
        """Forget derived keys and end what depends on the old password."""
        self._change(self._outdate, accounts, {})

    def rename(self, renamings: Sequence[Renaming]) -> None:
        """Give accounts other addresses."""
        self._writer.append_together((self._count, ({"by": len(renamings)},)), *self._moves.steps(renamings))

    def keep_keys(self, account: JID, keys: Sequence[ScramKeys], verifier: str) -> None:
        """Keep derived keys."""
        text = "\n".join(map(format_keys, keys))
        self._writer.append(self._keep, {"account": account, "keys": text, "stands_for": verifier})

    async def departed(self, before: int, limit: int) -> tuple[Account, ...]:
        """Those that left longest ago."""
        parameters = {"before": before, "limit": limit}
        return await self._reader.read(lambda c: tuple(map(to_account, c.rows(self._due, parameters))))

    async def page(self, after: JID | None, limit: int) -> tuple[Account, ...]:
        """All that are or were listed, by address."""
        parameters: Parameters = {"after": after or "", "limit": limit}
        return await self._reader.read(lambda c: tuple(map(to_account, c.rows(self._page, parameters))))

    def _change(self, statement: Statement, accounts: Sequence[JID], more: Parameters) -> None:
        last = len(accounts) - 1
        rows = [{"account": jid, "back": last - number, **more} for number, jid in enumerate(accounts)]
        self._writer.append_together((self._count, ({"by": len(accounts)},)), (statement, rows))


class _Moves:
    """In two steps, so that two accounts can change places; one whose new address is taken stays."""

    def __init__(self, database: Database) -> None:
        compiled = database.statement
        former, new = bindparam("former", type_=Text), bindparam("new", type_=Text)
        moving = former + _MOVING
        taken = select(table.c.id).where(table.c.jid == new).correlate(None).exists()
        own = _CURRENT - bindparam("back", type_=BigInteger)
        archive = archive_owner.c.address
        self._leave = compiled(update(table).where(table.c.jid == former).values(jid=moving))
        self._leave_archive = compiled(update(archive_owner).where(archive == former).values(address=moving))
        self._clear = compiled(delete(table).where(table.c.jid == new, table.c.departed.is_not(None)))
        self._clear_archive = compiled(
            update(archive_owner).where(archive == new, ~taken).values(address=null())
        )
        self._arrive = compiled(
            update(table)
            .where(table.c.jid == moving, ~taken)
            .values(jid=new, domain=bindparam("of_domain"), changed=own)
        )
        owns = select(archive_owner.c.id).where(archive == new).correlate(None).exists()
        self._arrive_archive = compiled(
            update(archive_owner).where(archive == moving, ~owns).values(address=new)
        )
        self._return = compiled(update(table).where(table.c.jid == moving).values(jid=former))
        self._return_archive = compiled(update(archive_owner).where(archive == moving).values(address=former))

    def steps(self, renamings: Sequence[Renaming]) -> tuple[Step, ...]:
        """All of it in one transaction."""
        last = len(renamings) - 1
        rows: list[Parameters] = [
            {"former": one.former, "new": one.new, "of_domain": one.new.domain, "back": last - number}
            for number, one in enumerate(renamings)
        ]
        return tuple(
            (statement, rows)
            for statement in (
                self._leave,
                self._leave_archive,
                self._clear,
                self._clear_archive,
                self._arrive,
                self._arrive_archive,
                self._return,
                self._return_archive,
            )
        )
