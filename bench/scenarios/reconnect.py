"""Everybody at once, as after a restart or a broken network."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.run import Run
from bench.scenarios.login import log_in
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import FLOOR
from bench.site import Population

CLIENTS = 1000


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Only servers that know SCRAM: what costs time then is not the same with passwords in the clear."""
    names = [name for name in run.names if name not in (FLOOR, "jabberd2")]
    with run.servers(Population(CLIENTS), names) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.login(50)
            generator.drop(50)
        settle()
        for number in range(options.rounds):
            for server, generator in zip(servers, generators, strict=True):
                once = partial(log_in, run.meter(server, generator), generator, CLIENTS, CLIENTS)
                figures = quietly(options, once)
                figures["cpu_s"] = figures["cpu_ms"] * CLIENTS / 1000
                figures["longest_s"] = CLIENTS / figures["per_second"]
                yield Row(f"{CLIENTS:,} clients", server.name, number, figures)


RECONNECT = Scenario(
    name="reconnect",
    title="Everybody at once",
    what=f"{CLIENTS:,} clients connect in the same moment and log in over STARTTLS with SCRAM-SHA-1.",
    figures=(
        Figure("cpu_s", "CPU s", 2, bar=0.6, goal=0.4),
        Figure("longest_s", "s until the last is in", 2),
        Figure("p50_ms", "p50 ms"),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
