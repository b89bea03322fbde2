"""Memory of clients that are there and say nothing."""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.run import Run
from bench.scenarios.scenario import Figure, Options, Row, Scenario, settle
from bench.site import Population

FIRST = 100  # make the server load what it loads late, and stay
CLIENTS = 1000
AT_A_TIME = 16
QUIET_SECONDS = 20.0
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Each round with servers that were just started."""
    for number in range(options.rounds):
        with run.servers(Population(FIRST + CLIENTS)) as servers, ExitStack() as stack:
            generators = [stack.enter_context(run.generator(server)) for server in servers]
            for generator in generators:
                generator.login(FIRST, AT_A_TIME)
            settle(QUIET_SECONDS / 2)
            before = [server.processes.memory() for server in servers]
            for generator in generators:
                generator.login(CLIENTS, AT_A_TIME, FIRST)
            settle(QUIET_SECONDS)
            for server, early in zip(servers, before, strict=True):
                late = server.processes.memory()
                figures = {
                    "kib": (late - early) / CLIENTS,
                    "before_mib": early / MIB,
                    "after_mib": late / MIB,
                }
                yield Row("TLS, with presence", server.name, number, figures)


IDLE = Scenario(
    name="idle",
    title="Idle connections",
    what=f"{CLIENTS:,} clients log in over STARTTLS, send presence, and are silent. Memory is the kernel's "
    f"Pss of all processes, {QUIET_SECONDS:g} s later, less what it was with {FIRST} clients before.",
    figures=(
        Figure("kib", "KiB per connection", 1),
        Figure("before_mib", f"MiB with {FIRST}", 1),
        Figure("after_mib", f"MiB with {FIRST + CLIENTS:,}", 1),
    ),
    measure=measure,
    bar=0.5,
    goal=0.4,
)
