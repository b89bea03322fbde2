"""SQL: SQLAlchemy writes it, once, and the driver gets the text.

A statement costs 18 µs through SQLAlchemy's `execute` and 2 µs through the driver's cursor (SQLite; see
docs/decisions/0005-storage.md), and a message may need two.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Dialect, Insert, ScalarSelect, Select, Table, bindparam, select

from commonroom.storage.tables import account

Value = str | int | bytes | None
Parameters = Mapping[str, Value]
Row = tuple[Any, ...]


class Statement:
    """SQL text in the driver's dialect, with named parameters; `constants` are those that never change."""

    __slots__ = ("_constants", "text")

    def __init__(self, text: str, constants: Parameters | None = None) -> None:
        self.text = text
        self._constants = constants

    def bound(self, parameters: Parameters) -> Parameters:
        """All that the text asks for."""
        return {**self._constants, **parameters} if self._constants else parameters

    def __repr__(self) -> str:
        return f"Statement({self.text!r})"


class Query(NamedTuple):
    """A statement that returns rows, and what it asks for."""

    statement: Statement
    parameters: Parameters


def compiled(statement: ClauseElement, dialect: Dialect) -> Statement:
    """Turn SQLAlchemy's statement into the driver's text; its `bindparam`s are the parameters."""
    result = statement.compile(dialect=dialect)
    constants = {name: value for name, value in result.params.items() if value is not None}
    return Statement(str(result), constants)


def account_number() -> ScalarSelect[int]:
    """The number of the account whose address is the parameter `account`."""
    return select(account.c.id).where(account.c.jid == bindparam("account")).scalar_subquery()


def row_of_account(table: Table) -> Select[*tuple[Any, ...]]:
    """A new row of a table: the account's number, and a parameter for each other column.

    No row, if there is no such account: so a write for an account that is gone is dropped.
    """
    values = (
        bindparam(column.name, type_=column.type).label(column.name)
        for column in table.columns
        if column.identity is None and column.name != "account_id"
    )
    return select(account.c.id.label("account_id"), *values).where(account.c.jid == bindparam("account"))


def from_rows(insert: Insert, source: Select[*tuple[Any, ...]]) -> Insert:
    """Insert what a query returns, by the names of its columns."""
    return insert.from_select(source.selected_columns.keys(), source)


def upsert(insert: Any, key: Sequence[str], source: Select[*tuple[Any, ...]]) -> Insert:
    """Insert what a query returns; rows with the same key are replaced.

    Never with REPLACE, which would remove the old row and all that hangs on it. `insert` is one dialect's:
    what SQLAlchemy's dialects have in common here has no type.
    """
    names = source.selected_columns.keys()
    replaced = {name: insert.excluded[name] for name in names if name not in key}
    statement: Insert = insert.from_select(names, source).on_conflict_do_update(
        index_elements=key, set_=replaced
    )
    return statement


def add_missing(insert: Any, source: Select[*tuple[Any, ...]]) -> Insert:
    """Insert what a query returns; rows that are there stay as they are."""
    statement: Insert = insert.from_select(source.selected_columns.keys(), source).on_conflict_do_nothing()
    return statement
