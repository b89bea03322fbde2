"""How many bytes of Python's objects an idle session holds: all that our modules allocate for it, and keep.

Without the socket and TLS, which are not ours (docs/decisions/0016-idle-memory.md), and without what the
client of these tests holds. The budget is what Python takes today, and a little. Whoever makes it less writes
the new number here; whoever must make it more says what it buys.
"""

import gc
import tracemalloc
from pathlib import Path

import commonroom
from commonroom.config import Settings
from commonroom.config.records import Records
from commonroom.net.c2s import GRAIN, REST_AFTER
from commonroom.protocol.jid import JID
from tests.conversations.world import World

DOMAIN = "bench.example"
MODULES = str(Path(commonroom.__file__).parent / "*")
FIRST, COUNT = 40, 200

SESSION_BUDGET = 2_830
# What is recorded of a session is in memory for a second, and then on the disk, which is memory here.
SETTINGS = Settings(domains=(DOMAIN,), records=Records(logins=0.0, sessions=0.0))


def test_an_idle_session_stays_within_its_budget():
    found = kept_by_sessions()
    size = sum(statistic.size for statistic in found) / COUNT
    assert size <= SESSION_BUDGET, listed(found)


def kept_by_sessions() -> list[tracemalloc.Statistic]:
    """What sessions hold when they rest, by line of source; others log in before and fill caches.

    The names that the tests' clients look up are looked up before: whether they are in the cache of addresses
    already depends on the tests that ran before in this process.
    """
    people = [f"u{number}@{DOMAIN}/bench" for number in range(FIRST + COUNT)]
    world = World(*(name.partition("/")[0] for name in people), settings=SETTINGS)
    for name in people:
        JID.parse(name)
    for name in people[:FIRST]:
        log_in(world, name)
    tracemalloc.start()
    try:
        for name in people[FIRST:]:
            log_in(world, name)
        world.advance(REST_AFTER + GRAIN)
        world.timers[:] = [timer for timer in world.timers if not timer.cancelled]
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    return snapshot.filter_traces([tracemalloc.Filter(True, MODULES)]).statistics("lineno")


def log_in(world: World, name: str) -> None:
    client = world.online(name)
    client._parser.close()  # what is measured is the server's side only
    del client._parser, client.header


def listed(found: list[tracemalloc.Statistic]) -> str:
    total = sum(statistic.size for statistic in found) / COUNT
    return "\n".join(
        [
            f"{total:.0f} bytes for each session",
            *(f"{s.size / COUNT:6.0f} {s.traceback[0].filename}:{s.traceback[0].lineno}" for s in found),
        ]
    )
