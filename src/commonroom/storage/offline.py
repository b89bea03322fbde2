"""XEP-0160: stanzas that wait for their recipient, in a table."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, cast, delete, func, insert, select

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database
from commonroom.storage.records import OfflineMessage, OfflineUsage
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import Parameters, Query, Row, account_number, from_rows, row_of_account
from commonroom.storage.tables import offline_message as table

_OWN = table.c.account_id == account_number()


class OfflineReading:
    """The query for an account's usage; a login joins it with others."""

    def __init__(self, database: Database) -> None:
        total = cast(func.coalesce(func.sum(table.c.size), 0), BigInteger)
        self._usage = database.statement(select(func.count(), total).where(_OWN))

    def query(self, account: JID) -> Query:
        """What to ask."""
        return Query(self._usage, {"account": account})

    def usage(self, rows: Sequence[Row]) -> OfflineUsage:
        """Read the answer."""
        return OfflineUsage(*rows[0])


class SqlOfflineStore:
    """See `interfaces.OfflineStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._reading = OfflineReading(database)
        self._add = database.statement(from_rows(insert(table), row_of_account(table)))
        self._load = database.statement(
            select(table.c.id, table.c.stamp, table.c.xml)
            .where(_OWN, table.c.id > bindparam("after"))
            .order_by(table.c.id)
            .limit(bindparam("limit"))
        )
        self._remove = database.statement(delete(table).where(_OWN, table.c.id == bindparam("id")))
        self._last = database.statement(select(func.coalesce(func.max(table.c.id), 0)))
        self._remove_all = database.statement(delete(table).where(_OWN))

    def add(self, account: JID, id: int, stamp: datetime, xml: str) -> None:
        """Store a stanza."""
        size = len(xml.encode())
        row: Parameters = {"account": account, "id": id, "stamp": to_stamp(stamp), "size": size, "xml": xml}
        self._writer.append(self._add, row)

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        """Read the oldest ones."""
        parameters: Parameters = {"account": account, "after": after, "limit": limit}
        return await self._reader.read(lambda c: tuple(map(_to_message, c.rows(self._load, parameters))))

    async def usage(self, account: JID) -> OfflineUsage:
        """How much waits."""
        query = self._reading.query(account)
        return await self._reader.read(lambda c: self._reading.usage(c.rows(*query)))

    async def last_id(self) -> int:
        """The greatest id that waits."""
        return await self._reader.read(lambda c: int(c.rows(self._last, {})[0][0]))

    def remove(self, account: JID, id: int) -> None:
        """Forget one."""
        self._writer.append(self._remove, {"account": account, "id": id})

    def remove_all(self, account: JID) -> None:
        """Forget all."""
        self._writer.append(self._remove_all, {"account": account})


def _to_message(row: Row) -> OfflineMessage:
    number, stamp, xml = row
    return OfflineMessage(number, from_stamp(stamp), xml)
