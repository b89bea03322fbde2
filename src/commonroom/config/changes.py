"""What differs between two configurations, and what of it can count without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from commonroom.config.kinds import toml_key
from commonroom.config.option import Key, Option, Table, Tables, entries

S = TypeVar("S")


class Change(NamedTuple):
    """An option, or a table of several, that differs."""

    key: str
    live: bool


def changes(old: Any, new: Any, key: Key = ()) -> Iterator[Change]:
    """What differs, in the schema's order."""
    for name, entry in entries(type(new)).items():
        before, after, here = getattr(old, name), getattr(new, name), (*key, name)
        if before == after:
            continue
        if isinstance(entry, Table):
            yield from changes(before, after, here)
        elif isinstance(entry, Tables):
            names = [each for each in {**before, **after} if before.get(each) != after.get(each)]
            yield from (Change(toml_key((*here, each)), _is_live(entry)) for each in names)
        else:
            yield Change(toml_key(here), _is_live(entry))


def merged(old: S, new: S) -> S:
    """The new configuration as far as it can count at once, the old one for the rest."""
    values = {}
    for name, entry in entries(type(new)).items():
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(entry, Table):
            values[name] = merged(before, after)
        else:
            values[name] = after if _is_live(entry) else before
    return replace(old, **values)  # type: ignore[type-var]


def _is_live(entry: Option[Any] | Table | Tables) -> bool:
    if isinstance(entry, Option):
        return entry.live
    return all(_is_live(inner) for inner in entries(entry.settings).values())
