"""Prints the figures of docs/decisions/0013-archive.md: `python -m tests.storage.measure_archive [address]`.

CPU of all threads per message, which is a row in two archives. Compare within one run only.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import uvloop

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database, open_database
from commonroom.storage.ids import Ids
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import EVERYTHING, Account, ArchivedMessage, ArchiveFilter
from commonroom.storage.stores import sql_stores
from tests.storage.samples import CREATED, SHA1, SHA256, item

BODY = "hello world, this is a message of the usual length: some sixty"
XML = (
    "<message from='user12345@capulet.example/phone' to='user54321@capulet.example' type='chat'"
    " id='3f2c6c1e-8f6b-4a3e-9d0a-000000000000'><body>" + BODY + "</body>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='3f2c6c1e-8f6b-4a3e-9d0a-000000000000'/></message>"
)
ORIGIN = "3f2c6c1e-8f6b-4a3e-9d0a-000000000000"
BEFORE = 30_000


class Traffic:
    """Messages between users; `talk` gives the two of the next one."""

    def __init__(self, stores: Stores, users: int) -> None:
        self._stores = stores
        self._users = [JID.parse(f"user{number:05}@capulet.example") for number in range(users)]
        self._full = {user: user.with_resource("phone") for user in self._users}
        self._random = Random(1)
        self._ids = Ids(lambda: time.time_ns() // 1000)

    async def begin(self) -> None:
        """Make the accounts, and an archive that is not empty."""
        await self._stores.accounts.put_many(Account(user, (), CREATED) for user in self._users)
        for _ in range(0, BEFORE, 1000):
            for _ in range(1000):
                self.send()
            await self._stores.writes.flushed()

    def send(self) -> None:
        """Archive a message for both."""
        sender, recipient = self._random.sample(self._users, 2)
        append = self._stores.archive.append
        append(sender, ArchivedMessage(self._ids.next(), recipient, True, XML, BODY, ORIGIN))
        append(recipient, ArchivedMessage(self._ids.next(), self._full[sender], False, XML, BODY, ORIGIN))


async def per(times: int, work: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of CPU of all threads."""
    begun = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - begun) / times * 1e6


def show(what: str, figure: float) -> None:
    print(f"{what:<58}{figure:>9.1f} µs of CPU", flush=True)


async def writes(stores: Stores, users: int) -> None:
    traffic = Traffic(stores, users)
    await traffic.begin()
    for together in (1, 8, 64):

        async def commit(together: int = together) -> None:
            for _ in range(together):
                traffic.send()
            await stores.writes.flushed()

        rounds = [await per(6400 // together // (8 if together == 1 else 1), commit) for _ in range(3)]
        show(f"a message, {users} users, {together} in a commit", min(rounds) / together)


async def reads(stores: Stores) -> None:
    user = JID.parse("user00001@capulet.example")
    show("a page of 50", await per(200, lambda: stores.archive.page(user, EVERYTHING, 50)))
    middle = (await stores.archive.page(user, EVERYTHING, 50)).messages[-1]
    after = ArchiveFilter(middle.peer, after=middle.id - 1)
    show("a page of one conversation", await per(200, lambda: stores.archive.page(user, after, 50)))
    searched = ArchiveFilter(text="usual length")
    count = await stores.archive.count(user, EVERYTHING, 1_000_000)
    begun = time.process_time()
    await stores.archive.page(user, searched, 50)
    show(f"the first search: index each of {count} messages", (time.process_time() - begun) / count * 1e6)
    show("a search", await per(200, lambda: stores.archive.page(user, searched, 50)))
    step = 0.0
    removed = 1
    while removed:
        begun_at = time.perf_counter()
        removed = await stores.upkeep.expire(user, 2**62, 100)
        step = max(step, time.perf_counter() - begun_at)
    print(f"{'the longest step of 100 that expire, indexed':<58}{step * 1000:>9.1f} ms")


async def logins(stores: Stores) -> None:
    user = JID.parse("login@capulet.example")
    stores.accounts.put(Account(user, (SHA1, SHA256), CREATED))
    for version in range(1, 21):
        stores.rosters.put(user, item(JID.parse(f"contact{version}@montague.example"), version))
    await stores.writes.flushed()
    rounds = [await per(300, lambda: stores.users.load_user(user)) for _ in range(5)]
    show("load_user, 20 contacts", min(rounds))


async def measure(url: str) -> None:
    for users in (1000, 40):
        with tempfile.TemporaryDirectory() as folder:
            database: Database = open_database(url, Path(folder), asyncio.get_running_loop(), 0)
            stores = sql_stores(database)
            await writes(stores, users)
            if users == 40:
                await reads(stores)
                await logins(stores)
            await database.close()


if __name__ == "__main__":
    uvloop.run(measure(sys.argv[1] if len(sys.argv) > 1 else "sqlite:///measure.sqlite"))
