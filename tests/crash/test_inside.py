"""The points at which our server dies in its commit: where exactly they are, and that production has none."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from commonroom.storage.connection import DriverConnection
from commonroom.storage.postgresql import PostgresConnection
from commonroom.storage.sqlite import SqliteBackend, SqliteConnection
from commonroom.storage.statements import Statement
from crash import inside
from crash.inside import Doom, limited

SOURCE = Path(__file__).parents[2] / "src"
WRAPPED = [
    (SqliteConnection, "careful_transaction"),
    (SqliteConnection, "transaction"),
    (PostgresConnection, "careful_transaction"),
    (PostgresConnection, "transaction"),
]
INSERT = Statement("INSERT INTO thing VALUES (randomblob(2000))")
WAIT_SECONDS = 10


class Killed(BaseException):
    """Instead of a SIGKILL."""


def killed() -> None:
    raise Killed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.sqlite"


@pytest.fixture
def connection(path: Path) -> Iterator[DriverConnection]:
    connection = SqliteBackend(path).connect(writing=True)
    connection.execute(Statement("CREATE TABLE thing (bytes)"), {})
    assert isinstance(connection, DriverConnection)
    yield connection
    connection.close()


def count(path: Path) -> int:
    """As another process sees it."""
    with closing(sqlite3.connect(path)) as other:
        [(number,)] = other.execute("SELECT count(*) FROM thing")
        return int(number)


def writing(connection: DriverConnection) -> Callable[[], None]:
    return lambda: connection.execute(INSERT, {})


def ten_times(work: Callable[[], None]) -> None:
    for _ in range(10):
        work()


def test_there_is_no_fourth_point():
    with pytest.raises(ValueError, match=r"^later: is none of before, during, after$"):
        Doom("later", 1, killed)


def test_production_knows_nothing_of_it():
    sources = [path.read_text() for path in SOURCE.rglob("*.py")]
    names = (inside.POINT, inside.FULL, "from crash", "import crash", "crash.inside")
    assert not any(name in source for source in sources for name in names)


def test_without_its_variables_nothing_is_wrapped():
    before = [getattr(owner, name) for owner, name in WRAPPED]
    inside.prepare({"PATH": "/usr/bin", "CRASH_OTHER": "before:1"})
    assert [getattr(owner, name) for owner, name in WRAPPED] == before


def test_what_is_wrapped_does_all_writing():
    """On SQLite a transaction is a careful one, so that the wrapped method sees every one once."""
    assert SqliteConnection.careful_transaction is DriverConnection.careful_transaction
    assert "careful_transaction" in SqliteConnection.transaction.__code__.co_names
    assert "careful_transaction" not in PostgresConnection.transaction.__code__.co_names


def test_before_the_commit_all_is_written_and_nothing_is_there(connection, path):
    fatal = Doom("before", 2, killed).wrap(SqliteConnection.careful_transaction)
    fatal(connection, writing(connection))
    with pytest.raises(Killed):
        fatal(connection, writing(connection))
    assert count(path) == 1


def test_after_the_commit_it_is_there_and_nobody_was_told(connection, path):
    fatal = Doom("after", 2, killed).wrap(SqliteConnection.careful_transaction)
    fatal(connection, writing(connection))
    with pytest.raises(Killed):
        fatal(connection, writing(connection))
    assert count(path) == 2


def test_during_the_commit_another_thread_kills(connection):
    happened = Event()
    fatal = Doom("during", 1, happened.set).wrap(SqliteConnection.careful_transaction)
    fatal(connection, writing(connection))
    assert happened.wait(WAIT_SECONDS)


def test_it_happens_once_only(connection, path):
    deaths: list[None] = []
    fatal = Doom("after", 1, lambda: deaths.append(None)).wrap(SqliteConnection.careful_transaction)
    for _ in range(3):
        fatal(connection, writing(connection))
    assert (len(deaths), count(path)) == (1, 3)


def test_a_full_disk_is_full_until_its_file_is_gone(connection, path, tmp_path):
    full = tmp_path / "full"
    transaction = limited(full, SqliteConnection.careful_transaction)
    transaction(connection, writing(connection))
    full.touch()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        transaction(connection, partial(ten_times, writing(connection)))
    full.unlink()
    before = count(path)
    for _ in range(10):
        transaction(connection, writing(connection))
    assert count(path) == before + 10
