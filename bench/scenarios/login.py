"""Logins, each a connection of its own: TLS without resumption, SASL, bind, roster, presence."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.server import Server
from bench.site import Population

CLIENTS = 300
AT_A_TIME = 8
WARM_UP = 40


class Way(NamedTuple):
    """How clients get in."""

    case: str
    transport: str
    mechanism: str


WAYS = (
    Way("STARTTLS, SCRAM-SHA-1", "starttls", "SCRAM-SHA-1"),
    Way("direct TLS, SCRAM-SHA-1", "direct", "SCRAM-SHA-1"),
    Way("STARTTLS, PLAIN", "starttls", "PLAIN"),
    Way("direct TLS, PLAIN", "direct", "PLAIN"),
)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """The relay shows what the handshake alone costs."""
    with run.servers(Population(WARM_UP + CLIENTS * options.rounds * len(WAYS))) as servers:
        for position, way in enumerate(WAYS):
            able = [server for server in servers if way.mechanism in server.mechanisms]
            if options.wants(way.case):
                first = WARM_UP + CLIENTS * options.rounds * position
                yield from _measure_way(run, options, able, way, first)


def _measure_way(run: Run, options: Options, servers: list[Server], way: Way, first: int) -> Iterator[Row]:
    """In each round other accounts, from `first` on: what servers remember of them is no help."""
    with ExitStack() as stack:
        generators = [
            stack.enter_context(run.generator(server, way.transport, way.mechanism)) for server in servers
        ]
        for generator in generators:
            generator.login(WARM_UP, AT_A_TIME)
            generator.drop(WARM_UP)
        settle()
        for number in range(options.rounds):
            for server, generator in zip(servers, generators, strict=True):
                meter = run.meter(server, generator)
                begin = first + number * CLIENTS
                once = partial(log_in, meter, generator, CLIENTS, AT_A_TIME, begin)
                yield Row(way.case, server.name, number, quietly(options, once))


def log_in(
    meter: Meter, generator: Generator, clients: int, at_a_time: int, first: int = 0
) -> dict[str, float]:
    """What that costs; their leaving is not counted."""
    meter.begin()
    done = generator.login(clients, at_a_time, first)
    window = meter.end()
    generator.drop(clients, first)
    settle(1 + clients / 500)
    return {
        "cpu_ms": 1000 * window.cpu / clients,
        "raw_cpu_ms": 1000 * window.raw_cpu / clients,
        "per_second": clients / done.seconds,
        "p50_ms": 1000 * (done.p50 or 0),
        "p99_ms": 1000 * (done.p99 or 0),
        **window.figures(),
    }


LOGIN = Scenario(
    name="login",
    title="Logins",
    what=f"{CLIENTS} clients, {AT_A_TIME} at a time, ask for an empty roster and send presence; the answer "
    "to a ping tells that all was handled. Each account logs in for the first time since the server started, "
    "and no TLS session is resumed. The relay does the handshake only. jabberd2 compares passwords in the "
    "clear where others must hash them, so with PLAIN it does not do the same.",
    figures=(
        Figure("cpu_ms", "CPU ms per login", 2, bar=0.7, goal=0.4),
        Figure("per_second", "logins/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
