"""A database that is locked, full, gone or restarted costs time, never what was written."""

import asyncio
import logging
import shutil
import tempfile
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Stores
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.schema import migrate
from commonroom.storage.statements import Query, Statement
from commonroom.storage.stores import sql_stores
from tests.postgres import Cluster, running_cluster
from tests.storage.conftest import EMPTY_TABLES, Backend
from tests.storage.cut import CutCable
from tests.storage.samples import CREATED, IDS, JULIET, account
from tests.storage.test_writer import locked
from tests.storage.watched import WatchedSqlite


@pytest.fixture
def watched(tmp_path: Path, sqlite_template: Path) -> WatchedSqlite:
    path = tmp_path / "watched.sqlite"
    shutil.copyfile(sqlite_template, path)
    return WatchedSqlite(path)


@pytest.fixture
def cable(migrated_cluster: Cluster) -> Iterator[CutCable]:
    folder = Path(tempfile.mkdtemp(prefix="commonroom-"))  # a socket's path must be short
    cut = CutCable(folder, migrated_cluster.folder)
    yield cut
    cut.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may crash."""
    with running_cluster() as running:
        migrate(PostgresBackend(make_url(running.url())), "test")
        yield running


@asynccontextmanager
async def opened(backend: Backend) -> AsyncIterator[tuple[Database, Stores]]:
    database = Database(backend, asyncio.get_running_loop(), commit_delay=0.001)
    try:
        yield database, sql_stores(database)
    finally:
        await database.close()


async def stored(stores: Stores) -> list[str]:
    return [message.xml for message in await stores.offline.load(JULIET, 10_000)]


def test_a_locked_file_is_waited_for(watched: WatchedSqlite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "commonroom.storage")

    async def main() -> None:
        async with opened(watched) as (database, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            with locked(watched.path):
                stores.offline.add(JULIET, next(IDS), CREATED, "<message/>")
                flushed = asyncio.ensure_future(stores.writes.flushed())
                await asyncio.sleep(0.6)
                assert not flushed.done()
                assert database.writer.behind == 1
                assert await stored(stores) == []  # who reads does not wait
            await flushed
            assert await stored(stores) == ["<message/>"]

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["database takes no writes", "database is back"]


def test_a_full_disk_is_waited_for(watched: WatchedSqlite) -> None:
    watched.pages = 60
    xml = "<message>" + "x" * 1000 + "</message>"

    async def main() -> None:
        async with opened(watched) as (database, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            for _ in range(200):
                stores.offline.add(JULIET, next(IDS), CREATED, xml)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stores.writes.flushed(), 0.3)
            assert database.writer.behind == 200
            assert await stored(stores) == []
            watched.pages = 100_000
            await stores.writes.flushed()
            assert await stored(stores) == [xml] * 200

    asyncio.run(main())


def test_a_removed_file_is_not_made_anew(watched: WatchedSqlite) -> None:
    async def main() -> None:
        watched.path.unlink()
        async with opened(watched) as (_, stores):
            with pytest.raises(StorageError, match="cannot be"):
                await stores.accounts.exists(JULIET)
            stores.accounts.put(account())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stores.writes.flushed(), 0.1)
            assert not watched.path.exists()
            shutil.copyfile(watched.path.with_name("copy.sqlite"), watched.path)
            await stores.writes.flushed()

    shutil.copyfile(watched.path, watched.path.with_name("copy.sqlite"))
    asyncio.run(main())


def test_a_bug_in_a_read_is_told_and_the_next_one_works(backend: Backend) -> None:
    def broken(connection: object) -> None:
        raise KeyError("a bug")

    async def main() -> None:
        async with opened(backend) as (database, stores):
            for _ in range(5):
                with pytest.raises(StorageError, match="a bug"):
                    await database.reader.read(broken)
            assert await stores.accounts.exists(JULIET) is False

    asyncio.run(main())


def test_what_people_wrote_is_neither_logged_nor_told(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with opened(backend) as (database, stores):
            stores.accounts.put(account())
            named = backend.engine.dialect.paramstyle == "named"
            size = ":size" if named else "%(size)s"
            text = ":text" if named else "%(text)s"
            database.writer.append(
                Statement(
                    "INSERT INTO offline_message (account_id, stamp, size, xml)"
                    f" SELECT id, NULL, {size}, {text} FROM account"
                ),
                {"size": 1, "text": "a secret"},
            )
            with pytest.raises(StorageError, match="cannot be written") as caught:
                await stores.writes.flushed()
            assert "secret" not in "".join(traceback.format_exception(caught.value))

    asyncio.run(main())
    assert "write failed" in caplog.text
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_loses_nothing_and_doubles_nothing(own_cluster: Cluster, mode: str) -> None:
    expected = [f"<message id='{number}'/>" for number in range(300)]
    own_cluster.sql(EMPTY_TABLES)
    backend = PostgresBackend(make_url(own_cluster.url()))

    async def main() -> None:
        async with opened(backend) as (_, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            assert await stored(stores) == []  # a reader is connected, too
            restart = asyncio.create_task(asyncio.to_thread(restarted, own_cluster, mode))
            for xml in expected:
                stores.offline.add(JULIET, next(IDS), CREATED, xml)
                await asyncio.sleep(0.001)
            await restart
            await stores.writes.flushed()
            assert await stored(stores) == expected

    asyncio.run(main())


def test_readers_connect_again_after_a_restart(own_cluster: Cluster) -> None:
    backend = PostgresBackend(make_url(own_cluster.url()))

    async def main() -> None:
        async with opened(backend) as (database, _):
            together = threading.Barrier(backend.readers)
            one = Query(Statement("SELECT 1"), {})

            def on_every_thread(connection: Connection) -> object:
                together.wait()
                return connection.rows(*one)

            for restart in (False, True):
                if restart:
                    await asyncio.to_thread(restarted, own_cluster, "fast")
                found = await asyncio.gather(
                    *(database.reader.read(on_every_thread) for _ in range(backend.readers))
                )
                assert found == [[(1,)]] * backend.readers

    asyncio.run(main())


def test_a_commit_whose_answer_is_lost_is_not_repeated(postgres: PostgresBackend, cable: CutCable) -> None:
    backend = through(cable, postgres)

    async def main() -> None:
        async with opened(backend) as (_, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            for number in range(10):
                cable.arm()
                stores.offline.add(JULIET, next(IDS), CREATED, str(number))
                await stores.writes.flushed()
            assert await stored(stores) == [str(number) for number in range(10)]

    asyncio.run(main())
    assert cable.cuts == 10


def test_a_failure_is_remembered_when_the_answer_is_lost(postgres: PostgresBackend, cable: CutCable) -> None:
    backend = through(cable, postgres)

    def broken(connection: object) -> None:
        raise KeyError("a bug")

    async def main() -> None:
        async with opened(backend) as (database, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            cable.arm()
            before = stores.writes.appended
            stores.offline.add(JULIET, next(IDS), CREATED, "<message/>")
            database.writer.append_call(broken)
            await asyncio.sleep(0)
            with pytest.raises(StorageError, match="a bug"):
                await stores.writes.flushed(before + 1)
            assert await stored(stores) == ["<message/>"]

    asyncio.run(main())
    assert cable.cuts == 1


def test_a_service_that_ends_leaves_no_trace_in_the_ledger(
    migrated_cluster: Cluster, postgres: PostgresBackend
) -> None:
    async def main() -> None:
        async with opened(postgres) as (_, stores):
            stores.accounts.put(account())
            await stores.writes.flushed()
            assert migrated_cluster.sql("SELECT batch FROM writer_progress", "stores") == "1"

    asyncio.run(main())
    assert migrated_cluster.sql("SELECT count(*) FROM writer_progress", "stores") == "0"


def through(cable: CutCable, backend: PostgresBackend) -> PostgresBackend:
    return PostgresBackend(backend.engine.url.set(query={"host": str(cable.folder)}))


def restarted(cluster: Cluster, mode: str) -> None:
    cluster.stop(mode)
    cluster.start()
