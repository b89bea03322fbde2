"""Log-ins by PLAIN against password files: a thousand come back at once while others talk."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from bench.generator import Generator
from bench.meter import Meter
from bench.processes import Processes, core_busy
from bench.run import Run
from bench.scenarios.rate import PAIRS, PER_SECOND
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import OURS
from bench.servers.server import plain_command
from bench.site import PASSWORD, Extras, Population
from bench.stanzas import MESSAGE
from commonroom.accounts.libcrypt import crypt

TALKERS = 2 * PAIRS
CROWD = 1000
AT_A_TIME = 8
# SHA-512 as tools make it, and what bcrypt costs where it was chosen some years ago.
SHA512 = crypt(PASSWORD.encode(), b"$6$benchbenchbench$").decode()
BCRYPT = crypt(PASSWORD.encode(), b"$2b$08$benchbenchbenchbenchbe").decode()
# Seconds: how the p99 went, and how long nobody comes.
LAP = 0.25
LAPS = 16
FOREIGN_SECONDS = 4.0
# As threads that check passwords, and as whoever is no business of messages.
NICE = 10
SPIN = "while True: pass"

# What happens while messages are measured; how long it took.
Event = Callable[[], float]


class Way(NamedTuple):
    """How accounts are checked: by a hash in a file, or by keys that the server keeps."""

    case: str
    hash: str = ""
    keys: str = "kept"


WAYS = (
    Way("SHA-512, each time", SHA512, "none"),
    Way("SHA-512, keys kept", SHA512),
    Way("bcrypt 8, each time", BCRYPT, "none"),
    Way("bcrypt 8, keys kept", BCRYPT),
)
STORED = Way("accounts of their own")
NOBODY = Way("nobody comes, but a foreign process works")


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Everybody has been there before. Only ours reads password files."""
    ours = tuple(name for name in run.names if name.partition("@")[0] == OURS)
    for way in WAYS:
        if options.wants(way.case):
            yield from _measure_way(run, options, way, ours)
    if options.wants(STORED.case):
        yield from _measure_way(run, options, STORED, run.names)
    if options.wants(NOBODY.case):
        yield from _measure_way(run, options, NOBODY, ours)


def _measure_way(run: Run, options: Options, way: Way, names: Sequence[str]) -> Iterator[Row]:
    extras = Extras(hash=way.hash, keys=way.keys)
    with run.servers(Population(TALKERS + CROWD), names, extras) as servers, ExitStack() as stack:
        pairs = []
        for server in servers:
            talk, crowd = (stack.enter_context(run.generator(server, "starttls", "PLAIN")) for _ in range(2))
            talk.message(MESSAGE)
            talk.login(TALKERS)
            crowd.give_way()
            if way is not NOBODY:
                crowd.login(CROWD, AT_A_TIME, TALKERS)
                crowd.drop(CROWD, TALKERS)
            pairs.append((server, talk, crowd))
        settle()
        for number in range(options.rounds):
            for server, talk, crowd in pairs:
                meter = run.meter(server, talk)
                if way is NOBODY:  # and others are what is measured
                    figures = meanwhile(meter, talk, partial(foreign_work, run), options)
                else:
                    foreign = partial(_foreign, run.cores.generator, talk, crowd)
                    once = partial(come_back, meter, talk, crowd, options, foreign)
                    figures = quietly(options, once)
                yield Row(way.case, server.name, number, figures)


def come_back(
    meter: Meter, talk: Generator, crowd: Generator, options: Options, foreign: Callable[[], float]
) -> dict[str, float]:
    """All of them in the same moment; then they leave."""
    foreign_seconds = 0.0

    def event() -> float:
        nonlocal foreign_seconds
        before = foreign()
        seconds = crowd.login(CROWD, CROWD, TALKERS).seconds
        foreign_seconds = foreign() - before
        return seconds

    figures = meanwhile(meter, talk, event, options)
    crowd.drop(CROWD, TALKERS)
    settle(2)
    # Latencies are the clients' as well: who disturbs them counts as who disturbs the server.
    others = 100 * foreign_seconds / figures["last_s"]
    return figures | {"others_percent": max(figures["others_percent"], others)}


def _foreign(core: int, talk: Generator, crowd: Generator) -> float:
    """Seconds of the clients' core that others have used."""
    return core_busy(core) - talk.cpu() - crowd.cpu()


def foreign_work(run: Run) -> float:
    """What the machine does to messages by itself when somebody uses both cores as much as a crowd does."""
    with ExitStack() as stack:
        for core in (run.cores.server, run.cores.generator):
            processes = Processes(core, run.log)
            stack.callback(processes.stop)
            processes.start(
                plain_command("nice", "-n", str(NICE), sys.executable, "-c", SPIN), run.log.parent
            )
        time.sleep(FOREIGN_SECONDS)
    return FOREIGN_SECONDS


def meanwhile(meter: Meter, talk: Generator, event: Event, options: Options) -> dict[str, float]:
    """How long messages take before, and while something happens."""
    talk.rate(PAIRS, PER_SECOND)
    time.sleep(options.warm_up)
    talk.reset()
    time.sleep(options.seconds)
    quiet = talk.count()
    talk.reset()
    meter.begin()
    seconds, laps = _laps(talk, event)
    busy = talk.count()
    window = meter.end()
    talk.stop()
    return {
        "p99_ms": 1000 * (busy.p99 or 0),
        "quiet_p99_ms": 1000 * (quiet.p99 or 0),
        "times": (busy.p99 or 0) / (quiet.p99 or 1),
        "p50_ms": 1000 * (busy.p50 or 0),
        "worst_ms": max(laps),
        "longest_ms": 1000 * (busy.longest or 0),
        "last_s": seconds,
        "cpu_s": window.cpu,
        **{f"lap_{number}": p99 for number, p99 in enumerate(laps[:LAPS])},
        **window.figures(),
    }


def _laps(talk: Generator, event: Event) -> tuple[float, list[float]]:
    """How long it took, and the p99 of each quarter of a second meanwhile, in ms."""
    laps = []
    with ThreadPoolExecutor(1) as thread:
        happening = thread.submit(event)
        end = time.monotonic()
        while not happening.done():
            end += LAP
            wait([happening], max(0.0, end - time.monotonic()))
            laps.append(1000 * (talk.lap().p99 or 0))
        return happening.result(), laps


LISTED = Scenario(
    name="listed",
    title="A crowd with password files",
    what=f"{PER_SECOND:,} messages a second between {TALKERS} clients; then {CROWD:,} others, who have been "
    "there before, log in by PLAIN in the same moment, against a file of hashes. `each time`: every login "
    "checks the hash; `keys kept`: the first one leaves SCRAM keys, which later ones are checked with "
    "(docs/accounts.md). Peers have no such files: with `accounts of their own`, all check SCRAM keys of "
    f"4,096 iterations. The last table is no crowd: a foreign process (nice {NICE}) uses what messages leave "
    "of either core. The server has one core for all of it; the crowd's clients (nice 19) give way to those "
    "that talk, or waiting for each other would be measured.",
    figures=(
        Figure("p99_ms", "p99 ms of messages meanwhile", 1, most=10.0),
        Figure("quiet_p99_ms", "p99 ms before", 1),
        Figure("times", "times that", 1),
        Figure("worst_ms", "p99 ms of the worst quarter of a second", 1),
        Figure("p50_ms", "p50 ms meanwhile", 1),
        Figure("longest_ms", "longest ms", 1),
        Figure("last_s", "s until the last is in", 1),
        Figure("cpu_s", "CPU s", 1),
        GENERATOR,
        Figure("others_percent", "others on the busier core %"),
    ),
    measure=measure,
    servers=(OURS, "prosody", "ejabberd"),
)
