"""Options: how a field of a settings dataclass says what it is, so that all else can be derived from it.

A settings table is a frozen dataclass. Each field is made with `option` (a value), `table` (one table
inside) or `tables` (a table for each of several names). The loader, the commented file that
`commonroom init` writes, and docs/configuration.md are derived from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Protocol, TypeVar, overload, runtime_checkable

from commonroom.config.kinds import Kind, T

S = TypeVar("S")
Key = tuple[str, ...]
Toml = bool | int | float | str | list[Any]


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """What is known of one option; `unset` says what holds instead when it has no default.

    A `live` one counts as soon as the configuration is read again; others when the service starts again.
    """

    kind: Kind[T]
    doc: str
    default: T | None
    example: T
    unset: str
    required: bool
    live: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of further options."""

    settings: type[Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """Any number of tables of the same options, each under a name of one kind."""

    settings: type[Any]
    key: Kind[str]
    example: str


Entry = Option[Any] | Table | Tables


@runtime_checkable
class Checked(Protocol):
    """A table whose options must also fit each other."""

    def faults(self) -> Iterator[tuple[Key, str]]:
        """The path of each option that does not fit, inside the table, and what to write instead."""


@overload
def option(
    kind: Kind[T],
    default: Toml,
    doc: str,
    *,
    example: Toml | None = None,
    required: bool = False,
    secret: bool = False,
    live: bool = False,
) -> T: ...


@overload
def option(
    kind: Kind[T],
    default: None,
    doc: str,
    *,
    unset: str,
    example: Toml,
    secret: bool = False,
    live: bool = False,
) -> T | None: ...


def option(
    kind: Kind[Any],
    default: Toml | None,
    doc: str,
    *,
    unset: str = "",
    example: Toml | None = None,
    required: bool = False,
    secret: bool = False,
    live: bool = False,
) -> Any:
    """A field for one option; default and example are what stands in TOML, and are checked as such.

    A required option must be in the file; its default serves tests. A secret one is left out of repr().
    For `live`, see `Option`; app/reloading.py makes it true.
    """
    value = None if default is None else kind.read(default)
    shown = value if example is None else kind.read(example)
    entry = Option(kind, doc, value, shown, unset, required, live)
    return field(default=value, repr=not secret, metadata={"entry": entry})


def table(settings: type[S]) -> S:
    """A field for a table; its docstring is the text that operators read."""
    made: S = field(default_factory=settings, metadata={"entry": Table(settings)})
    return made


def tables(settings: type[S], key: Kind[str], example: str) -> Mapping[str, S]:
    """A field for tables that are named by the operator, like one for each domain."""
    made: Mapping[str, S] = field(default_factory=dict, metadata={"entry": Tables(settings, key, example)})
    return made


def entries(settings: type[Any]) -> dict[str, Entry]:
    """The declarations of a settings dataclass by the name of their field."""
    return {each.name: each.metadata["entry"] for each in fields(settings)}


def options(settings: type[Any]) -> dict[str, Option[Any]]:
    """Those of its declarations that are values."""
    return {name: entry for name, entry in entries(settings).items() if isinstance(entry, Option)}


def walk(settings: type[Any], path: Key = ()) -> Iterator[tuple[Key, type[Any]]]:
    """Each table of the schema with its path, parents first; a named one under its example's name."""
    yield path, settings
    for name, entry in entries(settings).items():
        if isinstance(entry, Table):
            yield from walk(entry.settings, (*path, name))
        elif isinstance(entry, Tables):
            yield from walk(entry.settings, (*path, name, entry.example))
