"""What is flushed is on disk: others see it, and a process that is killed takes nothing along."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.statements import Statement
from commonroom.storage.stores import sql_stores
from tests.postgres import Cluster
from tests.storage.conftest import Backend
from tests.storage.samples import CREATED, IDS, JULIET, account

# Prints each number when it is flushed, and never ends by itself.
ENDLESS = """
import asyncio, sys
from pathlib import Path
from commonroom.storage.database import open_database
from commonroom.storage.stores import sql_stores
from tests.storage.samples import CREATED, IDS, JULIET, account

async def main():
    stores = sql_stores(open_database(sys.argv[1], Path(), asyncio.get_running_loop()))
    stores.accounts.put(account())
    number = 0
    while True:
        number += 1
        stores.offline.add(JULIET, next(IDS), CREATED, str(number))
        await stores.writes.flushed()
        print(number, flush=True)

asyncio.run(main())
"""


def killed_after(flushed: int, url: str) -> int:
    """Run the endless writer, kill it after so many flushes, and return the last number it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line)
            if last == flushed:
                process.send_signal(signal.SIGKILL)
        return last


def stored_after_restart(backend: Backend) -> list[str]:
    async def main() -> list[str]:
        database = Database(backend, asyncio.get_running_loop())
        messages = await sql_stores(database).offline.load(JULIET, 100_000)
        await database.close()
        return [message.xml for message in messages]

    return asyncio.run(main())


def test_a_killed_process_loses_nothing_that_was_flushed(backend: Backend) -> None:
    if isinstance(backend, SqliteBackend):
        url = f"sqlite:///{backend.path}"
    else:
        url = backend.engine.url.render_as_string(hide_password=False)
    last = killed_after(50, url)
    stored = stored_after_restart(backend)
    assert last >= 50
    # One more may have been committed and not yet been told of.
    assert stored in ([str(n) for n in range(1, last + 1)], [str(n) for n in range(1, last + 2)])


def test_what_is_flushed_is_seen_by_another_program(sqlite: SqliteBackend) -> None:
    async def main() -> None:
        database = Database(sqlite, asyncio.get_running_loop())
        stores = sql_stores(database)
        stores.accounts.put(account())
        stores.offline.add(JULIET, next(IDS), CREATED, "<message/>")
        await stores.writes.flushed()
        other = sqlite3.connect(sqlite.path)
        assert other.execute("SELECT xml FROM offline_message").fetchall() == [("<message/>",)]
        other.close()
        await database.close()

    asyncio.run(main())


def test_sqlite_syncs_at_every_commit(sqlite: SqliteBackend) -> None:
    connection = sqlite.connect(writing=True)
    assert connection.rows(Statement("PRAGMA journal_mode"), {}) == [("wal",)]
    assert connection.rows(Statement("PRAGMA synchronous"), {}) == [(2,)]
    connection.close()


def test_postgresql_syncs_at_every_commit_whatever_its_default(
    migrated_cluster: Cluster, postgres: PostgresBackend
) -> None:
    def setting(connection: Connection) -> object:
        return connection.rows(Statement("SHOW synchronous_commit"), {})

    migrated_cluster.sql("ALTER DATABASE stores SET synchronous_commit = off", "stores")
    connection = postgres.connect(writing=True)
    assert setting(connection) == [("on",)]
    connection.close()
    migrated_cluster.sql("ALTER DATABASE stores RESET synchronous_commit", "stores")
