"""What a contract test is given: stores over memory, SQLite and PostgreSQL, all of them empty."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from commonroom.storage.database import Database
from commonroom.storage.interfaces import Stores
from commonroom.storage.memory import Memory, memory_stores
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.schema import migrate
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.stores import sql_stores
from tests.postgres import Cluster, running_cluster

Scenario = Callable[[Stores], Awaitable[None]]
Run = Callable[[Scenario], None]
Backend = SqliteBackend | PostgresBackend

EMPTY_TABLES = (
    "TRUNCATE account, account_revision, removed_account, secret, writer_progress,"
    " archive_owner, archive, archive_erasure, archive_words, room, room_grave, room_request,"
    " outbound, api_token, audit_record, daily_visit, daily_statistic CASCADE;"
    "INSERT INTO account_revision (id, value) VALUES (1, 0)"
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.sqlite"
    migrate(SqliteBackend(path), str(path))
    return path


@pytest.fixture(scope="session")
def migrated_cluster(cluster: Cluster) -> Cluster:
    cluster.sql("CREATE DATABASE template")
    migrate(PostgresBackend(make_url(cluster.url("template"))), "template")
    cluster.sql("CREATE DATABASE stores TEMPLATE template")
    return cluster


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> SqliteBackend:
    path = tmp_path / "commonroom.sqlite"
    shutil.copyfile(sqlite_template, path)
    return SqliteBackend(path)


@pytest.fixture(scope="session")
def cleaner(migrated_cluster: Cluster) -> Iterator[psycopg.Connection]:
    """A connection that stays open: to start psql for every test would take most of the time."""
    with psycopg.connect(migrated_cluster.url("stores"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgres(migrated_cluster: Cluster, cleaner: psycopg.Connection) -> PostgresBackend:
    cleaner.execute(EMPTY_TABLES)
    return PostgresBackend(make_url(migrated_cluster.url("stores")))


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Both kinds of database, empty."""
    found: Backend = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scenario over empty stores of each kind."""
    if request.param == "memory":
        return lambda scenario: asyncio.run(_in_memory(scenario))
    backend: Backend = request.getfixturevalue(request.param)
    return lambda scenario: asyncio.run(_in_database(backend, scenario))


async def _in_memory(scenario: Scenario) -> None:
    await scenario(memory_stores(Memory()))


async def _in_database(backend: Backend, scenario: Scenario) -> None:
    database = Database(backend, asyncio.get_running_loop(), commit_delay=0)
    try:
        await scenario(sql_stores(database))
    finally:
        await database.close()
