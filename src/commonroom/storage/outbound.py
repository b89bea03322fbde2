"""What waits for other servers, in a table."""

from sqlalchemy import bindparam, delete, func, insert, select

from commonroom.storage.database import Database
from commonroom.storage.records import OutboundStanza
from commonroom.storage.tables import outbound as table


class SqlOutboundStore:
    """See `interfaces.OutboundStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._add = database.statement(insert(table))
        self._load = database.statement(
            select(table.c.id, table.c.xml)
            .where(table.c.id > bindparam("after"))
            .order_by(table.c.id)
            .limit(bindparam("limit"))
        )
        self._last = database.statement(select(func.coalesce(func.max(table.c.id), 0)))
        self._remove = database.statement(delete(table).where(table.c.id == bindparam("id")))

    def add(self, id: int, xml: str) -> None:
        """Keep a stanza."""
        self._writer.append(self._add, {"id": id, "xml": xml})

    async def load(self, limit: int, after: int = 0) -> tuple[OutboundStanza, ...]:
        """Read the oldest ones."""
        parameters = {"limit": limit, "after": after}
        rows = await self._reader.read(lambda c: c.rows(self._load, parameters))
        return tuple(OutboundStanza(*row) for row in rows)

    async def last_id(self) -> int:
        """The greatest id."""
        return await self._reader.read(lambda c: int(c.rows(self._last, {})[0][0]))

    def remove(self, *ids: int) -> None:
        """Forget some."""
        self._writer.append(self._remove, *({"id": id} for id in ids))
