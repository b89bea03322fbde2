"""The garbage collector beside a loop on which messages wait: short looks, and the long one when it is quiet.

Nothing that ended waits for it (tests/core/test_memory.py): it looks for what a bug or a library may leave.
How long a look takes goes with the objects that it looks at, up to a third of a microsecond each; those of a
thousand sessions take 50 ms (docs/decisions/0024-a-crowd.md).
"""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import thread_time
from typing import Any, Protocol

# So many objects more than there were, and the young ones are looked at: half a millisecond.
YOUNG = 2_000
# So often, and what they left is looked at once more, and is old then: so many times that, 2 ms.
TWICE = 3
# Python would look at all old ones when it likes, amid a crowd.
NEVER = 1 << 30

# So many second looks, 800,000 objects or the log-ins of some thousands, and the old are worth a look.
ENOUGH = 100
# So many, and there is no waiting for a quiet second: what a bug leaves must not fill the memory.
TOO_MANY = 1_000
SECOND = 1.0
# Of a second; a loop that works less has nobody waiting for it.
QUIET = 0.05


class Loop(Protocol):
    """See `asyncio.AbstractEventLoop`."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object: ...
    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> object: ...


class Debt:
    """Counts what becomes old unseen; has everything looked at in a quiet second, or when that is too much.

    `collect` looks at everything, `work` is how long the loop's thread has worked so far.
    """

    def __init__(
        self, loop: Loop, collect: Callable[[], object] = gc.collect, work: Callable[[], float] = thread_time
    ) -> None:
        self._loop = loop
        self._collect = collect
        self._work = work
        self._owed = 0
        self._worked = 0.0

    def note(self, phase: str, facts: Mapping[str, Any]) -> None:
        """What Python says of each of its looks (`gc.callbacks`), in whichever thread."""
        if phase == "stop" and facts["generation"] == 1:
            self._owed += 1
            if self._owed == ENOUGH:
                self._loop.call_soon_threadsafe(self._watch)

    def _watch(self) -> None:
        """For a second."""
        self._worked = self._work()
        self._loop.call_later(SECOND, self._seen)

    def _seen(self) -> None:
        if self._owed < TOO_MANY and self._work() - self._worked > QUIET * SECOND:
            self._watch()
        else:
            self._owed = 0
            self._collect()


@contextmanager
def collecting_in_small_portions(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Never again at what start-up made."""
    before = gc.get_threshold()
    debt = Debt(loop)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, TWICE, NEVER)
    gc.callbacks.append(debt.note)
    try:
        yield
    finally:
        gc.callbacks.remove(debt.note)
        gc.set_threshold(*before)
        gc.unfreeze()
