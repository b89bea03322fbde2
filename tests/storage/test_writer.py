"""The writer: what `append`, `when_flushed` and `flushed` promise, and that commits are shared."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from commonroom.storage import writer as writer_module
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.errors import StorageBusy, StorageError
from commonroom.storage.statements import Statement
from tests.storage.conftest import Backend
from tests.storage.watched import WatchedSqlite

ADD = Statement("INSERT INTO removed_account (revision, jid) VALUES (:revision, 'x')")
ALL = Statement("SELECT revision FROM removed_account ORDER BY revision")


def using(backend: Backend, scenario: Callable[[Database], Awaitable[None]], commit_delay: float = 0) -> None:
    """Run a scenario with a database, and close it."""

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop(), commit_delay)
        try:
            await scenario(database)
        finally:
            await database.close(patience=0)

    asyncio.run(main())


def add(database: Database, *numbers: int) -> None:
    """Append a row each; a second one with the same number can never be written."""
    database.writer.append(statement_for(database), *({"revision": number} for number in numbers))


def statement_for(database: Database) -> Statement:
    named = database.backend.engine.dialect.paramstyle == "named"
    return ADD if named else Statement(ADD.text.replace(":revision", "%(revision)s"))


async def numbers(database: Database) -> list[int]:
    return [number for (number,) in await database.reader.read(lambda c: c.rows(ALL, {}))]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds SQLite's lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_write_that_can_never_be_written_fails_alone(backend: Backend) -> None:
    async def scenario(database: Database) -> None:
        add(database, 1)
        await database.writer.flushed()
        heard: list[StorageError | None] = []
        for number in (2, 1, 3):
            before = database.writer.appended
            add(database, number)
            database.writer.when_flushed(heard.append, since=before)
        with pytest.raises(StorageError, match="cannot be written"):
            await database.writer.flushed()
        assert [failure is None for failure in heard] == [True, False, True]
        assert await numbers(database) == [1, 2, 3]
        await database.writer.flushed()  # what came before does not count again

    using(backend, scenario)


def test_of_a_write_with_several_rows_all_fail_or_none(backend: Backend) -> None:
    async def scenario(database: Database) -> None:
        statement = statement_for(database)
        add(database, 1, 2, 1)
        database.writer.append_together((statement, ({"revision": 3},)), (statement, ({"revision": 3},)))
        database.writer.append_together((statement, ({"revision": 4},)), (statement, ({"revision": 5},)))
        with pytest.raises(StorageError):
            await database.writer.flushed()
        assert await numbers(database) == [4, 5]

    using(backend, scenario)


def test_a_call_that_raises_fails_alone(backend: Backend) -> None:
    def broken(connection: Connection) -> None:
        raise KeyError("a bug")

    async def scenario(database: Database) -> None:
        add(database, 1)
        database.writer.append_call(broken)
        add(database, 2)
        with pytest.raises(StorageError, match="a bug"):
            await database.writer.flushed()
        assert await numbers(database) == [1, 2]

    using(backend, scenario)


def test_a_call_reads_what_was_written_before_it_in_the_same_transaction(backend: Backend) -> None:
    seen = []

    async def scenario(database: Database) -> None:
        add(database, 1)
        database.writer.append_call(lambda connection: seen.append(connection.rows(ALL, {})))
        await database.writer.flushed()

    using(backend, scenario)
    assert seen == [[(1,)]]


def test_a_failure_is_told_to_who_asks_late_with_since(backend: Backend) -> None:
    async def scenario(database: Database) -> None:
        before = database.writer.appended
        add(database, 1, 1)
        with pytest.raises(StorageError):
            await database.writer.flushed()
        add(database, 2)
        await database.writer.flushed(since=before + 1)
        with pytest.raises(StorageError):
            await database.writer.flushed(since=before)

    using(backend, scenario)


def test_nobody_waits_for_nothing(backend: Backend) -> None:
    async def scenario(database: Database) -> None:
        heard: list[StorageError | None] = []
        database.writer.when_flushed(heard.append)
        assert heard == [None]
        await database.writer.flushed()
        assert (database.writer.appended, database.writer.behind) == (0, 0)

    using(backend, scenario)


def test_who_gives_up_waiting_harms_nobody(backend: Backend) -> None:
    async def scenario(database: Database) -> None:
        add(database, 1)
        impatient = asyncio.ensure_future(database.writer.flushed())
        await asyncio.sleep(0)
        impatient.cancel()
        await database.writer.flushed()
        with pytest.raises(asyncio.CancelledError):
            await impatient

    using(backend, scenario)


def test_callbacks_come_in_order_and_after_the_rows_can_be_read(backend: Backend) -> None:
    heard: list[int] = []

    async def scenario(database: Database) -> None:
        for number in range(20):
            add(database, number)
            database.writer.when_flushed(lambda failure, number=number: heard.append(number))  # type: ignore[misc]
            if number % 3 == 0:
                await asyncio.sleep(0.001)
        assert database.writer.appended == 20
        await database.writer.flushed()
        assert database.writer.behind == 0
        assert await numbers(database) == list(range(20))

    using(backend, scenario)
    assert heard == list(range(20))


def test_a_callback_that_asks_again_does_not_overtake(sqlite_file: Path) -> None:
    heard: list[str] = []

    async def scenario(database: Database) -> None:
        def first(failure: StorageError | None) -> None:
            heard.append("first")
            database.writer.when_flushed(lambda failure: heard.append("third"))

        add(database, 1)
        database.writer.when_flushed(first)
        database.writer.when_flushed(lambda failure: heard.append("second"))
        await database.writer.flushed()

    using(WatchedSqlite(sqlite_file), scenario)
    assert heard == ["first", "second", "third"]


def test_a_callback_with_a_bug_keeps_nobody_from_being_told(sqlite_file: Path) -> None:
    heard: list[object] = []

    def broken(failure: StorageError | None) -> None:
        raise KeyError("a bug")

    async def scenario(database: Database) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: heard.append(context["exception"])
        )
        add(database, 1)
        database.writer.when_flushed(broken)
        database.writer.when_flushed(heard.append)
        await database.writer.flushed()
        await asyncio.sleep(0)

    using(WatchedSqlite(sqlite_file), scenario)
    assert heard[0] is None
    assert isinstance(heard[1], KeyError)


def test_works_on_uvloop(sqlite_file: Path) -> None:
    async def main() -> None:
        database = Database(WatchedSqlite(sqlite_file), asyncio.get_running_loop())
        add(database, 1)
        await database.writer.flushed()
        assert await numbers(database) == [1]
        await database.close()

    uvloop.run(main())


def test_an_idle_writer_commits_at_once(sqlite_file: Path) -> None:
    async def scenario(database: Database) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(3):
            add(database, number)
            await database.writer.flushed()
            await asyncio.sleep(0.01)
        assert loop.time() - begun < 5

    using(WatchedSqlite(sqlite_file), scenario, commit_delay=10)


def test_many_callers_share_few_commits(sqlite_file: Path) -> None:
    backend = WatchedSqlite(sqlite_file)

    async def caller(database: Database, first: int) -> None:
        for number in range(first, first + 5):
            add(database, number)
            await database.writer.flushed()

    async def scenario(database: Database) -> None:
        await asyncio.gather(*(caller(database, first) for first in range(0, 500, 5)))
        assert await numbers(database) == list(range(500))

    using(backend, scenario, commit_delay=0.02)
    # All hundred write once a round; a round may be torn in two.
    assert 5 <= backend.commits <= 11


def test_under_load_writes_gather_for_the_next_commit(sqlite_file: Path) -> None:
    backend = WatchedSqlite(sqlite_file)

    async def scenario(database: Database) -> None:
        for _ in range(100):
            database.writer.append_call(lambda connection: time.sleep(0.002))  # a slow disk
            await asyncio.sleep(0.001)
        await database.writer.flushed()

    using(backend, scenario, commit_delay=0.1)
    # Without the delay, each commit takes no more than came during the one before it.
    assert backend.commits <= 4


@pytest.mark.parametrize(
    ("written", "share"),
    [(0, 1 / 3), (1, 1 / 3), (2, 1), (15, 1), (16, 1 / 3), (1000, 1 / 3)],
)
def test_few_writes_wait_for_others_and_many_or_one_after_the_other_hardly(
    written: int, share: float
) -> None:
    assert writer_module.share_of_delay(written) == share


def test_a_queue_counts_the_size_that_it_is_told(sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_QUEUE_BYTES", 1000)

    async def scenario(database: Database) -> None:
        with locked(sqlite_file):
            database.writer.append_row(ADD, {"revision": 1}, 1000)
            with pytest.raises(StorageBusy):
                database.writer.append_row(ADD, {"revision": 2}, 1)
        await database.writer.flushed()
        assert await numbers(database) == [1]

    using(WatchedSqlite(sqlite_file), scenario)


def test_neighbours_with_the_same_statement_are_sent_at_once(sqlite_file: Path) -> None:
    backend = WatchedSqlite(sqlite_file)

    async def scenario(database: Database) -> None:
        for number in range(50):
            add(database, number)
        await database.writer.flushed()

    using(backend, scenario)
    assert [text for text in backend.sql if not text.startswith("PRAGMA")][:2] == [
        "BEGIN IMMEDIATE",
        "INSERT INTO removed_account (revision, jid) VALUES (0, 'x')",
    ]
    assert backend.commits == 1


def test_a_full_queue_is_told_and_what_was_taken_is_written(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_QUEUE", 100)

    async def scenario(database: Database) -> None:
        with locked(sqlite_file):
            for number in range(100):
                add(database, number)
            with pytest.raises(StorageBusy, match="100 writes wait"):
                add(database, 100)
            assert database.writer.behind == 100
        await database.writer.flushed()
        add(database, 101)
        await database.writer.flushed()
        assert await numbers(database) == [*range(100), 101]

    using(WatchedSqlite(sqlite_file), scenario)


def test_a_queue_is_full_by_bytes_too(sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_QUEUE_BYTES", 1000)
    keep = Statement("INSERT INTO secret (name, value) VALUES (:name, :value)")

    async def scenario(database: Database) -> None:
        with locked(sqlite_file):
            database.writer.append(keep, {"name": "a", "value": "x" * 600})
            database.writer.append(keep, {"name": "b", "value": "x" * 600})
            with pytest.raises(StorageBusy):
                database.writer.append(keep, {"name": "c", "value": ""})
        await database.writer.flushed()
        database.writer.append(keep, {"name": "c", "value": ""})
        await database.writer.flushed()

    using(WatchedSqlite(sqlite_file), scenario)


def test_closing_writes_what_waits(backend: Backend) -> None:
    async def write() -> None:
        database = Database(backend, asyncio.get_running_loop(), commit_delay=10)
        for number in range(100):
            add(database, number)
        await database.close()
        with pytest.raises(StorageError, match="closed"):
            add(database, 100)
        with pytest.raises(StorageError, match="closed"):
            await numbers(database)

    async def check(database: Database) -> None:
        assert await numbers(database) == list(range(100))

    asyncio.run(write())
    using(backend, check)


def test_closing_gives_up_on_a_database_that_takes_nothing(sqlite_file: Path) -> None:
    async def main() -> None:
        database = Database(WatchedSqlite(sqlite_file), asyncio.get_running_loop())
        add(database, 1)
        with pytest.raises(StorageError, match="locked"):
            await database.close(patience=0)

    with locked(sqlite_file):
        asyncio.run(main())


@pytest.fixture
def sqlite_file(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "watched.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    return path
