"""What happens to the server and its clients, and when: all of it decided by a seed, before anything runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random


class Fault(Enum):
    """How a life of the server ends, or what it has to live through."""

    KILLED = "killed"
    BEFORE_COMMIT = "before"
    IN_COMMIT = "during"
    AFTER_COMMIT = "after"
    DATABASE_KILLED = "database"
    DISK_FULL = "disk"
    CUT = "cut"

    @property
    def is_in_commit(self) -> bool:
        """Whether the server is killed at a point inside of its commit."""
        return self in (Fault.BEFORE_COMMIT, Fault.IN_COMMIT, Fault.AFTER_COMMIT)


SHORTEST_LIFE = 0.4
LONGEST_LIFE = 2.5
COMMITS = 200  # small numbers are likelier
# Of all clients: who goes offline, and who loses the connection, in a life.
AWAY = 0.2
CUT = 0.15


@dataclass(frozen=True, slots=True)
class Absence:
    """A client that leaves, and comes back after a while, perhaps in another life."""

    account: int
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Life:
    """From a start of the server to its kill; all times are seconds from the first login."""

    end: Fault
    seconds: float  # until the kill from outside, which comes in any case
    commit: int  # the how many-th commit the server is killed in, if it is to be
    absences: tuple[Absence, ...]
    cuts: tuple[tuple[float, int], ...]  # moments and accounts
    hardship: Fault | None  # the database killed or the disk full, in the middle
    hardship_at: float
    hardship_seconds: float

    def __str__(self) -> str:
        end = f"{self.end.value} commit {self.commit}" if self.end.is_in_commit else self.end.value
        hardship = f", {self.hardship.value} at {self.hardship_at:.1f} s" if self.hardship else ""
        return f"{self.seconds:.1f} s, {end}{hardship}"


@dataclass(frozen=True, slots=True)
class Possible:
    """How often each end of a life is chosen, in proportion; and what else can happen, with its chance."""

    ends: Mapping[Fault, int]
    hardships: Mapping[Fault, float]


def lives(seed: int, kills: int, accounts: int, possible: Possible) -> Iterator[Life]:
    """The same for the same arguments."""
    random = Random(seed)
    ends, weights = list(possible.ends), list(possible.ends.values())
    for _ in range(kills):
        seconds = random.uniform(SHORTEST_LIFE, LONGEST_LIFE)
        [end] = random.choices(ends, weights)
        hardship = next(
            (fault for fault, chance in possible.hardships.items() if random.random() < chance), None
        )
        yield Life(
            end,
            seconds,
            round(COMMITS ** random.random()),
            tuple(_absences(random, seconds, accounts)),
            tuple(_cuts(random, seconds, accounts)),
            hardship,
            random.uniform(0.1, seconds),
            random.uniform(0.2, 1.5),
        )


def _absences(random: Random, seconds: float, accounts: int) -> Iterator[Absence]:
    for account in random.sample(range(accounts), round(accounts * AWAY)):
        yield Absence(account, random.uniform(0, seconds), random.uniform(0.3, 3.0))


def _cuts(random: Random, seconds: float, accounts: int) -> Iterator[tuple[float, int]]:
    for account in random.sample(range(accounts), round(accounts * CUT)):
        yield random.uniform(0, seconds), account
