"""SQL: SQLAlchemy writes it, once, and the driver gets the text.

A statement costs 18 µs through SQLAlchemy's `execute` and 2 µs through the driver's cursor (SQLite; see
docs/decisions/0005-storage.md), and a message may need two.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Insert, ScalarSelect, Select, Table, bindparam, select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import Executable

from commonroom.storage.tables import account

Value = str | int | bytes | None
Parameters = Mapping[str, Value]
Row = tuple[Any, ...]


class Statement:
    """SQL text in the driver's dialect, with named parameters."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Statement({self.text!r})"


class Query(NamedTuple):
    """A statement that returns rows, and what it asks for."""

    statement: Statement
    parameters: Parameters


def compiled(statement: Executable, dialect: Dialect) -> Statement:
    """Turn SQLAlchemy's statement into the driver's text; its `bindparam`s are the parameters."""
    return Statement(str(statement.compile(dialect=dialect)))


def account_number() -> ScalarSelect[int]:
    """The number of the account whose address is the parameter `account`."""
    return select(account.c.id).where(account.c.jid == bindparam("account")).scalar_subquery()


def row_of_account(table: Table) -> Select[tuple[Any, ...]]:
    """A new row of a table: the account's number, and a parameter for each other column.

    No row, if there is no such account: so a write for an account that is gone is dropped.
    """
    values = (
        bindparam(column.name, type_=column.type).label(column.name)
        for column in table.columns
        if column.identity is None and column.name != "account_id"
    )
    return select(account.c.id.label("account_id"), *values).where(account.c.jid == bindparam("account"))


def from_rows(insert: Insert, source: Select[tuple[Any, ...]]) -> Insert:
    """Insert what a query returns, by the names of its columns."""
    return insert.from_select([column.name for column in source.selected_columns], source)
