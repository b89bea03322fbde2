"""Presence of one who has many contacts."""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.flow import rounds, watch
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import FLOOR
from bench.site import Population
from bench.stanzas import PRESENCE

CONTACTS = 200


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All contacts are online, each with one resource."""
    names = [name for name in run.names if name != FLOOR]
    with run.servers(Population.around(0, CONTACTS), names) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.presence(PRESENCE)
            generator.login(CONTACTS + 1)
        settle(2)
        pairs = zip(servers, generators, strict=True)
        yield from rounds(run, options, f"{CONTACTS} contacts", pairs, _update)


def _update(meter: Meter, generator: Generator, options: Options) -> dict[str, float]:
    generator.update(0, 1, CONTACTS)
    figures = watch(meter, generator, options.warm_up, options.seconds)
    generator.stop()
    return figures


PRESENCE_COPIES = Scenario(
    name="presence",
    title="Presence",
    what=f"One client with {CONTACTS} contacts, all online, changes its presence as soon as the last contact "
    "has the last change. Latency is that of a whole change.",
    figures=(
        Figure("cpu_us", "CPU µs per delivered copy", 1, bar=0.5, goal=0.3),
        Figure("per_second", "copies/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
