"""What differs between the databases."""

from typing import Any, Protocol

from sqlalchemy import Engine, Table

from commonroom.storage.connection import Connection
from commonroom.storage.search import Search


class Ledger(Protocol):
    """Keeps a batch from being written twice when nobody heard whether its commit was done."""

    def attach(self, connection: Connection) -> None:
        """Prepare a new connection for `mark`."""

    def mark(self, connection: Connection, batch: int) -> None:
        """Inside of the batch's transaction: fail, if the batch was committed before."""

    def is_repetition(self, error: Exception) -> bool:
        """Whether this is the error of `mark`."""

    def detach(self, connection: Connection) -> None:
        """Clean up, at the end."""


class Backend(Protocol):
    """A kind of database, at one address."""

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's, for migrations and to compile statements."""

    @property
    def search(self) -> Search:
        """How it searches for words."""

    @property
    def readers(self) -> int:
        """How many threads read, each with a connection of its own."""

    def connect(self, *, writing: bool) -> Connection:
        """Open a connection for the thread that calls; raises CannotOpen."""

    def ledger(self) -> Ledger:
        """Make the ledger of one writer."""

    def is_temporary(self, error: Exception) -> bool:
        """Whether the same statement can work later: locked, full, unreachable; not for bad data."""

    def is_refusal(self, error: Exception) -> bool:
        """Whether an error that is temporary also proves that nothing of the transaction was committed.

        So it is when the disk is full or may not be written; not when nobody heard the answer.
        """

    def explain(self, error: Exception) -> str:
        """Tell an operator what, where, and what to do."""

    def tables(self, connection: Connection) -> set[str]:
        """List the names of the tables that are there."""

    def size(self, connection: Connection) -> int:
        """How many bytes it takes."""

    def lock_schema(self) -> str | None:
        """SQL that makes other migrations wait, inside of a transaction, if beginning one does not."""

    def insert(self, table: Table) -> Any:
        """Begin SQLAlchemy's INSERT of this dialect, for `upsert` and `add_missing` of `statements.py`."""
