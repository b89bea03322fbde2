"""A disk that is full, or that may not be written: who waits is told, and service resumes by itself."""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from commonroom.storage.database import Database
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Stores
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.records import EVERYTHING, ArchivedMessage
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.stores import sql_stores
from tests.postgres import Cluster
from tests.storage.samples import JULIET, NURSE, account
from tests.storage.watched import WatchedSqlite

PATIENCE = 0.2
PAGE, ROOM = 4096, 12
LARGE = "<message>" + "x" * 2000 + "</message>"


@pytest.fixture
def watched(tmp_path: Path, sqlite_template: Path) -> WatchedSqlite:
    path = tmp_path / "watched.sqlite"
    shutil.copyfile(sqlite_template, path)
    return WatchedSqlite(path)


@asynccontextmanager
async def opened(backend: SqliteBackend | PostgresBackend) -> AsyncIterator[Stores]:
    database = Database(backend, asyncio.get_running_loop(), 0.001, PATIENCE)
    try:
        stores = sql_stores(database)
        stores.accounts.put(account())
        stores.accounts.put(account(NURSE))
        await stores.writes.flushed()
        yield stores
    finally:
        await database.close()


def append_pair(stores: Stores, number: int) -> None:
    """A message in both archives, as it is archived when it is sent."""
    stores.archive.append(JULIET, ArchivedMessage(number * 2, NURSE, True, LARGE, "word"))
    stores.archive.append(NURSE, ArchivedMessage(number * 2 + 1, JULIET, False, LARGE, "word"))


async def kept(stores: Stores) -> tuple[int, int]:
    pages = [await stores.archive.page(owner, EVERYTHING, 10_000) for owner in (JULIET, NURSE)]
    return len(pages[0].messages), len(pages[1].messages)


async def refused(stores: Stores) -> None:
    before = stores.writes.appended
    for number in range(100):
        append_pair(stores, stores.writes.appended + number)
    with pytest.raises(StorageError, match="cannot be written"):
        await stores.writes.flushed(before)


def full(watched: WatchedSqlite) -> Callable[[], None]:
    watched.pages = watched.path.stat().st_size // PAGE + ROOM

    def resume() -> None:
        watched.pages = 100_000

    return resume


def read_only(watched: WatchedSqlite) -> Callable[[], None]:
    watched.read_only = True

    def resume() -> None:
        watched.read_only = False

    return resume


@pytest.mark.parametrize("fault", [full, read_only])
def test_while_nothing_can_be_written_who_waits_is_told_and_nothing_is_half_there(
    watched: WatchedSqlite,
    fault: Callable[[WatchedSqlite], Callable[[], None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "commonroom.storage")

    async def main() -> None:
        async with opened(watched):
            pass
        resume = full(watched) if fault is full else lambda: None
        async with opened(watched) as stores:
            append_pair(stores, 1)
            await stores.writes.flushed()
            if fault is read_only:
                resume = read_only(watched)
                reconnect(stores)
            await refused(stores)
            begun = time.monotonic()
            await refused(stores)  # known by now, so that it is told at once
            assert time.monotonic() - begun < PATIENCE + 0.5
            assert await kept(stores) == (1, 1)
            resume()
            append_pair(stores, 1_000_000)
            await stores.writes.flushed()
            assert await kept(stores) == (2, 2)
            assert stores.writes.behind == 0

    asyncio.run(main())
    told = [record.message for record in caplog.records if record.message.startswith("database")]
    assert told == ["database takes no writes", "database is back"]


def reconnect(stores: Stores) -> None:
    """Have the writer make a new connection, as it does after every error of the disk."""
    committer = stores.writes._committer  # type: ignore[attr-defined]
    committer._drop_connection()


def test_a_server_whose_disk_may_not_be_written_is_told_and_comes_back(
    migrated_cluster: Cluster, postgres: PostgresBackend
) -> None:
    def set_read_only(on: bool) -> None:
        value = "on" if on else "off"
        migrated_cluster.sql(f"ALTER DATABASE stores SET default_transaction_read_only = {value}")

    async def main() -> None:
        async with opened(postgres) as stores:
            append_pair(stores, 1)
            await stores.writes.flushed()
            set_read_only(True)
            try:
                reconnect(stores)
                await refused(stores)
                await refused(stores)
                assert await kept(stores) == (1, 1)
            finally:
                set_read_only(False)
            append_pair(stores, 1_000_000)
            await stores.writes.flushed()
            assert await kept(stores) == (2, 2)

    asyncio.run(main())
