"""Logins of clients that come back with a token (XEP-0388, XEP-0484), beside those by password."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench.run import Run
from bench.scenarios.login import AT_A_TIME, CLIENTS, log_in
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import OURS
from bench.site import Population

TRANSPORT = "direct"
PASSWORD, TOKEN = "SCRAM-SHA-1", "a token"
MECHANISMS = {PASSWORD: "SCRAM-SHA-1", TOKEN: "FAST"}


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All have been there before, when they got their tokens."""
    with run.servers(Population(CLIENTS)) as servers, ExitStack() as stack:
        for server in servers:
            generators = {
                case: stack.enter_context(run.generator(server, TRANSPORT, mechanism))
                for case, mechanism in MECHANISMS.items()
            }
            for generator in generators.values():
                generator.login(CLIENTS, AT_A_TIME)
                generator.drop(CLIENTS)
            settle()
            by_password: list[float] = []
            for number in range(options.rounds):
                for case, generator in generators.items():
                    meter = run.meter(server, generator)
                    figures = quietly(options, partial(log_in, meter, generator, CLIENTS, AT_A_TIME))
                    if case == PASSWORD:
                        by_password.append(figures["cpu_ms"])
                    figures["share"] = figures["cpu_ms"] / median(by_password)
                    yield Row(case, server.name, number, figures)


BY_TOKEN = Scenario(
    name="token",
    title="Logins by token",
    what=f"{CLIENTS} clients, {AT_A_TIME} at a time, over direct TLS, none of them for the first time: by "
    "SCRAM-SHA-1 as RFC 6120 has it, and by SASL2 with a token (FAST) and resource binding in the same "
    "request. Then a roster, presence and a ping, as above. No TLS session is resumed.",
    figures=(
        Figure("cpu_ms", "CPU ms per login", 2),
        Figure("share", "share of SCRAM-SHA-1's", 2),
        Figure("per_second", "logins/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=(OURS,),
)
