"""One-to-one messages: pairs that answer each other as fast as the server lets them."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.flow import rounds, watch
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.servers.server import Server
from bench.site import Population
from bench.stanzas import MESSAGE

PAIRS = 50
IN_FLIGHT = (1, 8)
CASES = (("TLS", "starttls"), ("in the clear", "plain"))


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All servers, over TLS and in the clear."""
    with run.servers(Population(2 * PAIRS)) as servers:
        for words, transport in CASES:
            cases = {in_flight: f"{words}, {in_flight} in flight" for in_flight in IN_FLIGHT}
            wanted = {number: case for number, case in cases.items() if options.wants(case)}
            if wanted:
                yield from _measure_over(run, options, servers, wanted, transport)


def _measure_over(
    run: Run, options: Options, servers: list[Server], cases: dict[int, str], transport: str
) -> Iterator[Row]:
    with ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server, transport)) for server in servers]
        for server, generator in zip(servers, generators, strict=True):
            run.say(f"{server.name}: {2 * PAIRS} clients log in ({transport})")
            generator.message(MESSAGE)
            generator.login(2 * PAIRS)
        settle()
        for in_flight, case in cases.items():
            talking = partial(talk, in_flight=in_flight)
            yield from rounds(run, options, case, zip(servers, generators, strict=True), talking)


def talk(meter: Meter, generator: Generator, options: Options, in_flight: int) -> dict[str, float]:
    """As fast as the server lets them, until `seconds` have passed."""
    generator.chat(PAIRS, in_flight)
    figures = watch(meter, generator, options.warm_up, options.seconds)
    generator.stop()
    return figures


CHAT = Scenario(
    name="chat",
    title="One-to-one messages",
    what=f"{PAIRS} pairs; who gets a message answers it. Each message has a body, a chat state, a receipt "
    "request and an origin id, and goes to a bare address.",
    figures=(
        Figure("cpu_us", "CPU µs per message", 1, bar=0.6, goal=0.4),
        Figure("per_second", "messages/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
