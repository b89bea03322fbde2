"""Reading an archive, a page at a time (XEP-0313)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from bench.generator import Generator, LoadFailed
from bench.meter import Meter
from bench.processes import wait_until
from bench.run import Run
from bench.scenarios.flow import rounds, watch
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import OURS, SQLITE_ARCHIVES
from bench.site import Extras, Population
from bench.stanzas import MESSAGE, page_after, page_from, page_last

MESSAGES = 20_000
PAGE = 50
IN_FLIGHT = 64  # while the archive is filled
FILL_SECONDS = 900.0  # on a disk; in memory a fortieth of that

LAST, MIDDLE = f"the last {PAGE}", f"{PAGE} in the middle"


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Two talk until both have so many messages; then one of them reads."""
    wanted = [case for case in (LAST, MIDDLE) if options.wants(case)]
    if not wanted:
        return
    with (
        run.servers(Population(2), extras=Extras(archived=True), in_memory=True) as servers,
        ExitStack() as stack,
    ):
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        run.say(f"{MESSAGES:,} messages are written to each archive")
        middles = fill(generators)
        settle(2)
        queries = [{LAST: page_last(PAGE), MIDDLE: _page_in_middle(*pair)} for pair in middles.items()]
        for case in wanted:
            wished = dict(zip(generators, (query[case] for query in queries), strict=True))
            pairs = zip(servers, generators, strict=True)
            yield from rounds(run, options, case, pairs, partial(_read, wished))


def fill(generators: Sequence[Generator]) -> dict[Generator, datetime]:
    """All at the same time; tells when each had half of it."""
    halves: dict[Generator, datetime] = {}
    for generator in generators:
        generator.message(MESSAGE)
        generator.login(2)
        generator.chat(1, IN_FLIGHT)
    waiting = list(generators)

    def is_full() -> bool:
        for generator in tuple(waiting):
            received = generator.count().received
            if received >= MESSAGES / 2:
                halves.setdefault(generator, datetime.now(UTC))
            if received >= MESSAGES:
                generator.stop()
                waiting.remove(generator)
        return not waiting

    wait_until(is_full, "the archives to be full", FILL_SECONDS)
    return {generator: halves[generator] for generator in generators}


def _page_in_middle(generator: Generator, half: datetime) -> str:
    """Asked for as clients do: by the id before it."""
    _ask(generator, page_from(half, 1))
    generator.stop()
    return page_after(generator.last(), PAGE)


def _ask(generator: Generator, query: str) -> None:
    generator.query(query)
    generator.pages(0, 1)


def _read(
    queries: Mapping[Generator, str], meter: Meter, generator: Generator, options: Options
) -> dict[str, float]:
    _ask(generator, queries[generator])
    figures = watch(meter, generator, options.warm_up, options.seconds)
    whole = generator.stop()
    if whole.results != PAGE * whole.received:
        raise LoadFailed(f"{whole.results} messages on {whole.received} pages")
    return {**figures, "cpu_ms": figures["cpu_us"] / 1000}


HISTORY = Scenario(
    name="history",
    title="Pages of an archive",
    what=f"An account has {MESSAGES:,} messages in its archive, from and to one other; its client asks for "
    f"{PAGE} of them as soon as it has those before: always the last ones, or those after an id in the "
    "middle. All are on SQLite, whose files are in memory, so that writing them waits for no disk.",
    figures=(
        Figure("cpu_ms", "CPU ms per page", 2),
        Figure("p50_ms", "p50 ms", 2),
        Figure("p99_ms", "p99 ms", 2),
        Figure("per_second", "pages/s"),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=(OURS, *SQLITE_ARCHIVES),
)
