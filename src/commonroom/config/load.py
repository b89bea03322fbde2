"""Reading commonroom.toml: the settings, or a `ConfigError` that lists all faults of the file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from commonroom.config.kinds import RefusedError, refused, shown, toml_key
from commonroom.config.option import Checked, Entry, Key, Option, Table, Tables, entries, walk
from commonroom.config.positions import Place, Positions, positions
from commonroom.config.schema import Settings
from commonroom.config.syntax import explain

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the file: what, and what to write instead; and where, if that is known."""

    text: str
    path: Path
    key: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        line = f":{self.line}" if self.line else ""
        column = f", column {self.column}" if self.column else ""
        return f"{key}{self.text} ({self.path}{line}{column})"


class ConfigError(Exception):
    """The configuration cannot be used; one line of the message for each fault, in the file's order."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def load(path: Path) -> Settings:
    """The settings of a file; raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        instead = "run `commonroom init` to write one, or name the one you have"
        raise ConfigError(Fault(f"there is no such file; {instead}", path)) from None
    except OSError as error:
        denied = isinstance(error, PermissionError)
        instead = "give the account that runs the server the right to read it" if denied else "name a file"
        raise ConfigError(Fault(f"it cannot be read: {error.strerror}; {instead}", path)) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise ConfigError(Fault(f"{bad}; save the file in the encoding UTF-8", path, line=line)) from None
    return parse(text, path)


def parse(text: str, path: Path) -> Settings:
    """The settings of a file's text; its relative paths start at the file's folder. Raises ConfigError."""
    try:
        tree, places = _toml(text, path)
    except RecursionError:
        raise ConfigError(Fault("lists or tables are nested too deep; no option needs that", path)) from None
    return _Reader(path, places).settings(tree)


def _toml(text: str, path: Path) -> tuple[dict[str, Any], Positions]:
    try:
        return tomllib.loads(text), positions(text)
    except ValueError as error:
        fault = explain(text, error)
    raise ConfigError(Fault(fault.text, path, line=fault.line, column=fault.column))


class _Reader:
    """Makes settings of what tomllib read, and collects what is wrong on the way."""

    def __init__(self, path: Path, places: Positions) -> None:
        self._path = path
        self._folder = path.absolute().parent
        self._places = places
        self._faults: list[Fault] = []

    def settings(self, tree: dict[str, Any]) -> Settings:
        settings = self._table(Settings, tree, ())
        if settings is None or self._faults:
            raise ConfigError(*sorted(self._faults, key=lambda fault: fault.line or 0))
        return settings

    def _fault(self, key: Key, text: str, inner: tuple[int, ...] = ()) -> None:
        place: Place = (*key, *inner)
        self._faults.append(Fault(text, self._path, toml_key(key), self._places.line(place)))

    def _table(self, settings: type[S], tree: dict[str, Any], key: Key) -> S | None:
        """The table's settings; None, and faults, when it has any."""
        before = len(self._faults)
        declared = entries(settings)
        for name in tree.keys() - declared.keys():
            self._fault((*key, name), _unknown(name, key, list(declared)))
        values = {name: self._entry(entry, tree.get(name), (*key, name)) for name, entry in declared.items()}
        if len(self._faults) > before:
            return None
        made = settings(**values)
        for path, text in made.faults() if isinstance(made, Checked) else ():
            self._fault((*key, *path), text)
        return made

    def _entry(self, entry: Entry, value: Any, key: Key) -> Any:
        try:
            if isinstance(entry, Option):
                return self._option(entry, value)
            tree = {} if value is None else _tree(value, key)
            if isinstance(entry, Table):
                return self._table(entry.settings, tree, key)
            return self._tables(entry, tree, key)
        except RefusedError as refusal:
            for inner, text in refusal.faults:
                self._fault(key, text, inner)

    def _option(self, entry: Option[Any], value: Any) -> Any:
        if value is None and entry.required:
            raise refused(f"it is missing; write {entry.kind.expected}")
        made = entry.default if value is None else entry.kind.read(value)
        if type(made) is tuple:  # and not an address, which is one tuple
            return tuple(self._folder / each if isinstance(each, Path) else each for each in made)
        return self._folder / made if isinstance(made, Path) else made

    def _tables(self, entry: Tables, tree: dict[str, Any], key: Key) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, inner in tree.items():
            try:
                known = entry.key.read(name)
                if known in made:
                    raise refused("it is the same name as another one here; keep one of the two tables")
                made[known] = self._table(entry.settings, _tree(inner, (*key, name)), (*key, name))
            except RefusedError as refusal:
                self._fault((*key, name), str(refusal))
        return made


def _tree(value: object, key: Key) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refused(f"{shown(value)} is not a table; write [{toml_key(key)}] and its options below")
    return value


def _unknown(name: str, key: Key, known: list[str]) -> str:
    """What to tell of a name that this table has no option for."""
    where = f"[{toml_key(key)}]" if key else "The top of the file"
    elsewhere = [path for path, settings in walk(Settings) if name in entries(settings)]
    if near := get_close_matches(name, known, n=1):
        advice = f"did you mean {near[0]}?"
    elif elsewhere:
        home = (
            f"in [{toml_key(elsewhere[0])}]"
            if elsewhere[0]
            else "at the top of the file, before the first table"
        )
        advice = f"it belongs {home}."
    else:
        advice = "remove it."
    return f"there is no such option; {advice} {where} has: {', '.join(known)}"
