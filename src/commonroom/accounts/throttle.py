"""Slows guessing down: a growing delay per account and per address, and never a lock-out."""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

# How many accounts and addresses are remembered; beyond, those that failed longest ago are forgotten.
REMEMBERED = 10_000
# Seconds without a failure in which half of a count is forgiven.
FORGIVEN = 600.0

Origin = str | bytes  # an address, or what counts as one


class _Failures:
    """Counts failures by whatever they have in common."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._counts

    def count(self, key: Hashable, now: float) -> float:
        count, at = self._counts.get(key, (0.0, now))
        return count * math.pow(0.5, (now - at) / FORGIVEN)

    def add(self, key: Hashable, now: float) -> None:
        self._keep(key, self.count(key, now) + 1, now)

    def reset(self, key: Hashable, now: float) -> None:
        self._keep(key, 0.0, now)

    def _keep(self, key: Hashable, count: float, now: float) -> None:
        self._counts[key] = count, now
        self._counts.move_to_end(key)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)


class Throttle:
    """Says how long an attempt must wait before it is looked at.

    `first` seconds after the first failures that are no mere slips, doubled with each further one, up to
    `longest`. What counts is who failed at this account or from this origin. But at an origin from which its
    owner logged in, only what failed there at this very account counts: somebody who guesses from elsewhere,
    or guesses others' passwords behind the same gateway, must not slow the owner down.
    """

    SLIPS = 2  # failures that cost nothing: people mistype

    def __init__(self, first: float, longest: float, clock: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._accounts = _Failures()
        self._origins = _Failures()
        self._good = _Failures()  # of owners at their own origins
        self._under_way: Counter[tuple[str | None, Origin]] = Counter()

    def delay(self, account: str | None, origin: Origin) -> float:
        """Seconds to wait before this attempt is checked.

        Those of the same account from the same origin that are not over yet count as failed: or many that
        begin at once would all be looked at before the first of them has failed.
        """
        return self._after(self._count(account, origin) + self._under_way[account, origin])

    def _count(self, account: str | None, origin: Origin) -> float:
        now = self._clock()
        if account is None:
            return self._origins.count(origin, now)
        if (account, origin) in self._good:
            return self._good.count((account, origin), now)
        return max(self._origins.count(origin, now), self._accounts.count(account, now))

    def began(self, account: str | None, origin: Origin) -> None:
        """An attempt is under way, its delay included, until it `ended`."""
        self._under_way[account, origin] += 1

    def ended(self, account: str | None, origin: Origin) -> None:
        """It was answered, or given up."""
        self._under_way[account, origin] -= 1
        if not self._under_way[account, origin]:
            del self._under_way[account, origin]

    def _after(self, failures: float) -> float:
        if failures <= self.SLIPS:
            return 0.0
        return float(min(self._longest, self._first * 2 ** min(failures - self.SLIPS - 1, 32)))

    def failed(self, account: str | None, origin: Origin) -> None:
        """An attempt failed."""
        now = self._clock()
        self._origins.add(origin, now)
        if account is not None:
            self._accounts.add(account, now)
            if (account, origin) in self._good:
                self._good.add((account, origin), now)

    def succeeded(self, account: str, origin: Origin) -> None:
        """The owner logged in from here: this origin is known to be theirs, and the slips are forgiven."""
        self._good.reset((account, origin), self._clock())
