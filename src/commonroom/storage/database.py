"""Opens a database: checks it, brings its tables up to date, and starts the threads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import URL, ClauseElement, Select, Table, make_url
from sqlalchemy.exc import ArgumentError

from commonroom.storage.backend import Backend
from commonroom.storage.committer import REFUSED_PATIENCE, Committer
from commonroom.storage.errors import CannotOpen
from commonroom.storage.interfaces import Loop
from commonroom.storage.reader import Reader
from commonroom.storage.schema import inspect, look, migrate, prepare
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.statements import Statement, add_missing, compiled, upsert
from commonroom.storage.writer import PATIENCE, Writer

COMMIT_DELAY = 0.002
"""For how long writes gather under load, in seconds."""


class Database:
    """What the stores share."""

    def __init__(
        self,
        backend: Backend,
        loop: Loop,
        commit_delay: float = COMMIT_DELAY,
        refused_patience: float = REFUSED_PATIENCE,
    ) -> None:
        self.backend = backend
        self.reader = Reader(backend, loop)
        self.writer = Writer(Committer(backend, refused_patience), loop, commit_delay)

    def statement(self, statement: ClauseElement) -> Statement:
        """Compile a statement for this database; once for each, when a store is made."""
        return compiled(statement, self.backend.engine.dialect)

    def upsert(self, table: Table, key: Sequence[str], source: Select[*tuple[Any, ...]]) -> Statement:
        """Compile "insert, or replace the row with the same key"."""
        return self.statement(upsert(self.backend.insert(table), key, source))

    def add_missing(self, table: Table, source: Select[*tuple[Any, ...]]) -> Statement:
        """Compile "insert, unless there is such a row"."""
        return self.statement(add_missing(self.backend.insert(table), source))

    async def close(self, patience: float = PATIENCE) -> None:
        """Write what waits, and end; StorageError if the database takes nothing for `patience` seconds."""
        try:
            await self.writer.close(patience)
        finally:
            await self.reader.close()


def open_database(url: str, state_folder: Path, loop: Loop, commit_delay: float = COMMIT_DELAY) -> Database:
    """Open `sqlite:///file` (in the state folder, unless absolute) or `postgresql://user@host/name`.

    Tables are made where there are none; blocks meanwhile. Raises CannotOpen; OldTables for those of an older
    program, which `upgrade_database` changes.
    """
    backend, shown = _backend(url, state_folder)
    prepare(backend, shown)
    return Database(backend, loop, commit_delay)


def inspect_database(url: str, state_folder: Path) -> str | None:
    """The revision of a database's tables, None if it has none yet; brings nothing up to date.

    Raises CannotOpen.
    """
    return inspect(*_backend(url, state_folder))


def upgrade_database(url: str, state_folder: Path) -> None:
    """Bring the tables to this program's revision, in one transaction. Raises CannotOpen."""
    migrate(*_backend(url, state_folder))


class DatabaseFacts(NamedTuple):
    """A database in words to an operator, the revision of its tables (None: it has none), its size."""

    shown: str
    revision: str | None
    bytes: int


def database_facts(url: str, state_folder: Path) -> DatabaseFacts:
    """What there is; changes nothing. Raises CannotOpen, also for tables of a newer program."""
    backend, shown = _backend(url, state_folder)
    return DatabaseFacts(shown, *look(backend, shown))


def _backend(url: str, state_folder: Path) -> tuple[Backend, str]:
    """The kind of database that an address names, and the address as it may be shown."""
    parsed = _parse(url)
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise CannotOpen(f"{url}: names no file; write sqlite:///commonroom.sqlite")
        path = state_folder / parsed.database
        return SqliteBackend(path), str(path)
    if kind == "postgresql":
        # Not at the top: SQLAlchemy's part for PostgreSQL and the driver take a quarter of a start.
        from commonroom.storage.postgresql import PostgresBackend  # noqa: PLC0415

        return PostgresBackend(parsed), parsed.render_as_string(hide_password=True)
    raise CannotOpen(f"{kind}: is not supported; write sqlite:///file or postgresql://user@host/database")


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        raise CannotOpen(
            "the database's address is not one; write sqlite:///file or postgresql://user@host/name"
        ) from None
