"""What waits for the disk: nothing is shown to anybody that the service could still forget."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any

from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes

Work = Callable[[], Awaitable[None] | None]
# Does the work, or tells somebody of the failure; gives what is left to wait for.
Settle = Callable[[Work, StorageError | None], Awaitable[None] | None]


class AfterCommit:
    """Work that is done when all that was written so far is on disk, behind other work that waits for it.

    Either it is started, which costs no task, or it is awaited. Then a failure of the disk, or of the
    work, is raised there.
    """

    __slots__ = ("_since", "_then", "_writes", "is_done", "rest", "work")

    def __init__(self, writes: Writes, since: int, work: Work) -> None:
        """Failures count of what was written after `since` (see `Writes.appended`)."""
        self._writes = writes
        self._since = since
        self._then: Callable[[AfterCommit], None] | None = None
        self.work = work
        self.is_done = False
        self.rest: Awaitable[None] | None = None  # what is left to wait for, once it is done

    def start(self, settle: Settle) -> None:
        """Have the work settled when its time comes, which may be now."""

        def flushed(failure: StorageError | None) -> None:
            self.rest = settle(self.work, failure)
            self.is_done = True
            if self._then is not None:
                self._then(self)

        self._writes.when_flushed(flushed, self._since)

    def then(self, told: "Callable[[AfterCommit], None]") -> None:
        """Call this when it is done; for one that was started, and has not been done yet."""
        self._then = told

    async def done(self) -> None:
        """Wait until a started one is done; what failed was settled."""
        while not self.is_done:
            with suppress(StorageError):
                await self._writes.flushed()

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        await self._writes.flushed(self._since)
        rest = self.work()
        if rest is not None:
            await rest
