"""RFC 6120 §10.4.3: servers that could not be reached are left alone, longer with each failure."""

from collections.abc import Callable
from dataclasses import dataclass

from commonroom.core.questions import Timer
from commonroom.protocol.dialback import Pair
from commonroom.protocol.errors import StanzaError

# Domains that are left alone for a while, at most: of the oldest it is forgotten that they failed.
RESTING = 10_000


@dataclass(slots=True)
class _Rest:
    """A pair that is left alone until then. `error` is never raised itself: it would grow with each time."""

    until: float
    delay: float
    error: StanzaError


class Resting:
    """Of each pair until when, and why. Times in seconds: of the first rest, and of the longest."""

    def __init__(
        self,
        first: float,
        longest: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._random = random
        self._later = later
        self._rests: dict[Pair, _Rest] = {}
        self._is_forgetting = False

    def __len__(self) -> int:
        return len(self._rests)

    def check(self, pair: Pair) -> None:
        """Raises StanzaError, as for what was tried last, while the pair rests."""
        rest = self._rests.get(pair)
        if rest is not None and rest.until > self._clock():
            again = rest.error
            raise StanzaError(again.condition, again.kind, again.text)

    def left(self, pair: Pair) -> float:
        """In how many seconds it is tried again."""
        rest = self._rests.get(pair)
        return self._first if rest is None else max(0.0, rest.until - self._clock())

    def begin(self, pair: Pair, error: StanzaError) -> None:
        """It has failed, once more."""
        before = self._rests.pop(pair, None)
        delay = self._first if before is None else min(before.delay * 2, self._longest)
        until = self._clock() + delay * (0.75 + self._random() / 2)
        self._rests[pair] = _Rest(until, delay, error)
        if len(self._rests) > RESTING:
            del self._rests[next(iter(self._rests))]
        if not self._is_forgetting:
            self._is_forgetting = True
            self._later(self._longest, self._forget)

    def end(self, pair: Pair) -> None:
        """It works again."""
        self._rests.pop(pair, None)

    def _forget(self) -> None:
        """Who was not tried again for long is tried like anybody: they are in the order of their failures."""
        long_ago = self._clock() - self._longest
        for pair, rest in tuple(self._rests.items()):
            if rest.until > long_ago:
                break
            del self._rests[pair]
        self._is_forgetting = bool(self._rests)
        if self._is_forgetting:
            self._later(self._longest, self._forget)
