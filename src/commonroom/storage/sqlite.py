"""SQLite: one file beside the service, in WAL mode, synced to disk at every commit."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import URL, Engine, NullPool, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from commonroom.storage.backend import Ledger
from commonroom.storage.connection import Connection, DriverConnection, Work
from commonroom.storage.errors import CannotOpen
from commonroom.storage.search import SQLITE_SEARCH
from commonroom.storage.statements import Query, Row, Statement

# How long SQLite itself waits for a lock that another process (the command line) holds. The writer tries
# again anyway; a start waits longer, because the other process may be bringing the tables up to date.
BUSY_MS = 500
# Of pages, in the memory of each connection to the database; the system keeps the file's pages, too. The one
# that writes has those at which the archives' indexes grow (docs/decisions/0025-archived-chat.md).
CACHE_KIB, WRITERS_CACHE_KIB = 256, 4096
# So many pages are copied from the log to the file at once: less often means fewer times for the same page.
LOG_PAGES = 4000
BUSY_AT_START_MS = 20_000

_TEMPORARY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
_REFUSALS = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
_SIZE = Statement("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
_TABLES = Statement("SELECT name FROM sqlite_master WHERE type = 'table'")


class SqliteConnection(DriverConnection):
    """A connection to the file."""

    begin = Statement("BEGIN IMMEDIATE")  # a lock taken later could fail in the middle of the work

    def rows_of(self, *queries: Query) -> list[list[Row]]:
        """Run queries in one read transaction."""
        self._cursor.execute("BEGIN")
        try:
            return [self.rows(*query) for query in queries]
        finally:
            self.undo()

    def transaction(self, work: Work) -> None:
        """Do the work in one transaction; here each statement is answered at once anyway."""
        self.careful_transaction(work)

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._driver.in_transaction)


class NoLedger:
    """A commit in the same process has happened or it has not."""

    def attach(self, connection: Connection) -> None:
        """Nothing to prepare."""

    def mark(self, connection: Connection, batch: int) -> None:
        """Nothing to keep."""

    def is_repetition(self, error: Exception) -> bool:
        """Nothing is ever written twice."""
        return False

    def detach(self, connection: Connection) -> None:
        """Nothing to clean up."""


class SqliteBackend:
    """A database file; it is made, for its owner only, if it is not there."""

    # Python's own work between two queries holds one core anyway; a second thread lets short queries
    # past a long one.
    readers = 2
    search = SQLITE_SEARCH

    def __init__(self, path: Path) -> None:
        self.path = path
        self._make()
        url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
        self.engine = _engine(url)

    def connect(self, *, writing: bool) -> Connection:
        """Open the file; `mode=rw` keeps a file that somebody removed from being made anew, empty."""
        try:
            connection = SqliteConnection(self.engine.raw_connection())
        except (sqlite3.Error, DBAPIError) as error:
            raise CannotOpen(self.explain(error)) from error
        try:
            self._prepare(connection, writing)
        except sqlite3.Error as error:
            connection.close()
            raise CannotOpen(self.explain(error)) from error
        return connection

    def ledger(self) -> Ledger:
        """Make the ledger that is not needed."""
        return NoLedger()

    def is_temporary(self, error: Exception) -> bool:
        """Whether the file was locked, full, or out of reach."""
        return _code(error) in _TEMPORARY

    def is_refusal(self, error: Exception) -> bool:
        """Whether the disk is full, may not be written or is broken; not whether somebody holds the lock."""
        return _code(error) in _REFUSALS

    def explain(self, error: Exception) -> str:
        """Say what is wrong with the file, and what to do."""
        code = _code(error)
        if code == sqlite3.SQLITE_NOTADB:
            return f"{self.path}: not an SQLite database; restore it from a backup, or name another file"
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return f"{self.path}: cannot be written ({error}); give it and its folder to the service's user"
        if code == sqlite3.SQLITE_BUSY:
            return f"{self.path}: another program has locked it; end that one first"
        return f"{self.path}: cannot be used ({error})"

    def tables(self, connection: Connection) -> set[str]:
        """List the file's tables."""
        return {name for (name,) in connection.rows(_TABLES, {}) if not name.startswith("sqlite_")}

    def size(self, connection: Connection) -> int:
        """How large the file is when its journal was taken in."""
        return int(connection.rows(_SIZE, {})[0][0])

    def lock_schema(self) -> str | None:
        """The transaction itself locks the file."""
        return None

    def insert(self, table: Table) -> Any:
        """Begin an INSERT that knows what to do with a row that is there already."""
        return insert(table)

    def _make(self) -> None:
        """Make the file with the owner's permissions only: it holds what passwords are checked with."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return  # and is not opened: to close it again would drop the locks of a connection we may have
        except FileNotFoundError:
            folder = self.path.parent
            raise CannotOpen(
                f"{self.path}: the folder {folder} does not exist; make it, for the service's user"
            ) from None
        except OSError as error:
            raise CannotOpen(
                f"{self.path}: cannot be made ({error.strerror}); give its folder to the service's user"
            ) from None

    def _prepare(self, connection: Connection, writing: bool) -> None:
        if connection.rows(Statement("PRAGMA journal_mode = wal"), {}) != [("wal",)]:
            raise CannotOpen(
                f"{self.path}: the file system cannot do WAL, a network share perhaps; move the file"
            )
        for pragma in (
            "synchronous = full",
            "foreign_keys = on",
            f"query_only = {'off' if writing else 'on'}",
            f"busy_timeout = {BUSY_MS}",
            f"cache_size = -{WRITERS_CACHE_KIB if writing else CACHE_KIB}",
            f"wal_autocheckpoint = {LOG_PAGES}",
        ):
            connection.execute(Statement(f"PRAGMA {pragma}"), {})


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        poolclass=NullPool,
        paramstyle="named",
        connect_args={"isolation_level": None, "timeout": BUSY_AT_START_MS / 1000},
    )

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _code(error: Exception) -> int | None:
    """SQLite's primary result code."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
