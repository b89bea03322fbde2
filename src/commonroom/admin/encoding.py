"""Values of operations as JSON has them, and back, by their types."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from commonroom.protocol.jid import JID


def plain(value: Any) -> Any:
    """The value as dicts, lists and what JSON has; moments are written as RFC 3339 does, in UTC."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def read(kind: Any, value: Any) -> Any:
    """What `plain` made, as this type; raises ValueError with what is expected instead."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = [each for each in get_args(kind) if each is not NoneType]
        return None if value is None else read(inner[0], value)
    if origin is tuple:
        return tuple(read(get_args(kind)[0], each) for each in _of(list, value, "a list"))
    if origin is not None:  # a mapping
        name, inner_kind = get_args(kind)
        items = _of(dict, value, "an object").items()
        return {read(name, key): read(inner_kind, each) for key, each in items}
    if kind in _READERS:
        return _READERS[kind](value)
    if kind is None or kind is NoneType:
        return None
    if issubclass(kind, Enum):
        return _choice(kind, value)
    return _dataclass(kind, value)


def _dataclass(kind: Any, value: Any) -> Any:
    given = _of(dict, value, "an object")
    hints = get_type_hints(kind)
    made = {}
    for each in fields(kind):
        if each.name in given:
            made[each.name] = read(hints[each.name], given[each.name])
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{each.name} is missing")
    return kind(**made)


def _choice(kind: type[Enum], value: Any) -> Enum:
    for each in kind:
        if each.value == value:
            return each
    raise ValueError(f"write one of: {', '.join(str(each.value) for each in kind)}")


def _of(kind: type[Any], value: Any, expected: str) -> Any:
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"write {expected}")
    return value


def _text(value: Any) -> str:
    text: str = _of(str, value, "a text")
    return text


def _whole(value: Any) -> int:
    number: int = _of(int, value, "a whole number")
    return number


def _number(value: Any) -> float:
    return float(_of(int | float, value, "a number"))  # type: ignore[arg-type]


def _flag(value: Any) -> bool:
    flag: bool = _of(bool, value, "true or false")
    return flag


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("write a moment with its zone, as 2026-03-01T12:00:00Z")
    return moment


def _jid(value: Any) -> JID:
    return JID.parse(_text(value))


_READERS: Mapping[Any, Any] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    datetime: _moment,
    JID: _jid,
    Any: lambda value: value,
}
