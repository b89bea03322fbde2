"""What a server keeps of other domains that it is not talking with."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.generator import Generator
from bench.run import Run
from bench.scenarios.idle import MIB
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import ANYBODY, OURS
from bench.servers.server import Server
from bench.site import FAR_DOMAIN, Population

DOMAINS = 10_000
FIRST = 200  # make the server load what it loads late, and stay
IDLE_TIMEOUT = "10s"  # of a connection
QUIET = 0.02  # of a core: nothing is going on
STEP = 1.0
LONGEST = 120.0  # seconds until it is quiet
SILENCE = 60.0
# Nobody answers a headline to an account that there is not, so the far side has nothing to send.
MESSAGE = (
    "<message to='nobody@{domain}' type='headline' id='{domain}'><body>Is anybody there?</body></message>"
)


@dataclass(frozen=True, slots=True)
class Case:
    """Domains of one kind. `are_there`: they have a server, which is one of ours.

    So many are talked with each second: with more, what stays is room that was needed at once.
    """

    words: str
    are_there: bool
    per_second: int
    seconds: float  # of quiet, after which nothing is open or being tried any more

    @property
    def title(self) -> str:
        return f"{DOMAINS:,} domains {self.words}"

    def batches(self) -> list[list[str]]:
        """A few, so many, and as many others; all below one domain."""
        below = FAR_DOMAIN if self.are_there else f"nowhere.{FAR_DOMAIN}"
        return [
            [f"d{batch}-{number}.{below}" for number in range(count)]
            for batch, count in enumerate((FIRST, DOMAINS, DOMAINS))
        ]


ABSENT = Case("that do not exist", are_there=False, per_second=500, seconds=4)
TALKED_WITH = Case("talked with once", are_there=True, per_second=100, seconds=16)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Each with servers that were just started, one after the other."""
    for case in (ABSENT, TALKED_WITH):
        for number in range(options.rounds if options.wants(case.title) else 0):
            for name in run.names:
                yield Row(case.title, name, number, _measured(run, name, case))


def _measured(run: Run, name: str, case: Case) -> dict[str, float]:
    with _servers(run, name, case) as server, run.generator(server) as generator:
        meter = run.meter(server, generator)
        generator.login(1)
        memory: list[int] = []
        for domains in case.batches():
            run.say(f"{name}: {len(domains):,} domains {case.words}")
            meter.begin()
            _talk(generator, domains, case.per_second)
            _await_quiet(server, generator, case.seconds)
            cpu = meter.end().cpu
            memory.append(server.processes.own_memory())
        meter.begin()
        settle(SILENCE)
        window = meter.end()
        return {
            "kib": (memory[1] - memory[0]) / DOMAINS,
            "more_kib": (memory[2] - memory[1]) / DOMAINS,
            "after_mib": memory[2] / MIB,
            "cpu_ms": 1000 * cpu / DOMAINS,
            "idle_cpu_ms": 1000 * window.cpu * 60 / window.seconds,
            "generator_percent": 100 * window.generator,
        }


@contextmanager
def _servers(run: Run, name: str, case: Case) -> Iterator[Server]:
    """The one that is measured, and if there is to be one, that of all other domains."""
    with run.network() as network, ExitStack() as stack:
        near = run.federated(name, Population(1), network, idle_timeout=IDLE_TIMEOUT)
        servers = [near]
        if case.are_there:
            below = tuple(domain for domains in case.batches() for domain in domains)
            servers.append(run.federated(ANYBODY, Population(0, domain=FAR_DOMAIN), network, below))
        for server in servers:
            run.say(f"starting {server.name} for {server.site.domain}")
            stack.callback(server.stop)
            server.start()
        yield near


def _talk(generator: Generator, domains: list[str], per_second: int) -> None:
    began = time.monotonic()
    for first in range(0, len(domains), per_second):
        some = domains[first : first + per_second]
        generator.say(0, "".join(MESSAGE.format(domain=domain) for domain in some))
        settle(max(0.0, began + (first + len(some)) / per_second - time.monotonic()))


def _await_quiet(server: Server, generator: Generator, seconds: float) -> None:
    """Until the server has had nothing to do for so long; the client shows that it is still there."""
    now = time.monotonic()
    end, quiet_since, before = now + LONGEST, now, server.processes.cpu()
    while now < min(end, quiet_since + seconds):
        generator.say(0, "<presence/>")
        settle(STEP)
        now, used = time.monotonic(), server.processes.cpu()
        if used - before > QUIET * STEP:
            quiet_since = now
        before = used


IDLE_DOMAINS = Scenario(
    name="idle-domains",
    title="Other domains that nobody talks with",
    what=f"One client sends a message to each of {DOMAINS:,} domains, after {FIRST} others, and then to each "
    "of as many others: what is kept of them is bounded. Those that do not exist are in back-off afterwards. "
    "With those that do, which one of our servers serves, there is a connection each, which is closed when "
    f"it carried nothing for {IDLE_TIMEOUT}. Memory is what is no file's (Pss_Anon). Then nothing happens "
    f"for {SILENCE:g} s.",
    figures=(
        Figure("kib", "KiB per domain", 2),
        Figure("more_kib", "KiB per domain of as many others", 2),
        Figure("after_mib", "MiB after", 1),
        Figure("cpu_ms", "CPU ms per domain", 2),
        Figure("idle_cpu_ms", "CPU ms of a silent minute", 0),
        GENERATOR,
    ),
    measure=measure,
    servers=(OURS,),
)
