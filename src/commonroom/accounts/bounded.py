"""Work off the loop, as much of it as is bounded: what too many wait for is refused, not piled up."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from commonroom.storage.errors import StorageBusy, StorageError

T = TypeVar("T")

# Checks that may wait. At a quarter of a second each, the last would be answered long after its client left.
MOST_WAITING = 4000


class Unwanted(StorageError):  # noqa: N818 - what happened
    """Nobody waits for it any more."""


class Bounded(Generic[T]):
    """`run` runs a function in one of some threads."""

    def __init__(
        self, run: Callable[[Callable[[], T]], Awaitable[T]], most_waiting: int = MOST_WAITING
    ) -> None:
        self._run = run
        self._most_waiting = most_waiting
        self.waiting = 0

    async def __call__(self, work: Callable[[], T], is_wanted: Callable[[], bool]) -> T:
        """Raises StorageBusy if too many wait, Unwanted if nobody does when its turn comes."""
        if self.waiting >= self._most_waiting:
            raise StorageBusy(f"{self.waiting} passwords wait to be checked")

        def checked() -> T:
            if not is_wanted():
                raise Unwanted("the client has left")
            return work()

        self.waiting += 1
        try:
            return await self._run(checked)
        finally:
            self.waiting -= 1
