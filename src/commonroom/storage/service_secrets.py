"""Secrets of the service itself, in a table."""

from collections.abc import Callable

from sqlalchemy import bindparam, delete, select, true

from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.tables import secret as table


class SqlSecretStore:
    """See `interfaces.SecretStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._get = database.statement(select(table.c.value).where(table.c.name == bindparam("name")))
        new = (bindparam(column.name, type_=column.type).label(column.name) for column in table.columns)
        self._add = database.add_missing(table, select(*new).where(true()))
        self._remove = database.statement(delete(table).where(table.c.name == bindparam("name")))

    async def get_or_create(self, name: str, factory: Callable[[], bytes]) -> bytes:
        """Read a secret, or make it; another process may make it first, and then it is that one."""
        if (value := await self._read(name)) is not None:
            return value
        before = self._writer.appended
        self._writer.append(self._add, {"name": name, "value": factory()})
        await self._writer.flushed(before)
        value = await self._read(name)
        assert value is not None
        return value

    def remove(self, name: str) -> None:
        """Forget one."""
        self._writer.append(self._remove, {"name": name})

    async def _read(self, name: str) -> bytes | None:
        def find(connection: Connection) -> bytes | None:
            rows = connection.rows(self._get, {"name": name})
            return bytes(rows[0][0]) if rows else None

        return await self._reader.read(find)
