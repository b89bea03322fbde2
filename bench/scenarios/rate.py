"""Messages at a fixed rate that every server can keep up with: what a user waits, and what that costs."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.flow import rounds, watch
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.site import Population
from bench.stanzas import MESSAGE

PAIRS = 50
PER_SECOND = 2000
# A p99 needs more messages than a mean.
LONGER = 2


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All servers over TLS."""
    with run.servers(Population(2 * PAIRS)) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.message(MESSAGE)
            generator.login(2 * PAIRS)
        settle()
        pairs = zip(servers, generators, strict=True)
        talking = partial(talk_at_rate, per_second=PER_SECOND)
        yield from rounds(run, options, f"{PER_SECOND:,} messages/s", pairs, talking)


def talk_at_rate(meter: Meter, generator: Generator, options: Options, per_second: int) -> dict[str, float]:
    """So many messages, whatever comes back."""
    generator.rate(PAIRS, per_second)
    figures = watch(meter, generator, options.warm_up, options.seconds * LONGER)
    generator.stop()
    return figures


RATE = Scenario(
    name="rate",
    title="A fixed rate",
    what=f"{PER_SECOND:,} messages a second, spread over {2 * PAIRS} clients, whatever comes back. Latency "
    "counts from when a message was due, not from when it could be sent.",
    figures=(
        Figure("cpu_us", "CPU µs per message", 1, bar=0.6, goal=0.4),
        Figure("p50_ms", "p50 ms", 2),
        Figure("p99_ms", "p99 ms", 2, bar=1.0, goal=0.7),
        Figure("longest_ms", "longest ms", 1),
        Figure("per_second", "messages/s"),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
