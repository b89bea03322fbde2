"""TOML 1.0: on which line each key and each item of a list stands, which tomllib does not tell.

The scanner reads text that tomllib has accepted (or accepted up to a repeated key), so that it need not
check anything: it tells keys from values, and follows brackets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[str | int, ...]

TOKEN = re.compile(
    r"""
    (?P<blank> [ \t\r]+ | \#[^\n]* )
  | (?P<quoted> \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} | " (?: \\. | [^"\\\n] )* " | '[^'\n]*' )
  | (?P<sign> [\[\]{}=,.\n] )
  | (?P<bare> [^\s\#"'\[\]{}=,.]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class Positions:
    """Lines, counted from 1, by place: keys and list indices, outermost first."""

    lines: dict[Place, int] = field(default_factory=dict)
    repeated: list[tuple[Place, int]] = field(default_factory=list)

    def line(self, place: Place) -> int | None:
        """The line of the place, or else of the nearest table around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def positions(text: str) -> Positions:
    """Find all places of a TOML document; raises RecursionError if it is nested too deep for tomllib too."""
    return _Scanner(text).document()


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in TOKEN.finditer(text):
        if found.lastgroup != "blank":
            yield found[0], line
        line += found[0].count("\n")
    yield "", line


class _Scanner:
    """One pass over the tokens; each method starts at its first token and stops behind its last."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self._found = Positions()
        self._assigned: set[Place] = set()
        self._advance()

    def _advance(self) -> None:
        self._token, self._line = next(self._rest, ("", 0))

    def document(self) -> Positions:
        table: Place = ()
        while self._token:
            if self._token == "[":
                table = self._header()
            elif self._token == "\n":
                self._advance()
            else:
                self._pair(table)
        return self._found

    def _header(self) -> Place:
        line, brackets = self._line, 0
        while self._token == "[":
            brackets += 1
            self._advance()
        table = self._key((), line, "]", list_item=brackets > 1)
        while self._token == "]":
            self._advance()
        return table

    def _pair(self, table: Place) -> None:
        place = self._key(table, self._line, "=")
        self._advance()
        self._value(place)

    def _key(self, table: Place, line: int, end: str, *, list_item: bool = False) -> Place:
        place = table
        while self._token not in (end, "\n", ""):
            if self._token != ".":
                place = (*place, _unquoted(self._token))
                self._found.lines.setdefault(place, line)
            self._advance()
        if list_item:
            self._assigned = {each for each in self._assigned if each[: len(place)] != place}
        elif place in self._assigned:
            self._found.repeated.append((place, line))
        self._assigned.add(place)
        return place

    def _value(self, place: Place) -> None:
        if self._token == "[":
            self._list(place)
        elif self._token == "{":
            self._inline_table(place)
        else:
            while self._token not in ("\n", ",", "]", "}", ""):
                self._advance()

    def _list(self, place: Place) -> None:
        self._advance()
        index = 0
        while self._token not in ("]", "}", ""):
            if self._token == ",":
                index += 1
            if self._token in ("\n", ","):
                self._advance()
                continue
            self._found.lines[*place, index] = self._line
            self._value((*place, index))
        self._advance()

    def _inline_table(self, place: Place) -> None:
        self._advance()
        while self._token not in ("}", ""):
            if self._token in (",", "\n"):
                self._advance()
            else:
                self._pair(place)
        self._advance()


def _unquoted(token: str) -> str:
    """The key that a token is; TOML's escapes are tomllib's to undo."""
    if token[0] not in "\"'":
        return token
    try:
        (key,) = tomllib.loads(f"{token} = 0")
    except tomllib.TOMLDecodeError:
        return token
    return key
