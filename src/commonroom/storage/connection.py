"""A connection as the threads use it: the driver's, with the statements of `statements.py`."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from sqlalchemy import PoolProxiedConnection

from commonroom.storage.statements import Parameters, Query, Row, Statement

Work = Callable[[], None]


class Connection(Protocol):
    """A connection that one thread has for itself; outside of a transaction each statement commits itself."""

    def rows(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Run a query to its end."""

    def rows_of(self, *queries: Query) -> list[list[Row]]:
        """Run queries that all see the database as it was at one moment."""

    def execute(self, statement: Statement, parameters: Parameters) -> None:
        """Run a statement that returns nothing."""

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Run a statement once for each row; faster than one by one."""

    def transaction(self, work: Work) -> None:
        """Do the work in one transaction: all of it is on disk afterwards, or none.

        An error may show up behind the statement that made it, or only at the end.
        """

    def careful_transaction(self, work: Work) -> None:
        """The same, slower: each statement is answered at once, so that `savepoint` can be used."""

    def savepoint(self, work: Work) -> None:
        """In a careful transaction: if the work fails, nothing of it remains, and the transaction lives."""

    def close(self) -> None:
        """Close it; a transaction that is under way is undone."""


class DriverConnection:
    """What the drivers have in common."""

    begin: ClassVar[Statement]

    def __init__(self, proxy: PoolProxiedConnection) -> None:
        driver: Any = proxy.driver_connection
        self._proxy = proxy
        self._driver = driver
        self._cursor: Any = driver.cursor()

    def rows(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Run a query to its end: a cursor that still has rows would keep an old state of the database."""
        self._cursor.execute(statement.text, statement.bound(parameters))
        found: list[Row] = self._cursor.fetchall()
        return found

    def execute(self, statement: Statement, parameters: Parameters) -> None:
        """Run a statement that returns nothing."""
        self._cursor.execute(statement.text, statement.bound(parameters))

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Run a statement once for each row."""
        self._cursor.executemany(statement.text, [statement.bound(row) for row in rows])

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        raise NotImplementedError

    def careful_transaction(self, work: Work) -> None:
        """Do the work in one transaction, statement by statement."""
        self._cursor.execute(self.begin.text)
        try:
            work()
            self._cursor.execute("COMMIT")
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """End a transaction that failed; the database may have done it already."""
        if self.in_transaction():
            self._cursor.execute("ROLLBACK")

    def savepoint(self, work: Work) -> None:
        """Try the work inside of a careful transaction."""
        self._cursor.execute("SAVEPOINT piece")
        try:
            work()
        except BaseException:
            # A full disk, for one, has ended the transaction with all of its savepoints.
            if self.in_transaction():
                self._cursor.execute("ROLLBACK TO SAVEPOINT piece")
            raise
        self._cursor.execute("RELEASE SAVEPOINT piece")

    def close(self) -> None:
        """Close without the pool's farewell, which would speak to a server that may be gone."""
        self._proxy.invalidate()
