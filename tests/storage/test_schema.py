"""The tables: made by migrations, all or nothing, and only by a program that knows them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from commonroom.storage import migrations
from commonroom.storage.errors import CannotOpen
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.schema import migrate
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.tables import metadata
from tests.postgres import Cluster
from tests.storage.conftest import Backend

SEARCH = "archive_words"

OPENING = """
import asyncio, sys
from pathlib import Path
from commonroom.storage.database import open_database

async def main():
    database = open_database(sys.argv[1], Path(), asyncio.get_running_loop())
    await database.close()

asyncio.run(main())
print(*sorted(name for name in ("alembic", "psycopg") if name in sys.modules))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """A database without tables."""
    if request.param == "sqlite":
        yield SqliteBackend(tmp_path / "bare.sqlite")
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    cluster.sql("CREATE DATABASE bare")
    yield PostgresBackend(make_url(cluster.url("bare")))
    cluster.sql("DROP DATABASE bare")


def run(backend: Backend, *statements: str) -> None:
    with backend.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def address(backend: Backend) -> str:
    """As an operator would write it."""
    if isinstance(backend, SqliteBackend):
        return f"sqlite:///{backend.path}"
    return backend.engine.url.set(drivername="postgresql").render_as_string()


def tables(backend: Backend) -> set[str]:
    connection = backend.connect(writing=False)
    try:
        return backend.tables(connection)
    finally:
        connection.close()


def expected(found: set[str]) -> bool:
    """All tables of the metadata, and those of full-text search, which SQLite makes several of."""
    search = {name for name in found if name.startswith(SEARCH)}
    return bool(search) and found - search == {*metadata.tables, migrations.VERSION_TABLE}


def test_tables_of_a_newer_program_are_refused(backend: Backend) -> None:
    run(backend, f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'")
    try:
        last = migrations.REVISIONS[-1]
        newer = rf"newer Common Room \(its tables are at 9999, this program knows {last}\)"
        with pytest.raises(CannotOpen, match=newer):
            migrate(backend, "commonroom.sqlite")
    finally:
        run(backend, f"UPDATE {migrations.VERSION_TABLE} SET version_num = '{migrations.REVISIONS[-1]}'")


def test_tables_of_another_program_are_refused(bare: Backend) -> None:
    run(bare, "CREATE TABLE account (id INTEGER)", "CREATE TABLE zebra (id INTEGER)")
    with pytest.raises(CannotOpen, match=r"tables of another program \(account\)"):
        migrate(bare, "commonroom.sqlite")
    assert tables(bare) == {"account", "zebra"}


def test_a_migration_that_fails_leaves_nothing_behind(bare: Backend) -> None:
    # The index's name is taken: the migration fails behind its first table.
    run(bare, "CREATE TABLE zebra (id INTEGER)", "CREATE INDEX ix_account_changed ON zebra (id)")
    with pytest.raises(CannotOpen, match="ix_account_changed"):
        migrate(bare, "commonroom.sqlite")
    assert tables(bare) == {"zebra"}
    run(bare, "DROP INDEX ix_account_changed")
    assert migrate(bare, "commonroom.sqlite") is True


def test_the_program_lists_the_revisions_that_there_are() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == migrations.REVISIONS
    assert scripts.get_heads() == [migrations.REVISIONS[-1]]


def test_migrations_make_what_the_program_works_with(bare: Backend) -> None:
    assert migrate(bare, "bare") is True
    assert migrate(bare, "bare") is False
    assert expected(tables(bare))
    with bare.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "version_table": migrations.VERSION_TABLE,
                "include_name": lambda name, *_: not str(name).startswith(SEARCH),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_programs_that_start_at_once_make_the_tables_once(bare: Backend) -> None:
    command = [sys.executable, "-c", OPENING, address(bare)]
    with migrations_locked(bare):
        starting = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [program.wait() for program in starting] == [0, 0]
    assert expected(tables(bare))


@contextmanager
def migrations_locked(backend: Backend) -> Iterator[None]:
    """Let nobody migrate until two programs want to. (SQLite does not tell who waits.)"""
    if isinstance(backend, SqliteBackend):
        yield
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with backend.engine.begin() as connection:
        connection.execute(text(str(backend.lock_schema())))
        yield
        while connection.execute(waiting).scalar_one() < 2:
            time.sleep(0.02)


def test_a_start_with_nothing_to_migrate_does_not_import_what_it_does_not_need(tmp_path: Path) -> None:
    def imported() -> str:
        command = [sys.executable, "-c", OPENING, f"sqlite:///{tmp_path}/commonroom.sqlite"]
        return subprocess.check_output(command, text=True).strip()

    assert imported() == "alembic"
    assert imported() == ""


def test_accounts_of_before_the_archive_have_one_after_it(bare: Backend) -> None:
    run_migrations(bare, "0001")
    run(
        bare,
        "INSERT INTO account (jid, domain, scram_keys, created, disabled, changed)"
        f" VALUES ('a@b', 'b', '', 0, {'0' if isinstance(bare, SqliteBackend) else 'false'}, 1)",
    )
    assert migrate(bare, "bare") is True
    with bare.engine.connect() as connection:
        found = connection.execute(text("SELECT address, indexed FROM archive_owner")).all()
    assert [tuple(row) for row in found] == [("a@b", 0)]


def run_migrations(backend: Backend, revision: str) -> None:
    """Bring the tables to an older revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with backend.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
