"""What went wrong with other servers lately, and why: kept for `commonroom s2s list`, and bounded."""

from collections import Counter, OrderedDict
from datetime import datetime
from typing import NamedTuple

from commonroom.federation.advice import kind_of
from commonroom.federation.journal import Step, one_line

REMEMBERED = 500


class Failure(NamedTuple):
    """The last one of a domain, in one direction; `times` of them came without a success in between."""

    domain: str
    direction: str  # "out" or "in"
    at: datetime
    reason: str
    times: int
    steps: tuple[Step, ...]


class Failures:
    """Of each domain and direction the last; the oldest are forgotten first.

    `counts` has how many there were since the start, by direction and kind of reason.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Failure] = OrderedDict()
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(
        self, domain: str, direction: str, at: datetime, reason: str, steps: tuple[Step, ...] = ()
    ) -> Failure:
        """One more."""
        key = (domain, direction)
        self.counts[direction, kind_of(reason)] += 1
        before = self._kept.pop(key, None)
        failure = Failure(
            domain, direction, at, one_line(reason), 1 if before is None else before.times + 1, steps
        )
        self._kept[key] = failure
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return failure

    def forget(self, domain: str, direction: str) -> None:
        """It works again."""
        self._kept.pop((domain, direction), None)

    def latest(self) -> list[Failure]:
        """All that are known, the latest first."""
        return list(reversed(self._kept.values()))
