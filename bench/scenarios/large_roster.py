"""Logins of people with many contacts."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.run import Run
from bench.scenarios.login import log_in
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import FLOOR
from bench.site import Population

CLIENTS = 40
CONTACTS = 500
AT_A_TIME = 4


def population() -> Population:
    """Each of the clients has all of the contacts, and each of those has all of the clients."""
    clients = tuple(range(CLIENTS))
    contacts = tuple(range(CLIENTS, CLIENTS + CONTACTS))
    friends = dict.fromkeys(clients, contacts) | dict.fromkeys(contacts, clients)
    return Population(CLIENTS + CONTACTS, friends)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """None of the contacts is online."""
    names = [name for name in run.names if name != FLOOR]
    with run.servers(population(), names) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.login(CLIENTS, AT_A_TIME)
            generator.drop(CLIENTS)
        settle(3)
        for number in range(options.rounds):
            for server, generator in zip(servers, generators, strict=True):
                once = partial(log_in, run.meter(server, generator), generator, CLIENTS, AT_A_TIME)
                yield Row(f"{CONTACTS} contacts", server.name, number, quietly(options, once))


LARGE_ROSTER = Scenario(
    name="large-roster",
    title="Logins with many contacts",
    what=f"{CLIENTS} clients with {CONTACTS} contacts each, who are offline, log in, {AT_A_TIME} at a time, "
    "not for the first time since the server started.",
    figures=(
        Figure("cpu_ms", "CPU ms per login", 1),
        Figure("per_second", "logins/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
)
