"""What a server keeps of other domains that it is not talking with."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.idle import MIB
from bench.scenarios.s2s import SERVERS
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import OURS
from bench.servers.server import Server
from bench.site import FAR_DOMAIN, Population

DOMAINS = 10_000
FIRST = 200  # make the server load what it loads late, and stay
IDLE_TIMEOUT = "10s"  # of a connection
QUIET = 0.02  # of a core: nothing is being tried any more
LONGEST = 180.0  # seconds until then
SILENCE = 60.0
# Nobody answers a headline to an account that there is not, so the far side has nothing to send.
MESSAGE = (
    "<message to='nobody@{domain}' type='headline' id='{domain}'><body>Is anybody there?</body></message>"
)


@dataclass(frozen=True, slots=True)
class Case:
    """Domains of one kind, so many at a time. `are_there`: they have a server, which is one of ours."""

    words: str
    are_there: bool
    batches: int

    @property
    def title(self) -> str:
        return f"{DOMAINS:,} domains {self.words}"

    def domains(self, batch: int) -> list[str]:
        """The first batch is smaller; all are below one domain."""
        below = FAR_DOMAIN if self.are_there else f"nowhere.{FAR_DOMAIN}"
        return [f"d{batch}-{number}.{below}" for number in range(DOMAINS if batch else FIRST)]


ABSENT = Case("that do not exist", are_there=False, batches=1)
MANY_ABSENT = Case("that do not exist, after as many others twice", are_there=False, batches=3)
TALKED_WITH = Case("talked with once", are_there=True, batches=1)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Memory is read when each batch is over; the last one is left alone for a while."""
    for case in (ABSENT, TALKED_WITH, MANY_ABSENT):
        names = run.names if case is ABSENT else [name for name in run.names if name.startswith(OURS)]
        for number in range(options.rounds if options.wants(case.title) else 0):
            for name in names:
                yield Row(case.title, name, number, _measured(run, name, case))


def _measured(run: Run, name: str, case: Case) -> dict[str, float]:
    with _servers(run, name, case) as server, run.generator(server) as generator:
        meter = run.meter(server, generator)
        generator.login(1)
        memory: list[int] = []
        cpu: list[float] = []
        for batch in range(case.batches + 1):
            run.say(f"{name}: {len(case.domains(batch)):,} domains {case.words}")
            cpu.append(_talk(server, generator, meter, case.domains(batch)))
            memory.append(server.processes.own_memory())
        meter.begin()
        settle(SILENCE)
        window = meter.end()
        return {
            "kib": (memory[-1] - memory[-2]) / DOMAINS,
            "after_mib": memory[-1] / MIB,
            "cpu_ms": 1000 * cpu[-1] / DOMAINS,
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
            more = tuple(domain for batch in range(case.batches + 1) for domain in case.domains(batch))
            servers.append(run.federated(OURS, Population(0, domain=FAR_DOMAIN), network, more))
        for server in servers:
            run.say(f"starting {server.name} for {server.site.domain}")
            stack.callback(server.stop)
            server.start()
        yield near


def _talk(server: Server, generator: Generator, meter: Meter, domains: list[str]) -> float:
    """Until the server is done with them; gives the CPU that it took."""
    meter.begin()
    generator.tell(0, (MESSAGE.format(domain=domain) for domain in domains))
    end = time.monotonic() + LONGEST
    before, is_quiet = server.processes.cpu(), 0
    while is_quiet < 6 and time.monotonic() < end:  # longer than any connection is kept, and any pause
        settle(2.0)
        now = server.processes.cpu()
        is_quiet = is_quiet + 1 if now - before < 2 * QUIET else 0
        before = now
    return meter.end().cpu


IDLE_DOMAINS = Scenario(
    name="idle-domains",
    title="Other domains that nobody talks with",
    what=f"One client sends a message to each of {DOMAINS:,} domains, and {FIRST} others before that. Those "
    "that do not exist are in back-off afterwards, or forgotten. With those that do, a connection each is "
    f"closed when it carried nothing for {IDLE_TIMEOUT}. Memory is what is no file's (Pss_Anon). Then "
    f"nothing happens for {SILENCE:g} s.",
    figures=(
        Figure("kib", "KiB per domain", 2),
        Figure("after_mib", "MiB after", 1),
        Figure("cpu_ms", "CPU ms per domain", 2),
        Figure("idle_cpu_ms", "CPU ms of a silent minute", 0),
        GENERATOR,
    ),
    measure=measure,
    servers=SERVERS,
)
