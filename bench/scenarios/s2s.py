"""One-to-one messages over the border of two domains: two servers of each kind, which find each other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.generator import Generator
from bench.run import Run
from bench.scenarios.chat import IN_FLIGHT, PAIRS, talk
from bench.scenarios.flow import rounds
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import OURS
from bench.servers.couple import Couple
from bench.site import FAR_DOMAIN, Population
from bench.stanzas import MESSAGE

SERVERS = (OURS, "prosody", "ejabberd")


def measure(run: Run, options: Options) -> Iterator[Row]:
    """All couples."""
    cases = {number: f"TLS, {number} in flight" for number in IN_FLIGHT}
    wanted = {number: case for number, case in cases.items() if options.wants(case)}
    if not wanted:
        return
    with run.couples(Population(2 * PAIRS)) as couples, ExitStack() as stack:
        generators = [stack.enter_context(_people(run, couple)) for couple in couples]
        settle()
        for in_flight, case in wanted.items():
            talking = partial(talk, in_flight=in_flight)
            yield from rounds(run, options, case, zip(couples, generators, strict=True), talking)


@contextmanager
def _people(run: Run, couple: Couple) -> Iterator[Generator]:
    """On both sides, and online."""
    with run.generator(couple.near) as generator:
        run.say(f"{couple.name}: {2 * PAIRS} clients log in")
        generator.far(couple.far.door(), FAR_DOMAIN)
        generator.message(MESSAGE)
        generator.login(2 * PAIRS)
        yield generator


S2S = Scenario(
    name="s2s",
    title="Messages between two servers",
    what=f"{PAIRS} pairs as above, but one of each pair is at another server of the same kind, with a domain "
    "of its own, on the same core: CPU is that of both. They find each other by DNS, over TLS, and accept "
    "only certificates of an authority of the bench. As they come, ours and Prosody acknowledge what they "
    "get (XEP-0198), and ejabberd does not.",
    figures=(
        Figure("cpu_us", "CPU µs per message", 1, bar=0.6, goal=0.4),
        Figure("per_second", "messages/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=SERVERS,
)
