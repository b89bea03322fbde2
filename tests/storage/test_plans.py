"""Nothing reads a whole table: what an account costs does not depend on how many there are."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import fields

from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.statements import Parameters, Query, Statement
from commonroom.storage.stores import sql_stores
from tests.storage.conftest import Backend

NUMBERS = {
    "limit",
    "after",
    "through",
    "revision",
    "complete_from",
    "stamp",
    "size",
    "by",
    "back",
    "at",
    "version",
    "id",
    "number",
    "owner_number",
    "conversation",
    "before",
    "public",
    "since",
    "until",
    "day",
}

HARMLESS = (
    "SCAN CONSTANT ROW",
    "SCAN account USING INDEX",  # a page of all accounts follows the index of addresses, as far as it goes
    "SCAN archive_words VIRTUAL TABLE INDEX 0:M",  # M: by the words that are looked for
    "SCAN archive_words VIRTUAL TABLE INDEX 192:M",  # in the order of ids, backwards
    "SCAN archive_words VIRTUAL TABLE INDEX 64:M",  # and forwards
    "SCAN api_token USING INDEX",  # operators made them, and want to see all
    "SCAN archive_erasure",  # the first row of all
    "SCAN wanted",  # counting, as far as the limit
)


# The visitors of one day, by client: once, when it is over.
SORTED = {"statistics._visits", "upkeep._readdressing._peers"}


def statements(database: Database) -> Iterator[tuple[str, Statement]]:
    """All statements of all stores, by name."""
    stores = sql_stores(database)
    for field in fields(stores):
        yield from found_in(field.name, getattr(stores, field.name))


def found_in(name: str, owner: object) -> Iterator[tuple[str, Statement]]:
    for attribute, value in vars(owner).items():
        if isinstance(value, Statement):
            yield f"{name}.{attribute}", value
        elif isinstance(value, dict):
            yield from ((f"{name}.{attribute}{key}", each) for key, each in value.items())
        elif type(value).__name__.endswith(("Reading", "Readdressing", "Words", "Owners")):
            yield from found_in(f"{name}.{attribute}", value)


def sample(statement: Statement) -> Parameters:
    names = re.findall(r"(?<!:):(\w+)|%\((\w+)\)s", statement.text)
    given = {name or other for name, other in names} - {*statement.bound({})}
    return {name: _value(name, statement) for name in given}


def _value(name: str, statement: Statement) -> str | int | bytes:
    if name == "after" and "account" in statement.text and "offline" not in statement.text:
        return "juliet@capulet.example"
    if name in {"disabled", "disable", "approved", "listed"}:
        return True
    if name == "value":
        return b""
    return 1 if name in NUMBERS else "juliet@capulet.example"


def plan(database: Database, connection: Connection, statement: Statement) -> str:
    """What the database would do; PostgreSQL with a price on reading whole tables, because ours are empty."""
    if database.backend.engine.dialect.name == "sqlite":
        explained = Statement(f"EXPLAIN QUERY PLAN {statement.text}", statement.bound({}))
        return "\n".join(row[3] for row in connection.rows(explained, sample(statement)))
    explained = Statement(f"EXPLAIN {statement.text}", statement.bound({}))
    never = Query(Statement("SELECT set_config('enable_seqscan', 'off', true)"), {})
    _, lines = connection.rows_of(never, Query(explained, sample(statement)))
    return "\n".join(line for (line,) in lines)


def test_every_statement_uses_an_index(backend: Backend) -> None:
    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        found = dict(statements(database))
        plans = {
            name: await database.reader.read(lambda c, s=statement: plan(database, c, s))  # type: ignore[misc]
            for name, statement in found.items()
            if not statement.text.startswith(("INSERT", "UPDATE", "DELETE"))
            or backend.engine.dialect.name == "sqlite"
        }
        await database.close()
        assert len(found) > 30  # and not none, because their names changed
        for name, text in plans.items():
            allowed = text
            for harmless in HARMLESS:
                allowed = allowed.replace(harmless, "")
            assert "SCAN" not in allowed, f"{name}: {text}"
            assert "Seq Scan" not in text, f"{name}: {text}"
            assert "TEMP B-TREE" not in text or name in SORTED, f"{name}: {text}"

    asyncio.run(main())


def test_a_page_of_an_archive_comes_from_its_index_in_the_right_order(backend: Backend) -> None:
    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        pages = {
            name: await database.reader.read(lambda c, s=statement: plan(database, c, s))  # type: ignore[misc]
            for name, statement in statements(database)
            if "wards_Kind" in name and "text=False" in name
        }
        await database.close()
        assert len(pages) == 6
        for name, text in pages.items():
            index = "conversation" if "peer=True" in name else "owner"
            assert f"ix_archive_{index}_id" in text, f"{name}: {text}"
            assert "Sort" not in text, f"{name}: {text}"

    asyncio.run(main())
