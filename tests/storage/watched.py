"""An SQLite backend whose SQL a test can read and whose size it can limit."""

from pathlib import Path

from commonroom.storage.connection import Connection, DriverConnection
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.statements import Statement


class WatchedSqlite(SqliteBackend):
    """`sql` is all that the writer's connection ran; `pages` is the size at which the disk is full.

    `read_only` lets nothing be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sql: list[str] = []
        self.pages: int | None = None
        self.read_only = False

    def connect(self, *, writing: bool) -> Connection:
        connection = super().connect(writing=writing)
        assert isinstance(connection, DriverConnection)
        if writing:
            connection._driver.set_trace_callback(self.sql.append)
            if self.pages is not None:
                connection.rows(Statement(f"PRAGMA max_page_count = {self.pages}"), {})
            if self.read_only:
                connection.execute(Statement("PRAGMA query_only = on"), {})
        return connection

    @property
    def commits(self) -> int:
        return self.sql.count("COMMIT")
