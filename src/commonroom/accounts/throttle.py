"""Slows guessing down: a growing delay per account and per address, and never a lock-out."""

import math
from collections import OrderedDict
from collections.abc import Callable

# How many accounts and addresses are remembered; beyond, those that failed longest ago are forgotten.
REMEMBERED = 10_000


class _Failures:
    """Counts failures by name; each `forgiven` seconds without one halve the count."""

    def __init__(self, forgiven: float) -> None:
        self._forgiven = forgiven
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, name: str, now: float) -> float:
        count, at = self._counts.get(name, (0.0, now))
        return count * math.pow(0.5, (now - at) / self._forgiven)

    def add(self, name: str, now: float) -> None:
        self._counts[name] = (self.count(name, now) + 1, now)
        self._counts.move_to_end(name)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)


class Throttle:
    """Says how long an attempt must wait before it is looked at.

    `first` seconds after the first failures that are no mere slips, doubled with each further one, up to
    `longest`. Failures at an account slow down everybody who tries it, except from addresses where its
    owner logged in: guessing from elsewhere must not slow the owner down.
    """

    SLIPS = 2  # failures that cost nothing: people mistype

    def __init__(self, first: float, longest: float, clock: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._accounts = _Failures(forgiven=600.0)
        self._addresses = _Failures(forgiven=600.0)
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()

    def delay(self, account: str | None, address: str) -> float:
        """Seconds to wait before this attempt is checked."""
        now = self._clock()
        delay = self._after(self._addresses.count(address, now))
        if account is not None and (account, address) not in self._good:
            delay = max(delay, self._after(self._accounts.count(account, now)))
        return delay

    def _after(self, failures: float) -> float:
        if failures <= self.SLIPS:
            return 0.0
        return float(min(self._longest, self._first * 2 ** min(failures - self.SLIPS - 1, 32)))

    def failed(self, account: str | None, address: str) -> None:
        """An attempt failed."""
        now = self._clock()
        self._addresses.add(address, now)
        if account is not None:
            self._accounts.add(account, now)

    def succeeded(self, account: str, address: str) -> None:
        """The owner logged in from here: this address is known to be theirs."""
        self._good[account, address] = None
        self._good.move_to_end((account, address))
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
