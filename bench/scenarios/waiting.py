"""Memory of sessions that wait for clients whose connections were cut (XEP-0198)."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from bench.generator import Generator
from bench.run import Run
from bench.scenarios.idle import silence
from bench.scenarios.managed import SERVERS
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, settle
from bench.servers.server import Server
from bench.site import Extras, Population

SESSIONS = 1000
AT_A_TIME = 16
REST = 10.0  # seconds in which a server notices, and tidies up, before its memory is read
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """In each round as many more, on top of those of the rounds before; all wait to the end.

    The first ones are not counted: a server keeps the room in which their connections were.
    """
    case = f"{SESSIONS:,} sessions"
    if not options.wants(case):
        return
    population = Population(SESSIONS * (options.rounds + 1))
    with run.servers(population, extras=Extras(managed=True)) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.manage()
            come_and_be_cut(generator, 0)
        settle(REST)
        before = [server.processes.memory() for server in servers]
        for number in range(options.rounds):
            found = list(_one_round(run, servers, generators, number + 1, before))
            for server, figures in zip(servers, found, strict=True):
                yield Row(case, server.name, number, figures)
            before = [server.processes.memory() for server in servers]


def come_and_be_cut(generator: Generator, turn: int) -> None:
    """Sockets are closed; no stream is, so the sessions remain."""
    generator.login(SESSIONS, AT_A_TIME, turn * SESSIONS)
    generator.drop(SESSIONS, turn * SESSIONS)


def _one_round(
    run: Run, servers: Sequence[Server], generators: Sequence[Generator], turn: int, before: Sequence[int]
) -> Iterator[dict[str, float]]:
    """All rest at the same time."""
    for generator in generators:
        come_and_be_cut(generator, turn)
    windows = silence(run, servers, generators, REST)
    for server, kib, window in zip(servers, before, windows, strict=True):
        after = server.processes.memory()
        yield {
            "kib": (after - kib) / SESSIONS,
            "before_mib": kib / MIB,
            "after_mib": after / MIB,
            "generator_percent": 100 * window.generator,
        }


WAITING = Scenario(
    name="waiting",
    title="Sessions that wait",
    what=f"{SESSIONS:,} clients log in, turn on stream management with resumption, and lose their "
    "connections; their sessions wait for them. No message comes meanwhile. Memory is Pss "
    f"{REST:g} s later, less what it was before; as many waited then.",
    figures=(
        Figure("kib", "KiB per session", 1),
        Figure("before_mib", "MiB before", 1),
        Figure("after_mib", "MiB with all", 1),
        GENERATOR,
    ),
    measure=measure,
    servers=SERVERS,
)
