"""How many users a machine carries, by the kept figures and by assumptions that are written beside them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bench.results import Cases, cases_of
from bench.scenarios.idle import IDLE
from bench.scenarios.large_roster import LARGE_ROSTER
from bench.scenarios.presence import PRESENCE_COPIES
from bench.scenarios.rate import RATE
from bench.scenarios.reconnect import RECONNECT
from bench.scenarios.startup import STARTUP
from bench.servers.catalog import OURS
from commonroom.config import Settings

HOUR = 3600
# The rest is left free: for bursts, for the system and its cache of files, and for the minute in
# which everybody connects again.
CPU_USED = 0.5
MEMORY_USED = 0.5
KIB_OF_MIB, MIB_OF_GIB = 1024, 1024


class Habits(NamedTuple):
    """What one user does in the busiest hour."""

    devices: int = 2
    messages: int = 30
    stanzas: int = 4
    contacts: int = 30
    presences: int = 6
    logins: int = 5

    @property
    def deliveries(self) -> int:
        """Each stanza of a conversation reaches all of the other's devices and one's own others."""
        return self.messages * self.stanzas * (2 * self.devices - 1)

    @property
    def copies(self) -> int:
        """A login brings a presence to each contact and one from each; its end brings one to each."""
        return (self.presences + 3 * self.logins) * self.contacts * self.devices


class Costs(NamedTuple):
    """The dearest of the kept figures of each kind: ours."""

    message_us: float
    copy_us: float
    login_ms: float
    reconnect_ms: float
    connection_kib: float
    base_mib: float
    slowness: float  # of the core that this was measured on


class Machine(NamedTuple):
    """One process of the service uses one core, however many there are."""

    cores: int
    gib: int


MACHINES = (Machine(1, 1), Machine(2, 4), Machine(4, 8))


class Carried(NamedTuple):
    """Users who are online at the same time."""

    by_cpu: int
    by_memory: int

    @property
    def users(self) -> int:
        return min(self.by_cpu, self.by_memory)

    @property
    def first(self) -> str:
        """What limits first."""
        return "CPU" if self.by_cpu < self.by_memory else "memory"


def costs(summary: Mapping[str, Any]) -> Costs | None:
    """None if a scenario that is needed was not measured yet."""
    kinds = (
        (RATE, "cpu_us"),
        (PRESENCE_COPIES, "cpu_us"),
        (LARGE_ROSTER, "cpu_ms"),
        (RECONNECT, "cpu_ms"),
        (IDLE, "kib"),
        (STARTUP, "mib"),
        (RATE, "slowness"),
    )
    found = [_dearest(cases_of(summary.get(scenario.name)), key) for scenario, key in kinds]
    known = [value for value in found if value is not None]
    return Costs(*known) if len(known) == len(kinds) else None


def _dearest(cases: Cases, key: str) -> float | None:
    values = [servers[OURS][key].median for servers in cases.values() if key in servers.get(OURS, {})]
    return max(values, default=None)


def cpu_of_a_user(cost: Costs, habits: Habits) -> float:
    """The share of a core that one user takes in the busiest hour."""
    messages = habits.deliveries * cost.message_us / 1e6
    copies = habits.copies * cost.copy_us / 1e6
    return (messages + copies + habits.logins * cost.login_ms / 1000) / HOUR


def memory_of_a_user(cost: Costs, habits: Habits) -> float:
    """KiB."""
    return habits.devices * cost.connection_kib


def carried(machine: Machine, cost: Costs, habits: Habits) -> Carried:
    """Rounded down to two digits: more are not known."""
    free = max(0.0, machine.gib * MIB_OF_GIB * MEMORY_USED - cost.base_mib) * KIB_OF_MIB
    return Carried(
        _rounded(CPU_USED / cpu_of_a_user(cost, habits)), _rounded(free / memory_of_a_user(cost, habits))
    )


def _rounded(users: float) -> int:
    step = 10.0 ** max(0, math.floor(math.log10(max(users, 1))) - 1)
    return int(users // step * step)


def section(summary: Mapping[str, Any], habits: Habits | None = None) -> Iterator[str]:
    """The page's lines; none if not all is known."""
    cost = costs(summary)
    if cost is None:
        return
    habits = habits or Habits()
    yield "## How many users a machine carries"
    yield ""
    yield "An estimate from the tables below, at the busiest hour of a day. First what we assume of a user:"
    yield ""
    yield from _assumptions(habits)
    yield ""
    yield from _arithmetic(cost, habits)
    yield ""
    yield from _machines(cost, habits)
    yield ""


def _assumptions(habits: Habits) -> Iterator[str]:
    yield "| of each user who is online | assumed |"
    yield "|---|---:|"
    yield f"| devices connected, all day | {habits.devices} |"
    yield f"| messages sent an hour | {habits.messages} |"
    yield (
        "| stanzas for each of them: itself, typing, receipt, read; all copied to every device of both "
        f"| {habits.stanzas} |"
    )
    yield f"| contacts online, with as many devices each | {habits.contacts} |"
    yield f"| changes of presence an hour | {habits.presences} |"
    yield f"| logins an hour, each with a roster of 500 (phones that lose their network) | {habits.logins} |"


def _arithmetic(cost: Costs, habits: Habits) -> Iterator[str]:
    share = cpu_of_a_user(cost, habits)
    yield "Then what that costs, by our dearest figure of each kind:"
    yield ""
    yield "| an hour | CPU ms |"
    yield "|---|---:|"
    for words, count, each in (
        ("deliveries of a message, at the fixed rate", habits.deliveries, cost.message_us / 1000),
        ("copies of a presence", habits.copies, cost.copy_us / 1000),
        ("logins, with a roster of 500", habits.logins, cost.login_ms),
    ):
        yield f"| {count:,} {words}, {each:.4g} ms each | {count * each:.1f} |"
    yield f"| **one user** | **{share * HOUR * 1000:.1f}** |"
    yield ""
    yield (
        f"That is {100_000 * share:.1f} % of a core for 1,000 users: of one on which the probe's loop takes "
        f"1 ms; here it took {cost.slowness:.2f} ms. In memory a user is {habits.devices} × "
        f"{cost.connection_kib:.1f} KiB = {memory_of_a_user(cost, habits):.0f} KiB, and the service without "
        f"anybody {cost.base_mib:.0f} MiB."
    )


def _machines(cost: Costs, habits: Habits) -> Iterator[str]:
    yield (
        f"At most {100 * CPU_USED:.0f} % of **one** core may be used, because one process uses one core: the "
        "others are for the database, the system and backups. And at most "
        f"{100 * MEMORY_USED:.0f} % of the memory. What is left is for bursts, for clients that are just "
        "talking and hold some KiB more, and for what these figures are not about: rooms, archives, uploads, "
        "federation."
    )
    yield ""
    yield "| machine | users by CPU | users by memory | users online | limited by | all in after a restart |"
    yield "|---|---:|---:|---:|---|---:|"
    for machine in MACHINES:
        found = carried(machine, cost, habits)
        again = found.users * habits.devices * cost.reconnect_ms / 1000
        cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
        yield (
            f"| {cores}, {machine.gib} GiB | {found.by_cpu:,} | {found.by_memory:,} | **{found.users:,}** "
            f"| {found.first} | {again:.0f} s |"
        )
    yield ""
    yield (
        "The last column is the work alone, on a whole core. For more than "
        f"{Settings().c2s.connections:,} connections raise `c2s.connections`, and the limit on open files."
    )
