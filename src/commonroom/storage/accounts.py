"""Local accounts, in tables."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Select,
    Update,
    bindparam,
    delete,
    insert,
    literal_column,
    null,
    select,
    true,
    union_all,
    update,
)

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys, format_keys, parse_keys
from commonroom.storage.archive_owners import ArchiveOwners
from commonroom.storage.committer import Step
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import Account, AccountChange, AccountState
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import Parameters, Row, from_rows
from commonroom.storage.tables import account as table
from commonroom.storage.tables import account_revision, removed_account, room_affiliation

# A running service asks every few seconds who is gone: nobody is so many changes behind.
KEPT_REVISIONS = 100_000

_IMPORTED_AT_ONCE = 500

ACCOUNT_COLUMNS = (
    table.c.jid,
    table.c.scram_keys,
    table.c.created,
    table.c.disabled,
    table.c.changed,
    table.c.origin,
    table.c.departed,
    table.c.verifier,
    table.c.login,
)
_ONE = table.c.jid == bindparam("account")
_COUNTER = account_revision.c.id == literal_column("1")
_CURRENT = select(account_revision.c.value).where(_COUNTER).scalar_subquery()


class SqlAccountStore:
    """See `interfaces.AccountStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._archives = ArchiveOwners(database)
        compiled = database.statement
        self._get = compiled(select(*ACCOUNT_COLUMNS).where(_ONE))
        self._exists = compiled(select(true()).where(_ONE))
        self._first_page = compiled(_page())
        self._first_page_of_domain = compiled(_page().where(table.c.domain == bindparam("domain")))
        self._page = compiled(_page().where(_BEHIND))
        self._page_of_domain = compiled(_page().where(table.c.domain == bindparam("domain"), _BEHIND))
        self._revision = compiled(select(account_revision.c.value).where(_COUNTER))
        self._changes = compiled(_changes())
        self._count = compiled(
            update(account_revision).where(_COUNTER).values(value=account_revision.c.value + bindparam("by"))
        )
        self._put = database.upsert(table, ["jid"], _new_row())
        self._disable = compiled(
            update(table).where(_ONE).values(disabled=bindparam("disable"), changed=_CURRENT)
        )
        self._add_keys = compiled(_more_keys())
        self._note_removal = compiled(
            from_rows(insert(removed_account), select(_CURRENT.label("revision"), table.c.jid).where(_ONE))
        )
        self._remove = compiled(delete(table).where(_ONE))
        self._leave_rooms = compiled(
            delete(room_affiliation).where(room_affiliation.c.jid == bindparam("account"))
        )
        self._forget_removals = compiled(
            delete(removed_account).where(removed_account.c.revision <= _CURRENT - KEPT_REVISIONS)
        )

    async def get(self, account: JID) -> Account | None:
        """Look up one account."""

        def find(connection: Connection) -> Account | None:
            rows = connection.rows(self._get, {"account": account})
            return to_account(rows[0]) if rows else None

        return await self._reader.read(find)

    async def exists(self, account: JID) -> bool:
        """Whether there is such an account."""
        return await self._reader.read(lambda c: bool(c.rows(self._exists, {"account": account})))

    async def page(self, domain: str | None, after: JID | None, limit: int) -> tuple[Account, ...]:
        """List accounts by address."""
        parameters: dict[str, str | int] = {"limit": limit}
        if domain is None:
            statement = self._first_page if after is None else self._page
        else:
            statement = self._first_page_of_domain if after is None else self._page_of_domain
            parameters["domain"] = domain
        if after is not None:
            parameters["after"] = after
        return await self._reader.read(lambda c: tuple(map(to_account, c.rows(statement, parameters))))

    def put(self, account: Account) -> None:
        """Make or replace an account."""
        self._writer.append_together(*self._put_steps([account]))

    async def put_many(self, accounts: Iterable[Account]) -> int:
        """Import accounts, some hundred at a time."""
        imported = 0
        for chunk in _chunks(accounts):
            before = self._writer.appended
            self._writer.append_together(*self._put_steps(chunk))
            await self._writer.flushed(before)
            imported += len(chunk)
        return imported

    def disable(self, account: JID, disabled: bool) -> None:
        """Lock or unlock an account."""
        self._writer.append_together(
            (self._count, ({"by": 1},)), (self._disable, ({"account": account, "disable": disabled},))
        )

    def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """Add keys for one more hash; one statement decides and writes."""
        text = format_keys(keys)
        scheme = f"%{text.partition('$')[0]}$%"
        self._writer.append(
            self._add_keys,
            {"account": account, "keys": f"\n{text}", "scheme": scheme, "revision": revision},
        )

    def remove(self, account: JID) -> None:
        """Remove an account; the database removes what hangs on it."""
        one = ({"account": account},)
        self._writer.append_together(
            (self._count, ({"by": 1},)),
            (self._note_removal, one),
            (self._remove, one),
            (self._archives.leave, ({"owner": account},)),
            (self._leave_rooms, one),
            (self._forget_removals, ({},)),
        )

    async def revision(self) -> int:
        """The number of the last change."""
        return await self._reader.read(lambda c: int(c.rows(self._revision, {})[0][0]))

    async def changed_since(self, revision: int, limit: int = 1000) -> tuple[AccountChange, ...]:
        """List changed and removed accounts."""
        parameters = {"revision": revision, "limit": limit}
        return await self._reader.read(lambda c: tuple(map(_to_change, c.rows(self._changes, parameters))))

    def _put_steps(self, accounts: Sequence[Account]) -> tuple[Step, Step, Step]:
        last = len(accounts) - 1
        rows = [_to_row(account, last - position) for position, account in enumerate(accounts)]
        owners = [{"owner": account.jid} for account in accounts]
        return (self._count, ({"by": len(accounts)},)), (self._put, rows), (self._archives.add, owners)


_BEHIND = table.c.jid > bindparam("after")


def _page() -> Select[*tuple[Any, ...]]:
    return select(*ACCOUNT_COLUMNS).order_by(table.c.jid).limit(bindparam("limit"))


def _new_row() -> Select[*tuple[Any, ...]]:
    """An account's row from parameters; each of several gets a revision of its own."""
    written = (
        "jid",
        "domain",
        "scram_keys",
        "created",
        "disabled",
        "origin",
        "departed",
        "verifier",
        "login",
    )
    return select(
        *(bindparam(name, type_=table.c[name].type).label(name) for name in written),
        (_CURRENT - bindparam("back", type_=BigInteger)).label("changed"),
    ).where(true())


def _more_keys() -> Update:
    """No name of a scheme has a letter that LIKE takes for more."""
    return (
        update(table)
        .where(
            _ONE,
            table.c.changed == bindparam("revision"),
            table.c.scram_keys != "",
            table.c.scram_keys.not_like(bindparam("scheme")),
        )
        .values(scram_keys=table.c.scram_keys + bindparam("keys"))
    )


def _changes() -> CompoundSelect[*tuple[Any, ...]]:
    since = bindparam("revision", type_=BigInteger)
    changed = select(table.c.jid, table.c.disabled, table.c.changed.label("revision")).where(
        table.c.changed > since
    )
    removed = select(removed_account.c.jid, null().label("disabled"), removed_account.c.revision).where(
        removed_account.c.revision > since
    )
    return union_all(changed, removed).order_by(literal_column("revision")).limit(bindparam("limit"))


def _chunks(accounts: Iterable[Account]) -> Iterator[list[Account]]:
    rest = iter(accounts)
    while chunk := list(islice(rest, _IMPORTED_AT_ONCE)):
        yield chunk


def _to_row(account: Account, back: int) -> Parameters:
    return {
        "jid": account.jid,
        "domain": account.jid.domain,
        "scram_keys": "\n".join(map(format_keys, account.keys)),
        "created": to_stamp(account.created),
        "disabled": account.disabled,
        "origin": account.origin or None,
        "departed": None if account.departed is None else to_stamp(account.departed),
        "verifier": account.verifier or None,
        "login": account.login or None,
        "back": back,
    }


def to_account(row: Row) -> Account:
    """Read `ACCOUNT_COLUMNS`."""
    jid, keys, created, disabled, changed, origin, departed, verifier, login = row
    return Account(
        JID.parse(jid),
        tuple(map(parse_keys, keys.split())),
        from_stamp(created),
        bool(disabled),
        changed,
        origin or "",
        None if departed is None else from_stamp(departed),
        verifier or "",
        login or "",
    )


def _to_change(row: Row) -> AccountChange:
    jid, disabled, revision = row
    if disabled is None:
        return AccountChange(JID.parse(jid), AccountState.REMOVED, revision)
    return AccountChange(JID.parse(jid), AccountState.DISABLED if disabled else AccountState.ACTIVE, revision)
