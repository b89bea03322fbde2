"""What is recorded, in a table; queries are put together of the conditions that are wanted."""

from collections.abc import Iterator, Sequence

from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, insert, or_, select

from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import AuditFilter, AuditRecord
from commonroom.storage.statements import Parameters, Row
from commonroom.storage.tables import audit_record as table

_COLUMNS = (table.c.at, table.c.tag, table.c.who, table.c.peer, table.c.address, table.c.facts)
# Behind the colon: all tags that begin so are below it.
_AFTER_COLON = ";"


class SqlAuditStore:
    """See `audit_interfaces.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = database.reader
        self._writer = database.writer
        new = {column.name: bindparam(column.name, type_=column.type) for column in _COLUMNS}
        self._add = database.statement(insert(table).values(new))
        old = (
            select(table.c.id)
            .where(
                table.c.at < bindparam("before"),
                table.c.tag >= bindparam("tag"),
                table.c.tag < bindparam("end"),
            )
            .order_by(table.c.at)
            .limit(bindparam("limit"))
        )
        self._old = database.statement(old)
        self._remove = database.statement(delete(table).where(table.c.id == bindparam("number")))

    def add(self, records: Sequence[AuditRecord]) -> None:
        """Keep them."""
        self._writer.append(
            self._add,
            *(
                {
                    "at": each.at,
                    "tag": each.tag,
                    "who": each.who,
                    "peer": each.peer,
                    "address": each.address,
                    "facts": each.facts,
                }
                for each in records
            ),
        )

    async def find(self, wanted: AuditFilter, limit: int) -> tuple[AuditRecord, ...]:
        """Read the last ones that are wanted."""
        conditions = tuple(_conditions(wanted))
        newest = (table.c.at.desc(), table.c.id.desc())
        statement = self._database.statement(
            select(*_COLUMNS).where(*conditions).order_by(*newest).limit(bindparam("limit"))
        )
        parameters: Parameters = {
            "tag": wanted.tag,
            "end": None if wanted.tag is None else _end(wanted.tag),
            "who": wanted.who,
            "address": wanted.address,
            "since": wanted.since,
            "until": wanted.until,
            "limit": limit,
        }
        used = {name: value for name, value in parameters.items() if value is not None}
        rows = await self._reader.read(lambda c: c.rows(statement, used))
        return tuple(map(_record, rows))

    async def purge(self, tag: str, before: int, limit: int) -> int:
        """Forget some."""
        asked: Parameters = {"tag": tag, "end": _end(tag), "before": before, "limit": limit}

        def find(connection: Connection) -> list[Row]:
            return connection.rows(self._old, asked)

        rows = await self._reader.read(find)
        if rows:
            appended = self._writer.appended
            self._writer.append(self._remove, *({"number": number} for (number,) in rows))
            await self._writer.flushed(appended)
        return len(rows)


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.tag is not None:
        yield table.c.tag >= bindparam("tag")
        yield table.c.tag < bindparam("end")
    if wanted.who is not None:
        who: BindParameter[str] = bindparam("who")
        yield or_(table.c.who == who, table.c.peer == who)
    if wanted.address is not None:
        yield table.c.address == bindparam("address")
    if wanted.since is not None:
        yield table.c.at >= bindparam("since")
    if wanted.until is not None:
        yield table.c.at < bindparam("until")


def _end(tag: str) -> str:
    """The first text behind all that are meant: those that begin so, or just this one."""
    return tag[:-1] + _AFTER_COLON if tag.endswith(":") else tag + "\x01"


def _record(row: Row) -> AuditRecord:
    return AuditRecord(*row)
