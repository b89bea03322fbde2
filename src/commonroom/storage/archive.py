"""XEP-0313: archives of messages, in tables."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select

from commonroom.protocol.jid import JID
from commonroom.storage.archive_owners import ArchiveOwners
from commonroom.storage.archive_reading import ArchiveReading, conversation, conversation_of
from commonroom.storage.archive_words import ArchiveWords
from commonroom.storage.database import Database
from commonroom.storage.records import ArchiveBounds, ArchivedMessage, ArchiveFilter, ArchivePage
from commonroom.storage.statements import Parameters, from_rows
from commonroom.storage.tables import archive, archive_erasure, archive_owner
from commonroom.storage.wanted import cut, matches

_OWNER = archive_owner.c.address == bindparam("owner")
OVERHEAD = 200  # of a row in memory, beside its texts: addresses, and the origin's id
_plain = str.__str__  # the drivers take long to find out what to do with a subclass of str


class SqlArchiveStore:
    """See `interfaces.ArchiveStore`."""

    def __init__(self, database: Database, words: ArchiveWords) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._reading = ArchiveReading(database)
        self._words = words
        self._owners = ArchiveOwners(database)
        self._append = database.statement(from_rows(insert(archive), _new_row()))
        self._erase = database.upsert(archive_erasure, ["owner", "peer"], _new_erasure())
        first = select(func.min(archive.c.id)).where(archive.c.owner == archive_owner.c.id)
        last = select(func.max(archive.c.id)).where(archive.c.owner == archive_owner.c.id)
        self._bounds = database.statement(
            select(first.scalar_subquery(), last.scalar_subquery()).where(_OWNER)
        )
        self._last_id = database.statement(select(func.coalesce(func.max(archive.c.id), 0)))

    def append(self, owner: JID, message: ArchivedMessage) -> None:
        """Archive a message."""
        peer = message.peer
        bare = peer.bare
        row: Parameters = {
            "id": message.id,
            "owner": _plain(owner),
            "conversation": conversation(owner, bare),
            "peer": _plain(bare),
            "resource": peer.resource,
            "outgoing": 1 if message.outgoing else 0,  # for a truth value SQLite's driver takes longer
            "origin": message.origin,
            "body": message.body,
            "xml": message.xml,
        }
        size = len(message.xml) + len(message.body or "") + OVERHEAD
        self._writer.append_row(self._append, row, size)

    async def page(
        self, owner: JID, wanted: ArchiveFilter, limit: int, backwards: bool = False
    ) -> ArchivePage:
        """Read the first messages that are wanted, or the last ones."""
        if wanted.ids is not None:
            return cut(await self._of_ids(owner, wanted, wanted.ids), limit, backwards)
        if wanted.text is not None:
            await self._words.catch_up(owner)
        found = await self._reader.read(lambda c: self._reading.page(c, owner, wanted, limit + 1, backwards))
        return cut(found, limit, backwards)

    async def get(self, owner: JID, ids: Sequence[int]) -> tuple[ArchivedMessage, ...]:
        """Read single messages."""
        return await self._reader.read(lambda c: self._reading.some(c, owner, ids))

    async def bounds(self, owner: JID) -> ArchiveBounds | None:
        """Tell where an archive begins and ends."""
        rows = await self._reader.read(lambda c: c.rows(self._bounds, {"owner": owner}))
        return ArchiveBounds(*rows[0]) if rows and rows[0][0] is not None else None

    async def count(self, owner: JID, wanted: ArchiveFilter, limit: int) -> int:
        """Count what is wanted."""
        if wanted.ids is not None:
            return min(len(await self._of_ids(owner, wanted, wanted.ids)), limit)
        if wanted.text is not None:
            await self._words.catch_up(owner)
        return await self._reader.read(lambda c: self._reading.count(c, owner, wanted, limit))

    async def recent(self, owner: JID, after: int, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages that have an origin."""
        return await self._reader.read(lambda c: self._reading.recent(c, owner, after, limit))

    async def named(self, owner: JID, peer: JID, origin: str, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages with this peer that have this origin."""
        return await self._reader.read(lambda c: self._reading.named(c, owner, peer.bare, origin, limit))

    def replace(self, owner: JID, id: int, xml: str) -> None:
        """Put a tombstone in a message's place."""
        self._writer.append_call(lambda connection: self._words.replace(connection, owner, id, xml))

    def erase(self, owner: JID, peer: JID | None = None) -> None:
        """Forget all messages, or those with one peer."""
        if peer is None:
            self._writer.append_call(lambda connection: self._owners.renew(connection, owner))
        else:
            bare = peer.bare
            row: Parameters = {"owner": owner, "peer": bare, "conversation": conversation(owner, bare)}
            self._writer.append(self._erase, row)

    def add_owner(self, owner: JID) -> None:
        """Make an archive."""
        self._writer.append(self._owners.add, {"owner": owner})

    def remove_owner(self, owner: JID) -> None:
        """Forget an owner."""
        self._writer.append(self._owners.leave, {"owner": owner})

    async def last_id(self) -> int:
        """The greatest id."""
        return await self._reader.read(lambda c: int(c.rows(self._last_id, {})[0][0]))

    async def _of_ids(
        self, owner: JID, wanted: ArchiveFilter, ids: Sequence[int]
    ) -> tuple[ArchivedMessage, ...]:
        """Single messages, as far as they fit what else is wanted."""
        return tuple(message for message in await self.get(owner, ids) if matches(message, wanted))


def _new_row() -> Select[*tuple[Any, ...]]:
    """A message's row; none, if nobody has that address."""
    values = (
        bindparam(column.name, type_=column.type).label(column.name)
        for column in archive.columns
        if column.name != "owner"
    )
    return select(archive_owner.c.id.label("owner"), *values).where(_OWNER)


def _new_erasure() -> Select[*tuple[Any, ...]]:
    """The erasure of a conversation, up to the last message that it has now."""
    last = select(func.coalesce(func.max(archive.c.id), 0)).where(*conversation_of(archive_owner.c.id))
    return select(
        archive_owner.c.id.label("owner"),
        bindparam("peer", type_=archive.c.peer.type).label("peer"),
        bindparam("conversation", type_=archive.c.conversation.type).label("conversation"),
        last.scalar_subquery().label("through"),
    ).where(_OWNER)
