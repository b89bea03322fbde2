"""One-to-one messages between clients that acknowledge them, and have theirs acknowledged (XEP-0198)."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.run import Run
from bench.scenarios.chat import IN_FLIGHT, PAIRS, talk
from bench.scenarios.flow import rounds
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.site import Extras, Population
from bench.stanzas import MESSAGE

# The others know nothing of it.
SERVERS = ("commonroom", "prosody", "ejabberd")
ASK_AFTER = 10  # as in native/load.c


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All over TLS, so that what it adds can be seen beside the same without."""
    cases = {number: f"TLS, {number} in flight" for number in IN_FLIGHT}
    wanted = {number: case for number, case in cases.items() if options.wants(case)}
    if not wanted:
        return
    extras = Extras(managed=True)
    with run.servers(Population(2 * PAIRS), extras=extras) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for generator in generators:
            generator.message(MESSAGE)
            generator.manage()
            generator.login(2 * PAIRS)
        settle()
        for in_flight, case in wanted.items():
            talking = partial(talk, in_flight=in_flight)
            yield from rounds(run, options, case, zip(servers, generators, strict=True), talking)


MANAGED = Scenario(
    name="managed",
    title="Acknowledged messages",
    what=f"{PAIRS} pairs, as above, now with stream management (XEP-0198) and resumption on at both ends. "
    f"Each client answers whenever it is asked, and asks after {ASK_AFTER} messages. Nothing is archived. "
    "What our answers promise is on disk; what the others' promise is in memory.",
    figures=(
        Figure("cpu_us", "CPU µs per message", 1, bar=0.5, goal=0.3),
        Figure("per_second", "messages/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=SERVERS,
)
