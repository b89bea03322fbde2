"""Memory of clients that are there and say nothing."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from bench.generator import Generator
from bench.limits import connections, raise_open_files
from bench.meter import Window
from bench.run import Run
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import OURS
from bench.servers.server import Server
from bench.site import Population

FIRST = 100  # make the server load what it loads late, and stay
MOST = 20_000  # of ours alone: a generator or a peer of this size leaves no room for the others
AT_A_TIME = 16
AT_ONCE = 1000  # clients in one command to the generator
EARLY, LATE = 20, 140  # seconds of silence; servers tidy up meanwhile
MIB = 1024


class Step(NamedTuple):
    """So many clients, silent for so long."""

    clients: int
    seconds: int
    alone: bool = False

    @property
    def case(self) -> str:
        return f"{self.clients:,} clients{', ours alone' if self.alone else ''}, after {self.seconds} s"


STEPS = (Step(1000, EARLY), Step(5000, EARLY), Step(5000, LATE))


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Each round with servers that were just started."""
    files = raise_open_files()
    wanted = [step for step in STEPS if options.wants(step.case)]
    for number in range(options.rounds if wanted else 0):
        yield from _measure_steps(run, run.names, wanted, number)
    most = connections(MOST, files)
    large = [step for step in (Step(most, EARLY, True), Step(most, LATE, True)) if options.wants(step.case)]
    if OURS in run.names and large:
        yield from _measure_steps(run, [OURS], large, 0)


def _measure_steps(run: Run, names: Sequence[str], steps: Sequence[Step], number: int) -> Iterator[Row]:
    with run.servers(Population(FIRST + steps[-1].clients), names) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.login(FIRST, AT_A_TIME)
        settle(EARLY / 2)
        before = [server.processes.memory() for server in servers]
        here = waited = 0
        for step in steps:
            if step.clients > here:
                _arrive(run, generators, FIRST + here, FIRST + step.clients)
                here, waited = step.clients, 0
            windows = silence(run, servers, generators, step.seconds - waited)
            waited = step.seconds
            for server, first, window in zip(servers, before, windows, strict=True):
                figures = _figures(first, server.processes.memory(), here, window)
                yield Row(step.case, server.name, number, figures)


def _arrive(run: Run, generators: Sequence[Generator], first: int, last: int) -> None:
    run.say(f"{last - first:,} clients more log in")
    for generator in generators:
        for begin in range(first, last, AT_ONCE):
            generator.login(min(AT_ONCE, last - begin), AT_A_TIME, begin)


def silence(
    run: Run, servers: Sequence[Server], generators: Sequence[Generator], seconds: float
) -> list[Window]:
    """What each did in the meantime."""
    meters = [run.meter(server, generator) for server, generator in zip(servers, generators, strict=True)]
    for meter in meters:
        meter.begin()
    settle(seconds)
    return [meter.end() for meter in meters]


def _figures(first: int, now: int, clients: int, window: Window) -> dict[str, float]:
    return {
        "kib": (now - first) / clients,
        "before_mib": first / MIB,
        "after_mib": now / MIB,
        "server_percent": 100 * window.raw_cpu / window.seconds,
        "generator_percent": 100 * window.generator,
    }


IDLE = Scenario(
    name="idle",
    title="Idle connections",
    what="Clients log in over STARTTLS, send presence, and are silent. Memory is the kernel's Pss of all "
    f"processes, less what it was with {FIRST} clients before. {MOST:,} connections, or as many as the "
    "system lets one process open, are measured with ours alone, once. The cores' load is that while all are "
    "silent.",
    figures=(
        Figure("kib", "KiB per connection", 1, bar=0.5, goal=0.4),
        Figure("before_mib", f"MiB with {FIRST}", 1),
        Figure("after_mib", "MiB with all", 1),
        Figure("server_percent", "server's core %", 2),
        GENERATOR,
    ),
    measure=measure,
)
