"""A large archive: what a page costs depends on the page, not on its place nor on the archive's size.

A million messages, made by the database itself within some seconds. Costs are counted, not timed: steps of
SQLite's virtual machine, pages that PostgreSQL touches.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import make_url

from commonroom.protocol.jid import JID
from commonroom.storage.archive_reading import ArchiveReading, conversation
from commonroom.storage.connection import Connection, DriverConnection
from commonroom.storage.database import Database
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.records import EVERYTHING, ArchiveFilter
from commonroom.storage.schema import migrate
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.statements import Parameters, Row, Statement
from tests.postgres import Cluster
from tests.storage.conftest import Backend

MANY = 1_000_000
OWNERS = 10
PEERS = 50
PAGE = 50
STEP_OF_ID = 1000

OWNER = JID.parse("user3@capulet.example")
PEER = JID.parse("peer7@montague.example")
WITH_RESOURCE = JID.parse("peer7@montague.example/phone")

# Message n belongs to owner n modulo OWNERS; with each owner, the peers take turns.
ROWS = (
    "SELECT n * {step} AS id, n % {owners} + 1 AS owner, c.number AS conversation, c.peer AS peer,"
    " 'phone' AS resource, {flag} AS outgoing, 'origin' || n AS origin, 'hello word' || n AS body,"
    " '<message><body>hello word' || n || '</body></message>' AS xml"
    " FROM {numbers} JOIN numbered c ON c.owner = n % {owners} + 1 AND c.turn = (n / {owners}) % {peers}"
)
COLUMNS = "id, owner, conversation, peer, resource, outgoing, origin, body, xml"


def conversations() -> str:
    """A table of numbers of conversations, which only Python can tell."""
    rows = (
        f"({owner + 1}, {turn}, 'peer{turn}@montague.example', {number(owner, turn)})"
        for owner in range(OWNERS)
        for turn in range(PEERS)
    )
    columns = "column1 AS owner, column2 AS turn, column3 AS peer, column4 AS number"
    return f"CREATE TABLE numbered AS SELECT {columns} FROM (VALUES {', '.join(rows)}) AS made"


def number(owner: int, turn: int) -> int:
    return conversation(JID.parse(f"user{owner}@capulet.example"), JID.parse(f"peer{turn}@montague.example"))


def filling(numbers: str, flag: str) -> list[str]:
    """SQL that makes the archive; its indexes at the end, which is five times as fast."""
    made = ROWS.format(step=STEP_OF_ID, owners=OWNERS, peers=PEERS, numbers=numbers, flag=flag)
    owners = ", ".join(f"('user{owner}@capulet.example', 0)" for owner in range(OWNERS))
    return [
        "DROP INDEX ix_archive_owner_id",
        "DROP INDEX ix_archive_conversation_id",
        f"INSERT INTO archive_owner (address, indexed) VALUES {owners}",
        conversations(),
        f"INSERT INTO archive ({COLUMNS}) {made} ORDER BY n",
        "DROP TABLE numbered",
        "CREATE INDEX ix_archive_owner_id ON archive (owner, id)",
        "CREATE INDEX ix_archive_conversation_id ON archive (conversation, id)",
    ]


def fill(backend: Backend) -> None:
    connection = backend.connect(writing=True)
    if isinstance(backend, SqliteBackend):
        counted = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY}"
        numbers = f"(WITH RECURSIVE numbers(n) AS ({counted}) SELECT n FROM numbers)"
        before, statements = "PRAGMA cache_size = -100000", filling(numbers, "n % 2")
        after = "PRAGMA wal_checkpoint(TRUNCATE)"
    else:
        before, after = "SET maintenance_work_mem = '128MB'", "VACUUM ANALYZE archive"
        made = filling(f"generate_series(1, {MANY}) AS numbers(n)", "n % 2")
        statements = [statement.replace("%", "%%") for statement in made]
    for statement in ("BEGIN", before, *statements, "COMMIT", after):
        if statement.startswith("PRAGMA wal"):
            connection.rows(Statement(statement), {})
        else:
            connection.execute(Statement(statement), {})
    connection.close()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A database with a million messages; tests only read it."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("large") / "large.sqlite"
        backend: Backend = SqliteBackend(path)
        migrate(backend, "large")
        fill(backend)
        yield backend
        path.unlink()
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    cluster.sql("CREATE DATABASE large")
    backend = PostgresBackend(make_url(cluster.url("large")))
    migrate(backend, "large")
    fill(backend)
    yield backend
    cluster.sql("DROP DATABASE large WITH (FORCE)")


class Counting:
    """A connection that counts what its queries cost."""

    def __init__(self, connection: Connection) -> None:
        assert isinstance(connection, DriverConnection)
        self._connection = connection
        self._is_sqlite = hasattr(connection._driver, "set_progress_handler")
        self.cost = 0

    def rows(self, statement: Statement, parameters: Parameters) -> list[Row]:
        if not self._is_sqlite:
            explained = Statement(f"EXPLAIN (ANALYZE, BUFFERS) {statement.text}", statement.bound({}))
            lines = [line for (line,) in self._connection.rows(explained, parameters)]
            touched = next(line for line in lines if "Buffers: shared" in line)
            self.cost += sum(map(int, re.findall(r"(?:hit|read)=(\d+)", touched)))
            return self._connection.rows(statement, parameters)
        self._connection._driver.set_progress_handler(self._count, 1)
        try:
            return self._connection.rows(statement, parameters)
        finally:
            self._connection._driver.set_progress_handler(None, 0)

    def _count(self) -> int:
        self.cost += 1
        return 0


Reading = Callable[[ArchiveReading, Any], object]


def costs(backend: Backend, *readings: Reading) -> list[int]:
    """What each costs; the first one is done once before, to have the index's upper pages at hand."""

    async def main() -> list[int]:
        database = Database(backend, asyncio.get_running_loop())
        reading = ArchiveReading(database)

        def count(work: Reading, connection: Connection) -> int:
            counting = Counting(connection)
            work(reading, counting)
            return counting.cost

        counted: Callable[[Reading], Awaitable[int]] = lambda work: database.reader.read(  # noqa: E731
            lambda connection: count(work, connection)
        )
        try:
            return [await counted(work) for work in (readings[0], *readings)][1:]
        finally:
            await database.close()

    return asyncio.run(main())


def id_at(part: float) -> int:
    return int(MANY * part) * STEP_OF_ID


def page(wanted: ArchiveFilter, backwards: bool = False) -> Reading:
    def read(reading: ArchiveReading, connection: Any) -> object:
        found = reading.page(connection, OWNER, wanted, PAGE, backwards)
        assert len(found) == PAGE
        assert all(kept.peer.bare == wanted.peer.bare for kept in found if wanted.peer is not None)
        return found

    return read


@pytest.mark.parametrize("peer", [None, PEER, WITH_RESOURCE])
def test_a_page_costs_the_same_at_any_depth(large: Backend, peer: JID | None) -> None:
    found = costs(
        large,
        page(ArchiveFilter(peer)),
        page(ArchiveFilter(peer, after=id_at(0.01))),
        page(ArchiveFilter(peer, after=id_at(0.5))),
        page(ArchiveFilter(peer, after=id_at(0.95))),
        page(ArchiveFilter(peer, after=id_at(0.3), before=id_at(0.8))),
        page(ArchiveFilter(peer), backwards=True),
        page(ArchiveFilter(peer, before=id_at(0.5)), backwards=True),
        page(ArchiveFilter(peer, before=id_at(0.05)), backwards=True),
        page(ArchiveFilter(peer, after=id_at(0.3), before=id_at(0.8)), backwards=True),
    )
    # Twice: where less than two pages are left, PostgreSQL may read them all and sort.
    assert max(found) <= min(found) * 2 + 20
    # A row is some 35 steps or, at most, two pages of four levels each.
    assert max(found) < PAGE * 60


def test_counting_stops_at_its_limit(large: Backend) -> None:
    few, many = costs(
        large,
        lambda reading, connection: reading.count(connection, OWNER, EVERYTHING, 100),
        lambda reading, connection: reading.count(connection, OWNER, EVERYTHING, 1000),
    )
    assert few * 5 < many < few * 20


def test_single_messages_cost_what_they_are(large: Backend) -> None:
    ids = [id_at(0.5) + 3 * STEP_OF_ID - 2 * STEP_OF_ID + OWNERS * STEP_OF_ID * n for n in range(10)]
    (cost,) = costs(large, lambda reading, connection: reading.some(connection, OWNER, ids))
    assert cost < 60 * (len(ids) + 1)
