"""Kinds of values: how an option's value is written in TOML, checked, and read into a typed value.

A kind refuses what it cannot take with `RefusedError`, which says what the value is not and what to write
instead; the loader adds which option and which line.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
N = TypeVar("N", int, float)

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
CONTROLS = re.compile(r"[\x7f-\x9f]")
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)")
SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
BYTES = {"B": Decimal(1), "KiB": Decimal(1 << 10), "MiB": Decimal(1 << 20), "GiB": Decimal(1 << 30)}


class RefusedError(ValueError):
    """A value that an option cannot take: one text for each fault, and which list item it is in."""

    def __init__(self, *faults: tuple[tuple[int, ...], str]) -> None:
        super().__init__("; ".join(text for _, text in faults))
        self.faults = faults


def refused(text: str) -> RefusedError:
    """The refusal of a whole value, for one reason."""
    return RefusedError(((), text))


def toml_string(text: str) -> str:
    """The text as a TOML basic string (which is a JSON string that also escapes U+007F)."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def toml_key(path: tuple[str, ...]) -> str:
    """The path of a key, dotted, with quotes where TOML needs them."""
    return ".".join(key if BARE_KEY.fullmatch(key) else toml_string(key) for key in path)


def shown(value: object) -> str:
    """A value as an error message shows it: as it stands in the file, cut when long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return toml_string(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, bool):
        return str(value).lower()
    return "the number" if isinstance(value, int) and abs(value) >= 10**60 else str(value)


def did_you_mean(word: str, known: list[str]) -> str:
    """' (did you mean …?)' when a known word is near, else nothing."""
    near = get_close_matches(word.lower(), known, n=1) or get_close_matches(word.upper(), known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def quoted(value: object, expected: str) -> str:
    """The value if it is a string; else refused."""
    if not isinstance(value, str):
        raise refused(f"{shown(value)} is not a text; write {expected}, in quotes")
    return value


class Kind(ABC, Generic[T]):
    """One kind of value."""

    __slots__ = ()

    @property
    @abstractmethod
    def expected(self) -> str:
        """What to write, as in 'write …': 'a whole number from 1 to 10'."""

    @abstractmethod
    def read(self, value: object) -> T:
        """The typed value of what TOML gave; raises `RefusedError`."""

    @abstractmethod
    def write(self, value: T) -> str:
        """The TOML text that `read` makes the same value of."""


@dataclass(frozen=True, slots=True)
class Flag(Kind[bool]):
    """true or false."""

    @property
    def expected(self) -> str:
        return "true or false"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise refused(f"{shown(value)} is neither true nor false; write true or false, without quotes")
        return value

    def write(self, value: bool) -> str:
        return str(value).lower()


@dataclass(frozen=True, slots=True)
class Ranged(Kind[N]):
    """A number between two bounds, both allowed."""

    minimum: N
    maximum: N

    @property
    @abstractmethod
    def noun(self) -> str:
        """What it is, with its article."""

    @property
    def expected(self) -> str:
        return f"{self.noun} from {self.write(self.minimum)} to {self.write(self.maximum)}"

    @abstractmethod
    def number(self, value: object) -> N:
        """The number of a value, whatever its size."""

    def read(self, value: object) -> N:
        number = self.number(value)
        if number < self.minimum or number > self.maximum:
            size = "small" if number < self.minimum else "large"
            raise refused(f"{shown(value)} is too {size}; write {self.expected}")
        return number


@dataclass(frozen=True, slots=True)
class Whole(Ranged[int]):
    """A whole number."""

    @property
    def noun(self) -> str:
        return "a whole number"

    def number(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise refused(f"{shown(value)} is not a whole number; write {self.expected}, without quotes")
        return value

    def write(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Number(Ranged[float]):
    """A number, whole or with a decimal point."""

    @property
    def noun(self) -> str:
        return "a number"

    def number(self, value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
            raise refused(f"{shown(value)} is not a number; write {self.expected}, without quotes")
        return value

    def write(self, value: float) -> str:
        return repr(value)


def quantity(value: object, units: dict[str, Decimal]) -> Decimal | None:
    """The number of base units in a text like '90s'; None when it is no such text."""
    found = QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) <= 60 else None
    return Decimal(found[1]) * units[found[2]] if found and found[2] in units else None


def in_units(number: Decimal, units: dict[str, Decimal], space: str) -> str:
    """The number as a TOML string in the largest unit that gives a whole number, else in the smallest."""
    whole = [unit for unit, one in units.items() if number >= one and number % one == 0]
    unit = whole[-1] if whole else next(iter(units))
    return f'"{(number / units[unit]).normalize():f}{space}{unit}"'


@dataclass(frozen=True, slots=True)
class Duration(Ranged[float]):
    """A length of time, in seconds once read."""

    @property
    def noun(self) -> str:
        return "a duration"

    def number(self, value: object) -> float:
        seconds = quantity(value, SECONDS)
        if seconds is None:
            instead = f"{self.expected}: a number and ms, s, m, h or d, in quotes"
            raise refused(f"{shown(value)} is not a duration; write {instead}")
        return float(seconds)

    def write(self, value: float) -> str:
        return in_units(Decimal(repr(value)), SECONDS, "") if value else '"0s"'


@dataclass(frozen=True, slots=True)
class Size(Ranged[int]):
    """An amount of data, in bytes once read."""

    @property
    def noun(self) -> str:
        return "a size"

    def number(self, value: object) -> int:
        size = quantity(value, BYTES)
        if size is None or size % 1:
            instead = f"{self.expected}: a number and B, KiB (1024 bytes), MiB or GiB, in quotes"
            raise refused(f"{shown(value)} is not a size; write {instead}")
        return int(size)

    def write(self, value: int) -> str:
        return in_units(Decimal(value), BYTES, " ")


def duration(minimum: str, maximum: str) -> Duration:
    """A duration between two, each as it is written in TOML."""
    return Duration(float(quantity(minimum, SECONDS) or 0), float(quantity(maximum, SECONDS) or 0))


def size(minimum: str, maximum: str) -> Size:
    """A size between two, each as it is written in TOML."""
    return Size(int(quantity(minimum, BYTES) or 0), int(quantity(maximum, BYTES) or 0))


@dataclass(frozen=True, slots=True)
class Choice(Kind[E]):
    """One of a closed set of words: the values of a StrEnum."""

    members: type[E]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(toml_string(member.value) for member in self.members)

    def read(self, value: object) -> E:
        for member in self.members:
            if isinstance(value, str) and member.value == value:
                return member
        words = [member.value for member in self.members]
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        raise refused(f"{shown(value)} is not possible here; write {self.expected}{near}")

    def write(self, value: E) -> str:
        return toml_string(value.value)


@dataclass(frozen=True, slots=True)
class Text(Kind[str]):
    """Any text that can travel in XML (XML 1.0 allows few control characters)."""

    maximum: int = 1000

    @property
    def expected(self) -> str:
        return f"a text of 1 to {self.maximum} characters"

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if not 0 < len(text) <= self.maximum:
            raise refused(f"a text of {len(text)} characters; write {self.expected}")
        if found := NOT_XML.search(text):
            raise refused(f"the text contains the control character U+{ord(found[0]):04X}; leave it out")
        return text

    def write(self, value: str) -> str:
        return toml_string(value)


@dataclass(frozen=True, slots=True)
class FilePath(Kind[Path]):
    """A file or folder. The loader makes it relative to the configuration file's folder."""

    noun: str = "a file"

    @property
    def expected(self) -> str:
        return f"the path of {self.noun}"

    def read(self, value: object) -> Path:
        text = quoted(value, self.expected)
        if not text or "\0" in text or text.startswith("~"):
            raise refused(f"{shown(value)} is not a path; write {self.expected}, without ~")
        return Path(text)

    def write(self, value: Path) -> str:
        return toml_string(str(value))


@dataclass(frozen=True, slots=True)
class ListOf(Kind[tuple[T, ...]]):
    """A list of one kind of value, without repetitions."""

    item: Kind[T]
    minimum: int = 0

    @property
    def expected(self) -> str:
        return f"a list, in [ ]{', not empty' if self.minimum else ''}, each item {self.item.expected}"

    def read(self, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise refused(f"{shown(value)} is not a list; write {self.expected}")
        if len(value) < self.minimum:
            raise refused(f"the list is empty; write {self.expected}")
        items: list[T] = []
        faults: list[tuple[tuple[int, ...], str]] = []
        for index, each in enumerate(value):
            try:
                items.append(self._next(each, items))
            except RefusedError as refusal:
                faults += [((index, *inner), text) for inner, text in refusal.faults]
        if faults:
            raise RefusedError(*faults)
        return tuple(items)

    def _next(self, value: object, before: list[T]) -> T:
        item = self.item.read(value)
        if item in before:
            raise refused(f"{shown(value)} is in the list twice; remove one")
        return item

    def write(self, value: tuple[T, ...]) -> str:
        return f"[{', '.join(self.item.write(item) for item in value)}]"
