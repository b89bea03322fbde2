"""How an operation is declared; the command line, the HTTP API and ad-hoc commands are made from it.

An operation is an async function. What it works with comes first, by type (`Registry`, `Live` …); what the
operator gives follows, each argument annotated with its `Arg`. The decorator only attaches the declaration;
`operations.py` lists them all.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from commonroom.admin.scopes import Scope

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])
BASE = "/v1"  # of the HTTP API
REQUIRED = inspect.Parameter.empty


class Form(Enum):
    """What a text is; the skins ask for each in their own way."""

    TEXT = "text"
    ADDRESS = "address"
    DOMAIN = "domain"  # any, not only those that are served; normalised as in the configuration
    SECRET = "secret"  # is in no record, and typed so that nobody sees it
    LINES = "lines"  # what people are told; in no record either


@dataclass(frozen=True, slots=True)
class Arg:
    """What is known of an argument beside its type; `var` is its name in XEP-0133's forms, if it has one."""

    help: str
    form: Form = Form.TEXT
    var: str = ""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that the operator gives; `default` is REQUIRED if it must be given."""

    name: str
    type: Any
    help: str
    form: Form
    var: str
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Subject:
    """What an operation works with, by its type; an optional one may be missing."""

    name: str
    type: type[Any]
    optional: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """All that is known of one; see `operation`."""

    name: str
    scope: Scope
    summary: str
    function: Callable[..., Awaitable[Any]]
    subjects: tuple[Subject, ...]
    arguments: tuple[Argument, ...]
    result: Any
    node: str
    example: str

    @property
    def words(self) -> tuple[str, ...]:
        """The name as the command line has it: `session kick`."""
        return tuple(self.name.split(" "))

    @property
    def path(self) -> str:
        """Where the HTTP API has it: `/v1/session/kick`."""
        return f"{BASE}/{self.name.replace(' ', '/')}"


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str
    scope: Scope
    summary: str
    example: str
    node: str


def operation(
    name: str, scope: Scope, summary: str, example: str = "", node: str = ""
) -> Callable[[Function], Function]:
    """The function is an operation; `name` is what is typed, `summary` a sentence for operators.

    `example` is what is typed behind the name, `node` the last part of its command's in XEP-0133.
    """

    def mark(function: Function) -> Function:
        function.operation = _Mark(name, scope, summary, example, node)  # type: ignore[attr-defined]
        return function

    return mark


def declared(function: Callable[..., Awaitable[Any]]) -> Operation:
    """The declaration of a function that `operation` marked."""
    mark: _Mark = function.operation  # type: ignore[attr-defined]
    hints = get_type_hints(function, include_extras=True)
    subjects, arguments = [], []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if get_origin(hint) is Annotated:
            kind, about = get_args(hint)
            arguments.append(
                Argument(parameter.name, kind, about.help, about.form, about.var, parameter.default)
            )
        else:
            subjects.append(_subject(parameter.name, hint))
    return Operation(
        mark.name,
        mark.scope,
        mark.summary,
        function,
        tuple(subjects),
        tuple(arguments),
        hints["return"],
        mark.node,
        mark.example,
    )


def name_of(function: Callable[..., Awaitable[Any]]) -> str:
    """The name of the operation that a function is."""
    mark: _Mark = function.operation  # type: ignore[attr-defined]
    return mark.name


def _subject(name: str, hint: Any) -> Subject:
    if get_origin(hint) in (Union, UnionType):
        (kind,) = (each for each in get_args(hint) if each is not NoneType)
        return Subject(name, kind, optional=True)
    return Subject(name, hint, optional=False)
