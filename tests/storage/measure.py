"""Prints the figures of docs/decisions/0005-storage.md: `python -m tests.storage.measure [address] [--busy]`.

`--busy` keeps the loop's thread computing, as a service at its limit does. Compare within one run only.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop
from sqlalchemy import insert

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database, open_database
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import Account
from commonroom.storage.statements import Parameters, row_of_account
from commonroom.storage.stores import sql_stores
from commonroom.storage.tables import offline_message
from tests.storage.samples import CREATED, IDS, SHA1, SHA256, item

XML = "<message>" + "hello world " * 20 + "</message>"
USERS = [JID.parse(f"user{number}@capulet.example") for number in range(10_000)]
ROW: Parameters = {"account": USERS[0], "stamp": 0, "size": len(XML), "xml": XML}


def best(work: Callable[[], object], times: int) -> float:
    """Microseconds of CPU that one of so many takes, in the best of five rounds."""
    rounds = []
    for _ in range(5):
        begun = time.process_time()
        work()
        rounds.append((time.process_time() - begun) / times * 1e6)
    return min(rounds)


def show(what: str, figure: float, unit: str = "µs of CPU") -> None:
    print(f"{what:<58}{figure:>9.1f} {unit}")


def statements(database: Database) -> None:
    """One INSERT through SQLAlchemy, and as the driver gets it from us."""
    source = row_of_account(offline_message)
    core = insert(offline_message).from_select(source.selected_columns.keys(), source)
    compiled = database.statement(core)
    with database.backend.engine.connect() as connection:

        def through_sqlalchemy() -> None:
            for _ in range(1000):
                connection.execute(core, ROW)

        show("INSERT, SQLAlchemy", best(through_sqlalchemy, 1000))
        connection.rollback()
    ours = database.backend.connect(writing=True)

    def one_by_one() -> None:
        for _ in range(1000):
            ours.execute(compiled, ROW)

    def at_once() -> None:
        ours.execute_many(compiled, [ROW] * 1000)

    show("INSERT, driver", best(partial(ours.transaction, one_by_one), 1000))
    show("INSERT, driver, many at once", best(partial(ours.transaction, at_once), 1000))
    ours.close()


async def commits(stores: Stores, rate: int, busy: float) -> None:
    """Two rows a message; the time until the message's callback."""
    late: list[float] = []

    def told(at: float, failure: StorageError | None) -> None:
        late.append(time.perf_counter() - at)

    begun, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) - begun < 3:
        while sent < (now - begun) * rate:
            for user in (USERS[sent % 100], USERS[sent % 77]):
                stores.offline.add(user, next(IDS), CREATED, XML)
            stores.writes.when_flushed(partial(told, time.perf_counter()))
            sent += 1
        compute(busy)
        await asyncio.sleep(0 if busy else 0.001)
    await stores.writes.flushed()
    late.sort()
    show(f"{rate} messages a second: p50", late[len(late) // 2] * 1000, "ms")
    show(f"{rate} messages a second: p99", late[len(late) * 99 // 100] * 1000, "ms")


def compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def logins(stores: Stores, contacts: int) -> None:
    for version in range(1, contacts + 1):
        contact = item(JID.parse(f"contact{version}@montague.example"), version, groups=("Friends",))
        stores.rosters.put(USERS[0], contact)
    await stores.writes.flushed()
    begun = time.process_time()
    for _ in range(300):
        await stores.users.load_user(USERS[0])
    show(f"load_user, {contacts} contacts", (time.process_time() - begun) / 300 * 1e6)


async def measure(url: str, busy: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        database = open_database(url, Path(folder), asyncio.get_running_loop())
        show("open, with migration", (time.perf_counter() - begun) * 1000, "ms")
        stores = sql_stores(database)
        begun = time.perf_counter()
        await stores.accounts.put_many(Account(user, (SHA1, SHA256), CREATED) for user in USERS)
        show("import of 10,000 accounts", time.perf_counter() - begun, "s")
        if busy:
            for interval in (0.005, 0.0005):
                sys.setswitchinterval(interval)
                print(f"the loop's thread computes all the time, switch interval {interval * 1000} ms:")
                await commits(stores, 1500, 0.002)
        else:
            for contacts in (0, 20, 100):
                await logins(stores, contacts)
            statements(database)
            for rate in (20, 500, 2000):
                await commits(stores, rate, 0)
        await database.close()


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--busy"]
    uvloop.run(measure(given[0] if given else "sqlite:///measure.sqlite", "--busy" in sys.argv))
