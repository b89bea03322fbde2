"""RFC 6120 §13.12: how much another server may send: one measure for a domain, whatever its streams."""

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import NamedTuple

# Domains whose measure is remembered, whether they are connected or not.
REMEMBERED = 10_000


class Rate(NamedTuple):
    """What may come each second in the long run, and at once: stanzas, and bytes."""

    stanzas: float = inf
    stanza_burst: float = inf
    size: float = inf
    byte_burst: float = inf


class Allowance:
    """What may still come. Whoever reads takes from `stanzas` and `size`, and calls `wait` below 0."""

    __slots__ = ("_filled", "_rate", "size", "stanzas")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._filled = now
        self.stanzas = rate.stanza_burst
        self.size = rate.byte_burst

    def wait(self, now: float) -> float:
        """How many seconds nothing more should be read."""
        rate, passed = self._rate, now - self._filled
        self._filled = now
        self.stanzas = min(rate.stanza_burst, self.stanzas + passed * rate.stanzas)
        self.size = min(rate.byte_burst, self.size + passed * rate.size)
        return max(0.0, -self.stanzas / rate.stanzas, -self.size / rate.size)


class Allowances:
    """Those of domains that have shown who they are; `rate` is what one may use."""

    def __init__(self, rate: Callable[[str], Rate], clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._of: OrderedDict[str, Allowance] = OrderedDict()

    def of(self, domain: str) -> Allowance:
        """The same for all its streams, also for one that comes soon after another."""
        found = self._of.get(domain)
        if found is None:
            found = self._of[domain] = Allowance(self._rate(domain), self._clock())
            if len(self._of) > REMEMBERED:
                self._of.popitem(last=False)
        else:
            self._of.move_to_end(domain)
        return found
