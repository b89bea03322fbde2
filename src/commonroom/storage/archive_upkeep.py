"""What is done for archives in the background: old messages go, and what was erased leaves the disk."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Select, bindparam, delete, exists, func, select

from commonroom.protocol.jid import JID
from commonroom.storage.archive_readdressing import Readdressing
from commonroom.storage.archive_reading import conversation_of
from commonroom.storage.archive_words import ArchiveWords
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import ArchiveAge, Conversation
from commonroom.storage.statements import Parameters, Row
from commonroom.storage.tables import archive, archive_erasure, archive_owner

_OF_OWNER = archive.c.owner == bindparam("number")
_THROUGH = archive.c.id <= bindparam("through")
_GONE = archive_owner.c.address.is_(None)


class SqlArchiveUpkeep:
    """See `interfaces.ArchiveUpkeep`."""

    def __init__(self, database: Database, words: ArchiveWords) -> None:
        self._reader = database.reader
        self._words = words
        self._readdressing = Readdressing(database)
        compiled, of_owner = database.statement, archive_erasure.c.owner == bindparam("number")
        self._first_ages = compiled(_ages())
        self._ages = compiled(_ages().where(archive_owner.c.address > bindparam("address")))
        self._owner = compiled(
            select(archive_owner.c.id, archive_owner.c.indexed).where(
                archive_owner.c.address == bindparam("owner")
            )
        )
        rows = select(archive.c.id, archive.c.body).where(_THROUGH).order_by(archive.c.id)
        self._rows = compiled(rows.where(_OF_OWNER).limit(bindparam("limit")))
        self._rows_of_peer = compiled(
            rows.where(*conversation_of(bindparam("number"))).limit(bindparam("limit"))
        )
        self._remove = compiled(delete(archive).where(_OF_OWNER, _THROUGH))
        self._remove_one = compiled(delete(archive).where(archive.c.id == bindparam("id")))
        self._gone = compiled(select(archive_owner.c.id, archive_owner.c.indexed).where(_GONE).limit(1))
        self._erased = compiled(_erased())
        self._forget_owner = compiled(delete(archive_owner).where(archive_owner.c.id == bindparam("number")))
        self._forget_erasures = compiled(delete(archive_erasure).where(of_owner))
        self._forget_erasure = compiled(
            delete(archive_erasure).where(
                of_owner,
                archive_erasure.c.peer == bindparam("peer"),
                archive_erasure.c.through == bindparam("through"),
            )
        )

    async def ages(self, after: JID | None, limit: int) -> tuple[ArchiveAge, ...]:
        """List the owners of archives that are not empty."""
        parameters: dict[str, str | int] = {"limit": limit}
        if after is not None:
            parameters["address"] = after
        statement = self._first_ages if after is None else self._ages
        rows = await self._reader.read(lambda c: c.rows(statement, parameters))
        return tuple(ArchiveAge(JID.parse(address), first) for address, first in rows)

    async def expire(self, owner: JID, before: int, limit: int) -> int:
        """Remove old messages."""
        return await self._words.step(partial(self._expire, owner, before, limit))

    async def peers(self, owner: JID) -> tuple[JID, ...]:
        """List with whom an archive has messages."""
        return await self._readdressing.peers(owner)

    async def having(self, owner: JID, were: Sequence[Conversation]) -> tuple[Conversation, ...]:
        """Those of these former conversations that an archive still has messages of."""
        return await self._readdressing.having(owner, were)

    async def readdress(self, was: Conversation, now: Conversation, limit: int) -> int:
        """Make messages those of another conversation."""
        return await self._words.step(partial(self._readdressing.step, was, now, limit))

    async def purge(self, limit: int) -> int:
        """Take off the disk what nobody sees any more."""
        if not await self._reader.read(self._has_leftovers):
            return 0
        return await self._words.step(partial(self._purge, limit))

    async def index(self, limit: int) -> int:
        """Make messages ready to be searched for."""
        return await self._words.index(limit)

    def _has_leftovers(self, connection: Connection) -> bool:
        return bool(connection.rows(self._gone, {}) or connection.rows(self._erased, {}))

    def _expire(self, owner: JID, before: int, limit: int, connection: Connection) -> int:
        if not (owners := connection.rows(self._owner, {"owner": owner})):
            return 0
        return self._shorten(connection, owners[0], before - 1, limit)

    def _purge(self, limit: int, connection: Connection) -> int:
        if erased := connection.rows(self._erased, {}):
            return self._purge_conversation(connection, erased[0], limit)
        if gone := connection.rows(self._gone, {}):
            return self._purge_owner(connection, gone[0], limit)
        return 0

    def _purge_owner(self, connection: Connection, owner: Row, limit: int) -> int:
        removed = self._shorten(connection, owner, _EVERY, limit)
        if removed < limit:
            connection.execute(self._forget_erasures, {"number": owner[0]})
            connection.execute(self._forget_owner, {"number": owner[0]})
        return max(removed, 1)

    def _purge_conversation(self, connection: Connection, erasure: Row, limit: int) -> int:
        number, indexed, peer, conversation, through = erasure
        which: Parameters = {
            "number": number,
            "peer": peer,
            "conversation": conversation,
            "through": through,
            "limit": limit,
        }
        rows = connection.rows(self._rows_of_peer, which)
        self._words.remove(connection, number, indexed, rows)
        if rows:
            connection.execute_many(self._remove_one, [{"id": id} for id, _ in rows])
        if len(rows) < limit:
            connection.execute(self._forget_erasure, which)
        return max(len(rows), 1)

    def _shorten(self, connection: Connection, owner: Row, through: int, limit: int) -> int:
        """Remove an archive's oldest messages."""
        number, indexed = owner
        rows = connection.rows(self._rows, {"number": number, "through": through, "limit": limit})
        if rows:
            self._words.remove(connection, number, indexed, rows)
            connection.execute(self._remove, {"number": number, "through": rows[-1][0]})
        return len(rows)


_EVERY = 2**63 - 1


def _erased() -> Select[*tuple[Any, ...]]:
    """The next one of the erasures that wait."""
    columns = (archive_erasure.c.peer, archive_erasure.c.conversation, archive_erasure.c.through)
    owner = archive_owner.c.id == archive_erasure.c.owner
    return (
        select(archive_erasure.c.owner, archive_owner.c.indexed, *columns).join(archive_owner, owner).limit(1)
    )


def _ages() -> Select[*tuple[Any, ...]]:
    own = archive.c.owner == archive_owner.c.id
    return (
        select(archive_owner.c.address, select(func.min(archive.c.id)).where(own).scalar_subquery())
        .where(archive_owner.c.address.is_not(None), exists().where(own))
        .order_by(archive_owner.c.address)
        .limit(bindparam("limit"))
    )
