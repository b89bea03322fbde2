"""Memory of clients that are there and say nothing."""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.run import Run
from bench.scenarios.scenario import Figure, Options, Row, Scenario, settle
from bench.site import Population

FIRST = 100  # make the server load what it loads late, and stay
CLIENTS = 1000
AT_A_TIME = 16
EARLY, LATE = 20.0, 140.0  # seconds of silence; servers tidy up meanwhile
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Each round with servers that were just started."""
    for number in range(options.rounds):
        with run.servers(Population(FIRST + CLIENTS)) as servers, ExitStack() as stack:
            generators = [stack.enter_context(run.generator(server)) for server in servers]
            for generator in generators:
                generator.login(FIRST, AT_A_TIME)
            settle(EARLY / 2)
            before = [server.processes.memory() for server in servers]
            for generator in generators:
                generator.login(CLIENTS, AT_A_TIME, FIRST)
            for case, seconds in ((f"after {EARLY:g} s", EARLY), (f"after {LATE:g} s", LATE - EARLY)):
                settle(seconds)
                for server, first in zip(servers, before, strict=True):
                    yield Row(case, server.name, number, _figures(first, server.processes.memory()))


def _figures(first: int, now: int) -> dict[str, float]:
    return {"kib": (now - first) / CLIENTS, "before_mib": first / MIB, "after_mib": now / MIB}


IDLE = Scenario(
    name="idle",
    title="Idle connections",
    what=f"{CLIENTS:,} clients log in over STARTTLS, send presence, and are silent. Memory is the kernel's "
    f"Pss of all processes, less what it was with {FIRST} clients before.",
    figures=(
        Figure("kib", "KiB per connection", 1),
        Figure("before_mib", f"MiB with {FIRST}", 1),
        Figure("after_mib", f"MiB with {FIRST + CLIENTS:,}", 1),
    ),
    measure=measure,
    bar=0.5,
    goal=0.4,
)
