"""Takes batches of writes to the disk, in their order and each exactly once. Runs on the writer's thread."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic, sleep

from commonroom.storage.backend import Backend
from commonroom.storage.connection import Connection
from commonroom.storage.errors import CannotOpen, StorageError, failure
from commonroom.storage.statements import Parameters, Statement

Step = tuple[Statement, Sequence[Parameters]]
Write = tuple[Step, ...] | Callable[[Connection], None]
"""What belongs together: all of it happens or nothing. A callable may also read, and must not commit."""

Failure = tuple[int, StorageError]
"""The position of a write in its batch, and what is wrong with it."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
REFUSED_PATIENCE = 10.0
"""For so many seconds a disk that is full is waited for."""

log = logging.getLogger(__name__)


class Committer:
    """Owns the one connection that writes.

    A batch is one transaction. What the database cannot take for now (it is locked, full, gone) is tried
    again until it can. What it will never take fails alone: the batch is done again, write by write.

    While the disk is full or may not be written, nothing is promised: when that has lasted for
    `refused_patience` seconds, batches fail, each after one attempt, until one works again.
    """

    def __init__(self, backend: Backend, refused_patience: float = REFUSED_PATIENCE) -> None:
        self._backend = backend
        self._refused_patience = refused_patience
        self._refused_since: float | None = None
        self._is_down = False
        self._ledger = backend.ledger()
        self._connection: Connection | None = None
        self._committed = 0
        self._noted: list[Failure] = []  # by the last attempt to write the batch one by one
        self._hurried = threading.Event()
        self._deadline = 0.0

    def commit(self, batch: Sequence[Write]) -> list[Failure]:
        """Write the batch, however long it takes; returns what can never be written."""
        self._noted = []
        pause = 0.0
        is_certain = True  # that no earlier attempt was committed
        while True:
            try:
                failures = self._attempt(batch)
            except Exception as error:
                self._drop_connection()
                is_certain = is_certain and self._is_refusal(error)
                if not self._is_temporary(error) or self._gives_up(pause, error, len(batch), is_certain):
                    failed = self._failed(error)
                    return [(position, failed) for position in range(len(batch))]
                pause = min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            else:
                self._committed += 1
                self._works(len(batch))
                return failures

    def hurry(self, patience: float) -> None:
        """From any thread: from now on, give up after so many seconds."""
        self._deadline = monotonic() + patience
        self._hurried.set()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            try:
                self._ledger.detach(self._connection)
            except Exception as error:
                if not self._is_temporary(error):
                    raise
            self._drop_connection()

    def _attempt(self, batch: Sequence[Write]) -> list[Failure]:
        connection = self._connected()
        try:
            connection.transaction(partial(self._write_together, connection, batch))
        except Exception as error:
            if self._is_temporary(error):
                raise
            return self._write_one_by_one(connection, batch)
        return []

    def _write_together(self, connection: Connection, batch: Sequence[Write]) -> None:
        self._ledger.mark(connection, self._committed + 1)
        _run(connection, batch)

    def _write_one_by_one(self, connection: Connection, batch: Sequence[Write]) -> list[Failure]:
        failures: list[Failure] = []

        def write() -> None:
            self._ledger.mark(connection, self._committed + 1)
            for position, one in enumerate(batch):
                try:
                    connection.savepoint(partial(_run, connection, (one,)))
                except Exception as error:
                    if self._is_temporary(error):
                        raise
                    failures.append((position, _failed(error)))
            self._noted = failures

        try:
            connection.careful_transaction(write)
        except Exception as error:
            # An earlier attempt, whose answer was lost, had been committed; its failures were noted then.
            if not self._ledger.is_repetition(error):
                raise
        return self._noted

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._backend.connect(writing=True)
            self._ledger.attach(self._connection)
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_temporary(self, error: Exception) -> bool:
        return isinstance(error, CannotOpen) or self._backend.is_temporary(error)

    def _is_refusal(self, error: Exception) -> bool:
        """Whether nothing was committed, because of what an operator has to see to."""
        cause = error.__cause__ if isinstance(error, CannotOpen) else error
        return isinstance(cause, Exception) and self._backend.is_refusal(cause)

    def _works(self, writes: int) -> None:
        self._refused_since = None
        if self._is_down:
            self._is_down = False
            log.info("database is back", extra={"writes": writes})

    def _gives_up(self, pause: float, error: Exception, writes: int, is_certain: bool) -> bool:
        """Wait before the next attempt; or not, if there is none: what is not certain is never given up."""
        if not self._is_down:
            self._is_down = True
            reason = failure("cannot be written for now", error)
            log.warning("database takes no writes", extra={"reason": str(reason), "writes": writes})
        if is_certain:
            self._refused_since = self._refused_since or monotonic()
            if monotonic() - self._refused_since >= self._refused_patience:
                return True
        if self._hurried.wait(pause):
            left = self._deadline - monotonic()
            if left <= 0:
                return True
            sleep(min(pause, left))
        return False

    def _failed(self, error: Exception) -> StorageError:
        """What is told of writes that fail together; a disk that is full was logged when it became so."""
        if self._is_temporary(error):
            return failure("cannot be written", error)
        return _failed(error)


def _run(connection: Connection, batch: Iterable[Write]) -> None:
    """Run all steps in order, neighbours with the same statement at once."""
    last: Statement | None = None
    rows: list[Parameters] = []
    for write in batch:
        if not isinstance(write, tuple):
            _send(connection, last, rows)
            last, rows = None, []
            write(connection)
            continue
        for statement, more in write:
            if statement is not last:
                _send(connection, last, rows)
                last, rows = statement, []
            rows.extend(more)
    _send(connection, last, rows)


def _send(connection: Connection, statement: Statement | None, rows: Sequence[Parameters]) -> None:
    if statement is None:
        return
    if len(rows) == 1:
        connection.execute(statement, rows[0])
    else:
        connection.execute_many(statement, rows)


def _failed(error: Exception) -> StorageError:
    """What is told of a write that can never be written. The log gets the way to the error as well."""
    told = failure("cannot be written", error)
    log.error("write failed", exc_info=(StorageError, told, error.__traceback__))
    return told
