"""What a scenario is: it takes a run and some options, and gives rows of figures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bench.run import Run
from bench.servers.catalog import ALL


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how often; `seconds` of one measurement.

    Others may work on the same machine. A measurement during which they had more than a tenth of the server's
    core is made again, up to `tries` times; the one that they disturbed least counts.
    """

    rounds: int = 3
    seconds: float = 3.0
    warm_up: float = 1.0
    tries: int = 3
    cases: str = ""  # only those whose name has this in it
    sessions: int = 200_000  # of a day's churn

    def wants(self, case: str) -> bool:
        """Whether to measure it."""
        return self.cases in case


class Row(NamedTuple):
    """One measurement of one server: in which case, in which round, and what came out."""

    case: str
    server: str
    round: int
    figures: dict[str, float]


class Figure(NamedTuple):
    """A column of results: its key in `figures`, what tables call it, and how many digits matter.

    `bar` and `goal` are shares of the best peer's; `most` is what ours may have, whatever peers have.
    """

    key: str
    title: str
    digits: int = 0
    bar: float | None = None
    goal: float | None = None
    most: float | None = None


# What every table tells of the cores where something was going on.
GENERATOR = Figure("generator_percent", "generator's core %")
OTHERS = Figure("others_percent", "others on the server's core %")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`servers` are those that are measured unless others are named; `once`: rounds make no difference."""

    name: str
    title: str
    what: str
    figures: tuple[Figure, ...]
    measure: Callable[[Run, Options], Iterator[Row]]
    servers: tuple[str, ...] = ALL
    once: bool = False

    @property
    def compared(self) -> tuple[Figure, ...]:
        """By what ours is compared with peers: where there is a bar, else by the first figure."""
        return tuple(figure for figure in self.figures if figure.bar is not None) or self.figures[:1]

    @property
    def limited(self) -> tuple[Figure, ...]:
        """What ours may have only so much of."""
        return tuple(figure for figure in self.figures if figure.most is not None)


QUIET_PERCENT = 10.0  # of the core


def quietly(options: Options, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Measure when others leave the server alone: what came out plays no part in the choice."""
    best = measure()
    for _ in range(options.tries - 1):
        if best["others_percent"] <= QUIET_PERCENT:
            break
        best = min(best, measure(), key=lambda figures: figures["others_percent"])
    return best


def settle(seconds: float = 1.0) -> None:
    """Let servers finish what they do behind a login."""
    time.sleep(seconds)
