"""A database of an older version: what is refused; tried on a copy; changed after a backup, or not at all."""

import asyncio
import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from commonroom.admin.backup import restore
from commonroom.admin.errors import AdminError, BadArgument
from commonroom.admin.places import SQLITE_FILE
from commonroom.admin.registry import open_registry
from commonroom.admin.upgrade import attempt, backup_before, state_of, upgrade, upgrade_at_start
from commonroom.config import Settings
from commonroom.config.schema import Database
from commonroom.storage.errors import OldTables
from commonroom.storage.migrations import REVISIONS, VERSION_TABLE
from commonroom.storage.migrations.upgrade import upgrade as run_migrations
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.sqlite import SqliteBackend
from tests.postgres import Cluster, running_cluster

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "0003", REVISIONS[-1]
ACCOUNT = (
    "INSERT INTO account (jid, domain, scram_keys, created, disabled, changed)"
    " VALUES ('{0}@example.org', 'example.org', '', 0, {1}, 1)"
)
Usage = namedtuple("Usage", "total used free")


def made(backend: SqliteBackend | PostgresBackend, revision: str, accounts: int, no: str) -> None:
    """Tables as a version of before had them, with accounts."""
    backend.connect(writing=True).close()  # as the service does, which turns WAL on
    with backend.engine.begin() as connection:
        run_migrations(connection, revision)
        for number in range(accounts):
            connection.exec_driver_sql(ACCOUNT.format(f"a{number}", no))


def settings(folder: Path, revision: str = OLD, accounts: int = 3) -> Settings:
    """Of a service whose database has the tables of this revision."""
    state = folder / "var"
    state.mkdir()
    made(SqliteBackend(state / SQLITE_FILE), revision, accounts, "0")
    return Settings(domains=("example.org",), state=state)


def content(file: Path) -> tuple[str, int]:
    with closing(sqlite3.connect(file)) as connection:
        ((revision,),) = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
        ((accounts,),) = connection.execute("SELECT count(*) FROM account").fetchall()
    return revision, accounts


def left_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if not each.name.endswith(("-wal", "-shm"))}


# What cannot be


def test_where_there_is_no_database_nothing_is_upgraded(tmp_path: Path) -> None:
    with pytest.raises(AdminError, match="there is no database; the first start makes it"):
        state_of(Settings(domains=("example.org",), state=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_a_newer_version_is_refused_and_untouched(tmp_path: Path) -> None:
    wanted = settings(tmp_path, NEW)
    with closing(sqlite3.connect(wanted.state / SQLITE_FILE)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for work in (
        state_of,
        attempt,
        lambda it: upgrade(it, None, None, NOW),
        lambda it: upgrade_at_start(it, NOW),
    ):
        with pytest.raises(AdminError, match="was last used by a newer Common Room"):
            work(wanted)
    assert content(wanted.state / SQLITE_FILE) == ("9999", 3)
    assert left_in(wanted.state) == {SQLITE_FILE}


@pytest.mark.parametrize("what", ["letter", "folder"])
def test_what_is_no_database_is_told(tmp_path: Path, what: str) -> None:
    file = tmp_path / SQLITE_FILE
    file.write_text("Dear Sir or Madam, " * 100) if what == "letter" else file.mkdir()
    with pytest.raises(AdminError, match=SQLITE_FILE):
        state_of(Settings(domains=("example.org",), state=tmp_path))


@pytest.mark.parametrize("place", ["nowhere", "var/commonroom.sqlite3"])
def test_a_copy_goes_to_a_folder(tmp_path: Path, place: str) -> None:
    with pytest.raises(AdminError, match=place):
        attempt(settings(tmp_path), str(tmp_path / place))


def test_a_copy_that_would_fill_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    wanted = settings(tmp_path)
    with pytest.raises(AdminError, match="bytes, 1000 are free; name another folder"):
        attempt(wanted)
    assert left_in(wanted.state) == {SQLITE_FILE}


def test_without_a_backup_that_works_a_start_changes_nothing(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    backup_before(wanted, OLD, NOW).write_text("in the way")
    with pytest.raises(AdminError, match=r"not brought up to date: .*it exists already.*--no-backup"):
        upgrade_at_start(wanted, NOW)
    assert content(wanted.state / SQLITE_FILE) == (OLD, 3)


def test_an_upgrade_that_fails_leaves_the_old_tables_and_the_backup(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    with closing(sqlite3.connect(wanted.state / SQLITE_FILE)) as connection, connection:
        connection.execute("CREATE TABLE room (id INTEGER)")  # the name of a table of a later revision
    for work in (attempt, lambda it: upgrade_at_start(it, NOW)):
        with pytest.raises(AdminError, match="room"):
            work(wanted)
    assert content(wanted.state / SQLITE_FILE) == (OLD, 3)
    assert backup_before(wanted, OLD, NOW).exists()


def test_commands_change_no_tables_in_passing(tmp_path: Path) -> None:
    async def look(wanted: Settings) -> None:
        async with open_registry(wanted):
            raise AssertionError("it was opened")

    wanted = settings(tmp_path)
    with pytest.raises(
        OldTables, match=rf"\({OLD}; this program works with {NEW}\).*`commonroom database upgrade`"
    ):
        asyncio.run(look(wanted))
    assert content(wanted.state / SQLITE_FILE) == (OLD, 3)


# What can


def test_what_would_be_done_is_told_step_by_step(tmp_path: Path) -> None:
    state = state_of(settings(tmp_path))
    assert (state.revision, state.newest, state.is_old) == (OLD, NEW, True)
    assert [step[:5] for step in state.steps] == [f"{each}:" for each in REVISIONS if each > OLD]
    assert state.bytes > 4096


def test_where_nothing_is_to_be_done_there_are_no_steps(tmp_path: Path) -> None:
    wanted = settings(tmp_path, NEW)
    assert not state_of(wanted).is_old


def test_a_trial_is_made_on_a_copy_while_somebody_writes(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    with closing(sqlite3.connect(wanted.state / SQLITE_FILE)) as writer:
        writer.execute(ACCOUNT.format("new", "0"))  # not committed
        trial = attempt(wanted)
        writer.commit()
    assert trial.bytes > state_of(wanted).bytes
    assert min(trial.copying, trial.changing) > 0
    assert content(wanted.state / SQLITE_FILE) == (OLD, 4)
    assert left_in(wanted.state) == {SQLITE_FILE}


def test_the_copy_can_be_elsewhere(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    attempt(wanted, str(tmp_path / "elsewhere"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_backup_of_before_an_upgrade_brings_the_old_database_back(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    upgrade_at_start(wanted, NOW)
    assert content(wanted.state / SQLITE_FILE) == (NEW, 3)
    done = restore(wanted, backup_before(wanted, OLD, NOW), True, NOW)
    assert (done.revision, done.accounts) == (OLD, 3)
    assert content(wanted.state / SQLITE_FILE) == (OLD, 3)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_older_version_is_upgraded(tmp_path: Path, revision: str) -> None:
    wanted = settings(tmp_path, revision)
    upgrade(wanted, None, None, NOW)
    assert content(wanted.state / SQLITE_FILE) == (NEW, 3)
    assert not state_of(wanted).is_old


# PostgreSQL


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture
def server(cluster: Cluster, tmp_path: Path) -> Iterator[Settings]:
    for name in ("service", "trial"):
        cluster.sql(f"CREATE DATABASE {name}")
    made(PostgresBackend(make_url(cluster.url("service"))), OLD, 3, "false")
    (tmp_path / "var").mkdir()
    yield Settings(
        domains=("example.org",), state=tmp_path / "var", database=Database(url=cluster.url("service"))
    )
    for name in ("service", "trial"):
        cluster.sql(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("place", "told"),
    [(None, "make an empty one"), ("sqlite", "of PostgreSQL"), ("mysql://x/y", "--copy: "), ("", "--copy: ")],
)
def test_a_copy_of_postgresql_needs_a_database(server: Settings, place: str | None, told: str) -> None:
    with pytest.raises(BadArgument, match=told):
        attempt(server, place)


def test_the_copy_is_never_the_database_itself(server: Settings) -> None:
    with pytest.raises(BadArgument, match="it is not empty"):
        attempt(server, server.database.url)
    assert state_of(server).revision == OLD


def test_a_copy_that_cannot_be_reached_is_told(server: Settings, cluster: Cluster) -> None:
    with pytest.raises(AdminError, match='"nowhere" does not exist'):
        attempt(server, cluster.url("nowhere"))


def test_postgresql_is_tried_on_a_copy_and_upgraded_after_a_backup(
    server: Settings, cluster: Cluster
) -> None:
    trial = attempt(server, cluster.url("trial"))
    assert (trial.place or "").startswith("postgresql://")
    assert state_of(server).revision == OLD
    there = replace(server, database=Database(url=cluster.url("trial")))
    assert state_of(there).revision == NEW
    assert cluster.sql("SELECT count(*) FROM account", "trial") == "3"
    upgrade_at_start(server, NOW)
    assert state_of(server).revision == NEW
    restore(server, backup_before(server, OLD, NOW), True, NOW)
    assert state_of(server).revision == OLD
