"""Statistics by day, in two tables: who is here today under a pseudonym, and the numbers made of it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, func, select, true

from commonroom.storage.database import Database
from commonroom.storage.records import DailyStatistic
from commonroom.storage.statements import Parameters
from commonroom.storage.tables import daily_statistic, daily_visit


class SqlStatisticStore:
    """See `audit_interfaces.StatisticStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        here = (bindparam(c.name, type_=c.type).label(c.name) for c in daily_visit.columns)
        self._visit = database.add_missing(daily_visit, select(*here).where(true()))
        of_day = daily_visit.c.day == bindparam("day")
        by_client = select(daily_visit.c.client, func.count()).where(of_day).group_by(daily_visit.c.client)
        self._visits = database.statement(by_client)
        self._forget = database.statement(delete(daily_visit).where(daily_visit.c.day <= bindparam("day")))
        number = (bindparam(c.name, type_=c.type).label(c.name) for c in daily_statistic.columns)
        self._put = database.upsert(daily_statistic, ["day", "name"], select(*number).where(true()))
        self._old = database.statement(
            delete(daily_statistic).where(daily_statistic.c.day < bindparam("day"))
        )
        self._load = database.statement(
            select(*daily_statistic.columns)
            .where(daily_statistic.c.day >= bindparam("day"))
            .order_by(daily_statistic.c.day, daily_statistic.c.name)
        )

    def visit(self, day: int, pseudonym: bytes, client: str) -> None:
        """Note that somebody was here."""
        self._writer.append(self._visit, {"day": day, "pseudonym": pseudonym, "client": client})

    async def visits(self, day: int) -> Mapping[str, int]:
        """How many were here, by client."""
        rows = await self._reader.read(lambda c: c.rows(self._visits, {"day": day}))
        return {client: int(count) for client, count in rows}

    async def close(self, day: int) -> None:
        """Forget who was here."""
        appended = self._writer.appended
        self._writer.append(self._forget, {"day": day})
        await self._writer.flushed(appended)

    def put(self, statistics: Sequence[DailyStatistic]) -> None:
        """Keep numbers."""
        rows: list[Parameters] = [
            {"day": each.day, "name": each.name, "value": each.value} for each in statistics
        ]
        self._writer.append(self._put, *rows)

    def forget(self, before: int) -> None:
        """Forget the numbers of old days."""
        self._writer.append(self._old, {"day": before})

    async def load(self, since: int) -> tuple[DailyStatistic, ...]:
        """Read numbers."""
        rows = await self._reader.read(lambda c: c.rows(self._load, {"day": since}))
        return tuple(DailyStatistic(*row) for row in rows)
