"""The commented commonroom.toml that `commonroom init` writes: every option, its meaning and its default."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from commonroom.config.kinds import toml_key
from commonroom.config.option import Key, Option, Table, Tables, entries, options
from commonroom.config.schema import Settings

WIDTH = 98
HEADER = (
    "Settings of Common Room. A line that begins with # and a space is a note; one with # alone is an option "
    "with the value that it has anyway, or with an example: remove the # to change it.\n"
    "Relative paths start at the folder of this file."
)


def render(settings: Settings) -> str:
    """The file's text: what differs from the defaults is set, all else stands as a comment."""
    return "\n".join([*_note(HEADER), *_table(type(settings), settings, ())]) + "\n"


def _table(declared: type[Any], settings: Any, key: Key) -> Iterator[str]:
    """The lines of one table and those inside it; of an example when there are no settings."""
    mark = "" if settings is not None else "#"
    if key:
        yield from ["", "", f"{mark}[{toml_key(key)}]", *_note(" ".join((declared.__doc__ or "").split()))]
    for name, entry in options(declared).items():
        value = entry.example if settings is None else getattr(settings, name)
        yield from ["", *_note(about(entry)), f"{_mark(entry, value, mark)}{name} = {written(entry, value)}"]
    for name, inner in entries(declared).items():
        if isinstance(inner, Table):
            yield from _table(inner.settings, getattr(settings, name, None), (*key, name))
        elif isinstance(inner, Tables):
            yield from _tables(inner, getattr(settings, name, {}), (*key, name))


def _tables(entry: Tables, named: dict[str, Any], key: Key) -> Iterator[str]:
    for name, settings in (named or {entry.example: None}).items():
        yield from _table(entry.settings, settings, (*key, name))


def _mark(entry: Option[Any], value: Any, mark: str) -> str:
    return mark if entry.required or value != entry.default else "#"


def written(entry: Option[Any], value: Any) -> str:
    """The value as TOML; the example when it is not set."""
    return entry.kind.write(entry.example if value is None else value)


def about(entry: Option[Any]) -> str:
    """What an operator should know of an option, besides its name and default."""
    expected = entry.kind.expected
    facts = [entry.doc, f"{expected[0].upper()}{expected[1:]}."]
    if entry.unset:
        facts.append(f"If not set: {entry.unset}.")
    elif entry.example != entry.default:
        facts.append(f"For example: {entry.kind.write(entry.example)}")
    return "\n".join(facts)


def _note(text: str) -> Iterator[str]:
    for paragraph in text.strip().splitlines():
        lines = wrap(paragraph.strip(), WIDTH, break_on_hyphens=False, break_long_words=False)
        yield from (f"# {line}" for line in lines or [""])
