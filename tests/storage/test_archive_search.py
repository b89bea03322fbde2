"""Full-text search (XEP-0431): what it finds, in whose archive, and that nothing is syntax."""

import asyncio

import pytest

from commonroom.storage.archive_words import STEP, ArchiveWords
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import ArchiveFilter
from commonroom.storage.sqlite import SqliteBackend
from commonroom.storage.statements import Statement
from commonroom.storage.stores import sql_stores
from tests.storage.conftest import Backend, Run
from tests.storage.samples import JULIET, NURSE
from tests.storage.test_archive import archived, ids, message

INJECTIONS = [
    '"',
    "'",
    '" OR "1_secret',
    "words:secret",
    "sec*",
    "secret NOT nothing",
    "NEAR(secret nothing)",
    "^nothing",
    "nothing OR secret",
    "-nothing",
    "'nothing' | 'secret'",
    "!nothing",
    "secre:*",
    "\\",
    "1_secret",
    "%",
    "\u0000",
]


def test_a_search_without_words_finds_nothing(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1, body="word"), message(2, body=""), message(3))
        for text in ("", " ", "?!", "*"):
            assert await ids(stores, ArchiveFilter(text=text)) == []
            assert await stores.archive.count(JULIET, ArchiveFilter(text=text), 10) == 0

    run(scenario)


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_a_user_types_is_words_and_never_syntax(run: Run, text: str) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1, body="a secret"), owner=NURSE)
        await archived(stores, message(2, body="a secret"), message(3, body="other"))
        assert await ids(stores, ArchiveFilter(text=text)) == []

    run(scenario)


def test_all_words_must_occur_whatever_their_case_accents_and_order(run: Run) -> None:
    bodies = ("Wherefore art thou", "THOU art a villain", "crème brûlée", "東京タワー", "the artist")

    async def scenario(stores: Stores) -> None:
        await archived(stores, *(message(id, body=body) for id, body in enumerate(bodies, 1)))
        for text, expected in (
            ("art", [1, 2]),
            ("thou Art", [1, 2]),
            ("villain, wherefore?", []),
            ("Creme", [3]),
            ("BRÛLÉE", [3]),
            ("京", [4]),
            ("art art art", [1, 2]),
        ):
            assert await ids(stores, ArchiveFilter(text=text)) == expected, text

    run(scenario)


def test_a_search_finds_what_was_written_a_moment_ago_and_in_steps_all_of_a_long_archive(run: Run) -> None:
    last = STEP * 2 + 7

    async def scenario(stores: Stores) -> None:
        await archived(stores, *(message(id, body=f"number {id}") for id in range(1, last + 1)))
        assert await ids(stores, ArchiveFilter(text=f"number {last}")) == [last]
        assert await ids(stores, ArchiveFilter(text="number"), limit=3) == [1, 2, 3]
        stores.archive.append(JULIET, message(last + 1, body="number new"))
        await stores.writes.flushed()
        assert await ids(stores, ArchiveFilter(text="new")) == [last + 1]
        assert await stores.archive.count(JULIET, ArchiveFilter(text="number"), 1000) == last + 1

    run(scenario)


async def postings(database: Database) -> int:
    """What the index holds of all archives: words of messages (SQLite), messages (PostgreSQL)."""

    def count(connection: Connection) -> int:
        if isinstance(database.backend, SqliteBackend):
            vocabulary = Statement(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, archive_words, row)"
            )
            connection.execute(Statement("PRAGMA query_only = off"), {})
            connection.execute(vocabulary, {})
            return int(connection.rows(Statement("SELECT coalesce(sum(doc), 0) FROM vocabulary"), {})[0][0])
        return int(connection.rows(Statement("SELECT count(*) FROM archive_words"), {})[0][0])

    return await database.reader.read(count)


def test_only_who_searches_is_indexed_and_the_background_goes_on_with_it(backend: Backend) -> None:
    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        await archived(stores, *(message(id, body="word") for id in range(1, 11)))
        await archived(stores, message(11, body="word"), owner=NURSE)
        assert await stores.upkeep.index(100) == 0
        assert await postings(database) == 0
        assert await ids(stores, ArchiveFilter(text="word")) == list(range(1, 11))
        assert await postings(database) == 10
        stores.archive.append(JULIET, message(12, body="word"))
        stores.archive.append(JULIET, message(13, body="word"))
        await stores.writes.flushed()
        assert [await stores.upkeep.index(1) for _ in range(3)] == [1, 1, 0]
        assert await postings(database) == 12
        await database.close()

    asyncio.run(main())


def test_what_is_erased_expired_or_retracted_leaves_no_word_in_the_index(backend: Backend) -> None:
    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        await archived(stores, *(message(id, body="word") for id in range(1, 7)), message(7, NURSE, "word"))
        assert len(await ids(stores, ArchiveFilter(text="word"))) == 7
        stores.archive.append(JULIET, message(8, body="word"))  # never indexed
        stores.archive.replace(JULIET, 6, "<gone/>")
        await stores.writes.flushed()
        assert await postings(database) == 6
        assert await stores.upkeep.expire(JULIET, 3, 100) == 2
        assert await postings(database) == 4
        stores.archive.erase(JULIET, message(1).peer)
        await stores.writes.flushed()
        while await stores.upkeep.purge(2):
            pass
        assert await postings(database) == 1
        stores.archive.erase(JULIET)
        await stores.writes.flushed()
        while await stores.upkeep.purge(2):
            pass
        assert await postings(database) == 0
        await database.close()

    asyncio.run(main())


def test_two_that_search_at_once_index_each_message_once(backend: Backend) -> None:
    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        await archived(stores, *(message(id, body="word") for id in range(1, STEP + 50)))
        other = ArchiveWords(database)
        await asyncio.gather(other.catch_up(JULIET), ids(stores, ArchiveFilter(text="word")))
        assert await postings(database) == STEP + 49
        await database.close()

    asyncio.run(main())
