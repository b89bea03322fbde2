"""The ids of archived messages (XEP-0313 §4): microseconds since 1970, rising, and never used twice."""

from collections.abc import Callable


class Ids:
    """The one source of them in a service.

    `now` gives microseconds since 1970; `floor` is the greatest id that may have been used before
    (`ArchiveStore.last_id`). While the clock is behind that, because it was set back or because more than
    one id was wanted in a microsecond, ids go on from the last one by ones.
    """

    __slots__ = ("_last", "_now")

    def __init__(self, now: Callable[[], int], floor: int = 0) -> None:
        self._now = now
        self._last = floor

    def next(self) -> int:
        """An id that is greater than all before."""
        now = self._now()
        self._last = last = now if now > self._last else self._last + 1
        return last
