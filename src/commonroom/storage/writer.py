"""Group commit: the writes of all sessions in one transaction every few milliseconds, on its own thread."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import monotonic, perf_counter

from commonroom.storage.committer import Committer, Failure, Step, Write
from commonroom.storage.connection import Connection
from commonroom.storage.errors import StorageBusy, StorageError
from commonroom.storage.interfaces import Loop, Told, Waiter
from commonroom.storage.latency import Latency
from commonroom.storage.statements import Parameters, Statement

LARGEST_QUEUE = 10_000
LARGEST_QUEUE_BYTES = 64 << 20
PATIENCE = 5.0
# Seconds; what comes so soon behind a commit has more on its way behind it.
SOON = 0.005
# Writes; so many make a commit cheap. While there are fewer, but more than one, it pays to wait for others.
MANY = 16
BUSY = 1 / 3  # of `commit_delay` is enough when there are many

# What failed for good is a bug, so that this is more than anybody will ever ask for.
_REMEMBERED_FAILURES = 1000


class Writer:
    """Everything but `_run` and what it calls belongs to the loop's thread.

    Writes are numbered from 1 in the order in which they are appended. What one turn of the loop appends is
    handed to the thread at once, and so is in one transaction: the rows of a message in the archives of both
    sides, and what waits for its recipient. The thread takes all that has gathered; when more comes while it
    commits, or soon behind, it gathers for `commit_delay` seconds before the next commit, for a third of them
    when there is much, or somebody writes one thing after the other; and not at all when it was idle. When
    too much waits, `append` raises StorageBusy.
    """

    def __init__(self, committer: Committer, loop: Loop, commit_delay: float) -> None:
        self._committer = committer
        self._loop = loop
        self._commit_delay = commit_delay
        self.appended = 0  # an attribute, because every message looks at it; see `Writes`
        self.commits = Latency()
        self._settled = 0
        self._bytes = 0
        self._waiting: deque[tuple[int, int, Told]] = deque()
        self._failures: deque[tuple[int, StorageError]] = deque(maxlen=_REMEMBERED_FAILURES)
        self._turn: list[Write] = []  # what this turn of the loop appended
        self._turn_bytes = 0
        # Shared with the thread, under the lock of `_wake`.
        self._wake = threading.Condition()
        self._gathered: list[Write] = []
        self._gathered_bytes = 0
        self._idle = False
        self._closing = threading.Event()
        self._ended = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="storage-writer", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """How many of them still wait for the disk."""
        return self.appended - self._settled

    def append(self, statement: Statement, *rows: Parameters) -> None:
        """Run a statement for each row with the next commit; for all of them or for none."""
        self._append(((statement, rows),), _size(rows))

    def append_row(self, statement: Statement, row: Parameters, size: int) -> None:
        """The same for one row whose size is known: to look takes 1.5 µs of a message's 40."""
        self._append(((statement, (row,)),), size)

    def append_together(self, *steps: Step) -> None:
        """Run several statements with the next commit; all of them or none."""
        self._append(steps, sum(_size(rows) for _, rows in steps))

    def append_call(self, work: Callable[[Connection], None]) -> None:
        """Do work that must read, or think, in the writer's transaction. It may be called twice."""
        self._append(work, 0)

    def when_flushed(self, told: Told, since: int | None = None) -> None:
        """See `Writes`."""
        if since is None:
            since = self._settled
        if self._settled == self.appended and not self._waiting:
            told(self._failure(since, self.appended))
        else:
            self._waiting.append((since, self.appended, told))

    async def flushed(self, since: int | None = None) -> None:
        """See `Writes`."""
        waiter = self._loop.create_future()
        self.when_flushed(partial(_tell, waiter), since)
        await waiter

    async def close(self, patience: float = PATIENCE) -> None:
        """Flush everything and end. StorageError, if the database takes nothing for `patience` seconds."""
        flushed = self._loop.create_future()
        self.when_flushed(partial(_tell, flushed))
        self._committer.hurry(patience)
        self._hand_over()
        with self._wake:
            self._closing.set()
            self._wake.notify()
        await self._ended
        self._thread.join()
        await flushed

    def _append(self, write: Write, size: int) -> None:
        if self.appended - self._settled >= LARGEST_QUEUE or self._bytes >= LARGEST_QUEUE_BYTES:
            raise StorageBusy(f"{self.behind} writes wait for the database")
        if self._closing.is_set():
            raise StorageError("the database is closed")
        self.appended += 1
        self._bytes += size
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(write)
        self._turn_bytes += size

    def _hand_over(self) -> None:
        turn, size = self._turn, self._turn_bytes
        if turn:
            self._turn, self._turn_bytes = [], 0
            with self._wake:
                self._gathered += turn
                self._gathered_bytes += size
                if self._idle:
                    self._wake.notify()

    def _settle(self, writes: int, size: int, failures: list[Failure]) -> None:
        """On the loop's thread: a batch is on disk."""
        for position, failure in failures:
            self._failures.append((self._settled + position + 1, failure))
        self._settled += writes
        self._bytes -= size
        waiting = self._waiting
        while waiting and waiting[0][1] <= self._settled:
            since, through, told = waiting.popleft()
            try:
                told(self._failure(since, through))
            except Exception as error:
                # Others wait, too. The loop reports what its callbacks raise.
                self._loop.call_soon_threadsafe(_raise, error)

    def _failure(self, since: int, through: int) -> StorageError | None:
        if not self._failures:
            return None
        return next((failure for number, failure in self._failures if since < number <= through), None)

    def _run(self) -> None:
        idle_since, written = -inf, 0
        while (taken := self._take(idle_since, written)) is not None:
            batch, size = taken
            begun = perf_counter()
            failures = self._committer.commit(batch)
            self.commits.observe(perf_counter() - begun)
            idle_since, written = monotonic(), len(batch)
            self._loop.call_soon_threadsafe(self._settle, len(batch), size, failures)
        try:
            self._committer.close()
        finally:
            self._loop.call_soon_threadsafe(_tell, self._ended, None)

    def _take(self, idle_since: float, written: int) -> tuple[list[Write], int] | None:
        with self._wake:
            while not self._gathered:
                if self._closing.is_set():
                    return None
                self._idle = True
                self._wake.wait()
                self._idle = False
        if monotonic() - idle_since < SOON:
            self._closing.wait(self._commit_delay * share_of_delay(written))
        with self._wake:
            taken = self._gathered, self._gathered_bytes
            self._gathered, self._gathered_bytes = [], 0
        return taken


def share_of_delay(written: int) -> float:
    """For how much of the delay it pays to gather, when the last batch had so many writes."""
    return 1 if 1 < written < MANY else BUSY


def _size(rows: Sequence[Parameters]) -> int:
    """Roughly, the bytes that the rows keep in memory."""
    return sum([len(value) for row in rows for value in row.values() if isinstance(value, str)])


def _raise(error: Exception) -> None:
    raise error


def _tell(waiter: Waiter, failure: StorageError | None) -> None:
    if waiter.done():
        return  # nobody waits any more
    if failure is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(StorageError(*failure.args))  # its own: each who raises it adds a traceback
