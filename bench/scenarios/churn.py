"""Clients that come and go: what they leave behind."""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.generator import Generator
from bench.run import Run
from bench.scenarios.scenario import Figure, Options, Row, Scenario, settle
from bench.servers.catalog import FLOOR
from bench.site import Population

ACCOUNTS = 2000
CLIENTS = 200
AT_A_TIME = 16
TURNS = 10  # so that each account comes once
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """A round is every account once; the round before the first fills caches."""
    names = [name for name in run.names if name != FLOOR]
    with run.servers(Population(ACCOUNTS), names) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        before: dict[str, int] = {}
        for number in range(-2, options.rounds):
            for server, generator in zip(servers, generators, strict=True):
                _come_and_go(generator)
                settle(2)
                memory = server.processes.memory()
                if number >= 0:
                    grown = (memory - before[server.name]) / (CLIENTS * TURNS)
                    yield Row("TLS", server.name, number, {"kib": grown, "mib": memory / MIB})
                before[server.name] = memory


def _come_and_go(generator: Generator) -> None:
    for turn in range(TURNS):
        generator.login(CLIENTS, AT_A_TIME, turn * CLIENTS)
        (generator.logout if turn % 2 else generator.drop)(CLIENTS, turn * CLIENTS)


CHURN = Scenario(
    name="churn",
    title="Coming and going",
    what=f"Each of {ACCOUNTS:,} accounts logs in and leaves once in a round, {CLIENTS} at a time, half of "
    "them without a word. What the server has grown by in a round, after two that are not counted.",
    figures=(
        Figure("kib", "KiB grown per session", 2),
        Figure("mib", "MiB", 1),
    ),
    measure=measure,
)
