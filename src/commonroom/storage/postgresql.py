"""PostgreSQL: a server, perhaps on another machine, that can go away and come back."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, NullPool, Table, create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from commonroom.storage.backend import Ledger
from commonroom.storage.connection import Connection, DriverConnection, Work
from commonroom.storage.errors import CannotOpen
from commonroom.storage.search import POSTGRES_SEARCH
from commonroom.storage.statements import Query, Row, Statement

# A server that is gone without a word is noticed after about 20 s, instead of the kernel's two hours.
_CONNECT: Mapping[str, str] = {
    "application_name": "commonroom",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}

# Classes and codes of errors that say nothing against the statement (PostgreSQL's manual, appendix A).
_TEMPORARY = ("08", "40", "53", "55", "57", "58", "25006")
_REFUSALS = ("53100", "58030", "25006")
_NOT_NULL_VIOLATION = "23502"
_MIGRATION_LOCK = 0x436F6D6D6F6E526F  # "CommonRo"

_SIZE = Statement("SELECT pg_database_size(current_database())")
_TABLES = Statement(
    "SELECT relname FROM pg_catalog.pg_class"
    " WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"
)
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresConnection(DriverConnection):
    """A connection to the server. A batch goes out in a pipeline: one round trip for all its statements."""

    begin = Statement("BEGIN")

    def rows_of(self, *queries: Query) -> list[list[Row]]:
        """Run queries in one read transaction and one round trip."""
        cursors = [self._driver.cursor() for _ in queries]
        with self._driver.pipeline():
            self._cursor.execute(_SNAPSHOT)
            for cursor, (statement, parameters) in zip(cursors, queries, strict=True):
                cursor.execute(statement.text, statement.bound(parameters))
            self._cursor.execute("COMMIT")
        return [cursor.fetchall() for cursor in cursors]

    def transaction(self, work: Work) -> None:
        """Do the work in one transaction and, where it reads nothing, in one round trip."""
        try:
            with self._driver.pipeline():
                self._cursor.execute("BEGIN")
                work()
                self._cursor.execute("COMMIT")
        except BaseException:
            self.undo()
            raise

    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not; no, if the server is gone."""
        return self._driver.info.transaction_status.name in ("ACTIVE", "INTRANS", "INERROR")


class PostgresLedger:
    """Counts the batches of one writer, in the transactions of the batches themselves.

    A connection that breaks while it commits leaves open whether it did, and the old transaction may even
    still be under way. So a batch moves its writer's row from the number before to its own: if another
    attempt has done so, or does it first, the column would become NULL, which it must not, and the whole
    transaction fails.
    """

    _ATTACH = Statement(
        "INSERT INTO writer_progress (writer, batch) VALUES (%(writer)s, 0) ON CONFLICT (writer) DO NOTHING"
    )
    _MARK = Statement(
        "UPDATE writer_progress SET batch = CASE WHEN batch = %(batch)s - 1 THEN batch + 1 END"
        " WHERE writer = %(writer)s"
    )
    _DETACH = Statement("DELETE FROM writer_progress WHERE writer = %(writer)s")

    def __init__(self) -> None:
        self._writer = secrets.token_hex(16)

    def attach(self, connection: Connection) -> None:
        """Make the writer's row."""
        connection.execute(self._ATTACH, {"writer": self._writer})

    def mark(self, connection: Connection, batch: int) -> None:
        """Move the row to this batch."""
        connection.execute(self._MARK, {"writer": self._writer, "batch": batch})

    def is_repetition(self, error: Exception) -> bool:
        """Whether the row has moved already."""
        return _sqlstate(error) == _NOT_NULL_VIOLATION

    def detach(self, connection: Connection) -> None:
        """Remove the row. (A crash leaves it: some fifty bytes.)"""
        connection.execute(self._DETACH, {"writer": self._writer})


class PostgresBackend:
    """A database on a server."""

    readers = 4  # they mostly wait for the server
    search = POSTGRES_SEARCH

    def __init__(self, url: URL) -> None:
        url = url.set(drivername="postgresql+psycopg")
        self._shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
        self.engine = create_engine(url, poolclass=NullPool, connect_args=_missing(_CONNECT, url))
        self._dbapi: Any = self.engine.dialect.dbapi
        # What it warns of we hear as errors, too; and it repeats rows, with what people wrote in them.
        logging.getLogger("psycopg").setLevel(logging.ERROR)

    def connect(self, *, writing: bool) -> Connection:
        """Reach the server; what is committed is on its disk (`synchronous_commit`), whatever its default."""
        try:
            proxy = self.engine.raw_connection()
            driver: Any = proxy.driver_connection
            driver.autocommit = True  # transactions are begun and ended by statements of ours
            connection = PostgresConnection(proxy)
            if writing:
                connection.execute(Statement("SET synchronous_commit = on"), {})
        except (self._dbapi.Error, DBAPIError) as error:
            raise CannotOpen(self.explain(error)) from error
        if (encoding := driver.info.parameter_status("server_encoding")) != "UTF8":
            connection.close()
            raise CannotOpen(f"{self._shown}: encoded in {encoding}; make a database with ENCODING 'UTF8'")
        return connection

    def ledger(self) -> Ledger:
        """Make the ledger of a writer."""
        return PostgresLedger()

    def is_temporary(self, error: Exception) -> bool:
        """Whether the server was gone, full, locked or shutting down."""
        state = _sqlstate(error)
        if state is not None:
            return state.startswith(_TEMPORARY)
        if isinstance(error, self._dbapi.errors.PipelineAborted):
            return False  # it stands behind the error of an earlier statement, and tells nothing about it
        return isinstance(error, (self._dbapi.OperationalError, self._dbapi.InterfaceError))

    def is_refusal(self, error: Exception) -> bool:
        """Whether the server said that its disk is full or broken, or that it may only be read."""
        return (_sqlstate(error) or "").startswith(_REFUSALS)

    def explain(self, error: Exception) -> str:
        """Repeat what the server, or the attempt to reach it, said."""
        said = " ".join(str(getattr(error, "orig", error)).split())
        return f"{self._shown}: cannot be used ({said}); see to the server, or name another one"

    def tables(self, connection: Connection) -> set[str]:
        """List the tables of the schema that comes first in the search path."""
        return {name for (name,) in connection.rows(_TABLES, {})}

    def size(self, connection: Connection) -> int:
        """What the server says."""
        return int(connection.rows(_SIZE, {})[0][0])

    def lock_schema(self) -> str | None:
        """Lock until the transaction ends."""
        return f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"

    def insert(self, table: Table) -> Any:
        """Begin an INSERT that knows what to do with a row that is there already."""
        return insert(table)


def _missing(defaults: Mapping[str, str], url: URL) -> dict[str, str]:
    """What the operator's address does not say itself."""
    return {name: value for name, value in defaults.items() if name not in url.query}


def _sqlstate(error: Exception) -> str | None:
    state: str | None = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state
