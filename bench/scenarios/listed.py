"""Accounts whose password hashes are in a file: a thousand come back at once while others talk."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run
from bench.scenarios.rate import PAIRS, PER_SECOND
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import OURS
from bench.site import PASSWORD, Extras, Population
from bench.stanzas import MESSAGE
from commonroom.accounts.libcrypt import crypt

TALKERS = 2 * PAIRS
CROWD = 1000
AT_A_TIME = 8
# SHA-512 as tools make it, and what bcrypt costs where it was chosen some years ago.
SHA512 = crypt(PASSWORD.encode(), b"$6$benchbenchbench$").decode()
BCRYPT = crypt(PASSWORD.encode(), b"$2b$08$benchbenchbenchbenchbe").decode()


class Way(NamedTuple):
    """How accounts are checked."""

    case: str
    hash: str
    keys: str


WAYS = (
    Way("SHA-512, each time", SHA512, "none"),
    Way("SHA-512, keys kept", SHA512, "kept"),
    Way("bcrypt 8, each time", BCRYPT, "none"),
    Way("bcrypt 8, keys kept", BCRYPT, "kept"),
)


def measure(run: Run, options: Options) -> Iterator[Row]:
    """Everybody has been there before."""
    for way in WAYS:
        if options.wants(way.case):
            extras = Extras(hash=way.hash, keys=way.keys)
            yield from _measure_way(run, options, way, extras)


def _measure_way(run: Run, options: Options, way: Way, extras: Extras) -> Iterator[Row]:
    with run.servers(Population(TALKERS + CROWD), extras=extras) as servers, ExitStack() as stack:
        for server in servers:
            talk, crowd = (stack.enter_context(run.generator(server, "starttls", "PLAIN")) for _ in range(2))
            talk.message(MESSAGE)
            talk.login(TALKERS)
            crowd.login(CROWD, AT_A_TIME, TALKERS)
            crowd.drop(CROWD, TALKERS)
            settle()
            for number in range(options.rounds):
                meter = run.meter(server, talk)
                figures = quietly(options, partial(come_back, meter, talk, crowd, options))
                yield Row(way.case, server.name, number, figures)


def come_back(meter: Meter, talk: Generator, crowd: Generator, options: Options) -> dict[str, float]:
    """How long messages take before, and while all of the crowd log in at once."""
    talk.rate(PAIRS, PER_SECOND)
    time.sleep(options.warm_up)
    talk.reset()
    time.sleep(options.seconds)
    quiet = talk.count()
    talk.reset()
    meter.begin()
    done = crowd.login(CROWD, CROWD, TALKERS)
    busy = talk.count()
    window = meter.end()
    talk.stop()
    crowd.drop(CROWD, TALKERS)
    settle(2)
    return {
        "p99_ms": 1000 * (busy.p99 or 0),
        "quiet_p99_ms": 1000 * (quiet.p99 or 0),
        "p50_ms": 1000 * (busy.p50 or 0),
        "longest_ms": 1000 * (busy.longest or 0),
        "last_s": done.seconds,
        **window.figures(),
    }


LISTED = Scenario(
    name="listed",
    title="A crowd with password files",
    what=f"{PER_SECOND:,} messages a second between {TALKERS} clients; then {CROWD:,} others, who have been "
    "there before, log in by PLAIN in the same moment, against a file of hashes. `each time`: every login "
    "checks the hash; `keys kept`: the first one leaves SCRAM keys, which later ones are checked with "
    "(docs/accounts.md). The server has one core for all of it.",
    figures=(
        Figure("p99_ms", "p99 ms of messages meanwhile", 1),
        Figure("quiet_p99_ms", "p99 ms before", 1),
        Figure("p50_ms", "p50 ms meanwhile", 1),
        Figure("longest_ms", "longest ms", 1),
        Figure("last_s", "s until the last is in", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure,
    servers=(OURS,),
)
