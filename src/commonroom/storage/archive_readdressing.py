"""Messages of archives whose owner, or whose author, has another address now."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from commonroom.protocol.jid import JID
from commonroom.storage.archive_reading import SEEN, conversation, conversation_of
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import Conversation
from commonroom.storage.statements import Parameters, Row
from commonroom.storage.tables import archive, archive_owner


class Readdressing:
    """The number of a conversation is made of both addresses: with one of them it becomes another."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        compiled = database.statement
        own = select(archive_owner.c.id).where(archive_owner.c.address == bindparam("owner"))
        self._owner = compiled(own)
        self._peers = compiled(
            select(archive.c.peer).where(archive.c.owner == own.scalar_subquery()).distinct()
        )
        self._conversation = compiled(
            select(archive.c.id).where(*conversation_of(bindparam("number")), SEEN).limit(bindparam("limit"))
        )
        self._move = compiled(
            update(archive)
            .where(archive.c.id == bindparam("id"))
            .values(conversation=bindparam("new_conversation"), peer=bindparam("new_peer"))
        )

    async def peers(self, owner: JID) -> tuple[JID, ...]:
        """With whom an archive has messages."""
        rows = await self._reader.read(lambda c: c.rows(self._peers, {"owner": owner}))
        return tuple(JID.parse(peer) for (peer,) in rows)

    async def having(self, owner: JID, were: Sequence[Conversation]) -> tuple[Conversation, ...]:
        """Those of these former conversations that it still has messages of; quick, if there are none."""

        def read(connection: Connection) -> tuple[Conversation, ...]:
            owners = connection.rows(self._owner, {"owner": owner})
            return tuple(was for was in were if self._first(connection, owners, was)) if owners else ()

        return await self._reader.read(read)

    def _first(self, connection: Connection, owners: Sequence[Row], was: Conversation) -> bool:
        which: Parameters = {
            "number": owners[0][0],
            "conversation": conversation(*was),
            "peer": was.peer,
            "limit": 1,
        }
        return bool(connection.rows(self._conversation, which))

    def step(self, was: Conversation, now: Conversation, limit: int, connection: Connection) -> int:
        """Move some, on the writer's thread; what was erased and is still there stays where it is."""
        before, after = conversation(*was), conversation(*now)
        owners = connection.rows(self._owner, {"owner": now.owner})
        if (before, was.peer) == (after, now.peer) or not owners:
            return 0
        which: Parameters = {
            "number": owners[0][0],
            "conversation": before,
            "peer": was.peer,
            "limit": limit,
        }
        found = connection.rows(self._conversation, which)
        if found:
            change: Parameters = {"new_conversation": after, "new_peer": now.peer}
            connection.execute_many(self._move, [{"id": id, **change} for (id,) in found])
        return len(found)
