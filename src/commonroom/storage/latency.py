"""How long something takes, counted in buckets; one thread observes, others may look."""

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the longest that each bucket counts; what takes longer is in one more."""


class Latency:
    """All since the start, and the worst since somebody last asked for it."""

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.worst = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds
        if seconds > self.worst:
            self.worst = seconds

    def take_worst(self) -> float:
        """The worst since the last call."""
        worst, self.worst = self.worst, 0.0
        return worst
