"""Reading, on threads of its own, each with its connection."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from commonroom.storage.backend import Backend
from commonroom.storage.connection import Connection
from commonroom.storage.errors import StorageBusy, StorageError, failure
from commonroom.storage.interfaces import Loop, Waiter

LARGEST_QUEUE = 10_000

T = TypeVar("T")


class _Job(NamedTuple):
    work: Callable[[Connection], Any]
    waiter: Waiter


class Reader:
    """Everything but `_run` belongs to the loop's thread.

    Work is taken in order by the first thread that is free. A connection that was lost is made anew and
    the work is tried once more; then its reader is told. When too many wait, `read` raises StorageBusy.
    """

    def __init__(self, backend: Backend, loop: Loop) -> None:
        self._backend = backend
        self._loop = loop
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.waiting = 0
        self._closed = False
        self._ended = [loop.create_future() for _ in range(backend.readers)]
        self._threads = [
            threading.Thread(target=self._run, args=(ended,), name=f"storage-reader-{number}", daemon=True)
            for number, ended in enumerate(self._ended, 1)
        ]
        for thread in self._threads:
            thread.start()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do the work on a reader's thread; raises StorageError."""
        if self._closed:
            raise StorageError("the database is closed")
        if self.waiting >= LARGEST_QUEUE:
            raise StorageBusy(f"{self.waiting} reads wait for the database")
        waiter = self._loop.create_future()
        self.waiting += 1
        self._jobs.put(_Job(work, waiter))
        result: T = await waiter
        return result

    async def close(self) -> None:
        """Finish what was asked for, and end."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for ended in self._ended:
            await ended
        for thread in self._threads:
            thread.join()

    def _settle(self, waiter: Waiter, result: object, error: Exception | None) -> None:
        """On the loop's thread: a job is done."""
        self.waiting -= 1
        if waiter.done():
            return  # nobody waits any more
        if error is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(error)

    def _run(self, ended: Waiter) -> None:
        seat = _Seat(self._backend)
        while (job := self._jobs.get()) is not None:
            result, error = seat.do(job.work)
            self._loop.call_soon_threadsafe(self._settle, job.waiter, result, error)
        seat.close()
        self._loop.call_soon_threadsafe(ended.set_result, None)


class _Seat:
    """What one thread has: a connection, once there was something to read."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._connection: Connection | None = None

    def do(self, work: Callable[[Connection], T]) -> tuple[T | None, Exception | None]:
        """Do the work; again, on a new connection, if the old one turns out to be lost."""
        try:
            try:
                return self._try(work), None
            except Exception as error:
                if not self._backend.is_temporary(error):
                    raise
            return self._try(work), None
        except StorageError as error:
            return None, error
        except Exception as error:
            return None, failure("cannot be read", error).with_traceback(error.__traceback__)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._backend.connect(writing=False)
        try:
            return work(self._connection)
        except Exception:
            self.close()  # whatever state it is in
            raise
