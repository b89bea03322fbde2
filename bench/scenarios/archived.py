"""One-to-one messages that are kept in the archives of both (XEP-0313)."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from bench.run import Run
from bench.scenarios.chat import PAIRS, talk
from bench.scenarios.flow import Measured, rounds
from bench.scenarios.rate import talk_at_rate
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import CHEAPEST_ARCHIVES, COMPARED, OURS, SQLITE_ARCHIVES
from bench.site import Extras, Population
from bench.stanzas import MESSAGE

# Messages a second: what all keep up with that need not wait for the disk, and what ours is to do.
SLOW, FAST = 500, 2000


class Case(NamedTuple):
    """How they talk."""

    words: str
    talk: Measured
    without: tuple[str, ...] = ()


CASES = (
    Case("TLS, 1 in flight", partial(talk, in_flight=1)),
    Case(f"{SLOW:,} messages/s", partial(talk_at_rate, per_second=SLOW), SQLITE_ARCHIVES),
    Case(f"{FAST:,} messages/s, ours alone", partial(talk_at_rate, per_second=FAST), COMPARED),
)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Each server on each storage that it has here."""
    wanted = [case for case in CASES if options.wants(case.words)]
    if not wanted:
        return
    extras = Extras(archived=True)
    with run.servers(Population(2 * PAIRS), extras=extras) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.message(MESSAGE)
            generator.login(2 * PAIRS)
        settle()
        pairs = list(zip(servers, generators, strict=True))
        for case in wanted:
            able = [pair for pair in pairs if pair[0].name not in case.without]
            yield from rounds(run, options, case.words, able, case.talk)


ARCHIVED = Scenario(
    name="archived",
    title="Archived messages",
    what=f"{PAIRS} pairs, whose messages are all kept in the archives of sender and recipient. Ours are in "
    "SQLite, and on disk before the message is delivered. Prosody's files and ejabberd's Mnesia are written "
    "without waiting for the disk: what they delivered can be lost. On SQLite, each of their rows is a "
    "commit of its own, and a core is idle most of the time: they keep up with no fixed rate worth the name.",
    figures=(
        Figure("cpu_us", "CPU µs per message", 1, bar=0.4, goal=0.25),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        Figure("per_second", "messages/s"),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=(OURS, *CHEAPEST_ARCHIVES, *SQLITE_ARCHIVES),
)
