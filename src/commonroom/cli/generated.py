"""Commands made from operations: for those whose command needs no words of its own."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import click

from commonroom.admin.encoding import plain
from commonroom.admin.operation import Argument, Form, Operation, declared
from commonroom.cli.ask import ask
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.passwords import password_stdin_option, read_password

# So many facts of each of several things are a line; more are a paragraph.
TABLE = 8


def command(function: Callable[..., Awaitable[Any]], more: str = "", done: str = "Done.") -> click.Command:
    """The command of an operation; `more` is told by --help, `done` when there is nothing else to tell."""
    operation = declared(function)
    secret = next((each.name for each in operation.arguments if each.form is Form.SECRET), None)

    def run(path: Path, as_json: bool, password_stdin: bool = False, **given: Any) -> None:
        arguments = {name: value for name, value in given.items() if value not in (None, ())}
        if secret is not None:
            arguments[secret] = read_password(password_stdin)
        result = ask(path, function, **arguments)
        if as_json:
            print_json(plain(result))
        elif result is None:
            tell(done)
        else:
            click.echo("\n".join(_lines(result)))

    words = " ".join(("commonroom", *operation.words, operation.example)).rstrip()
    run.__doc__ = f"{operation.summary}\n\n{more}\n\n\b\nExample:\n  {words}"
    made: Any = json_option(config_option(run))
    for argument in reversed(operation.arguments):
        made = _parameter(argument)(made)
    return click.command(operation.words[-1])(made)


def missing(group: click.Group, operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """Those of a group's operations that have no command in it yet."""
    for operation in operations:
        if operation.words[0] == group.name and operation.words[-1] not in group.commands:
            yield operation


def _parameter(argument: Argument) -> Callable[[Any], Any]:
    kind, is_list = _kind(argument.type)
    if argument.form is Form.SECRET:
        return password_stdin_option
    if argument.is_required and not is_list:
        return click.argument(argument.name, type=kind, metavar=argument.name.upper())
    name = argument.name.removesuffix("s") if is_list else argument.name
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return click.option(flag, argument.name, is_flag=True, help=argument.help)
    return click.option(
        flag, argument.name, type=kind, multiple=is_list, required=argument.is_required, help=argument.help
    )


def _kind(hint: Any) -> tuple[Any, bool]:
    """What click is to read, and whether any number of it."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is tuple:
        return _kind(get_args(hint)[0])[0], True
    if isinstance(hint, type) and issubclass(hint, Enum):
        return click.Choice([str(each.value) for each in hint]), False
    return (hint if hint in (str, int, float, bool) else str), False


def _lines(value: Any) -> Iterator[str]:
    """A line for each fact, or for each of several things."""
    if isinstance(value, tuple):
        for each in value:
            if is_dataclass(each) and len(fields(each)) > TABLE:
                yield from (*_lines(each), "")
            else:
                yield "\t".join(_words(each)) if is_dataclass(each) else _word(each)
    elif is_dataclass(value):
        for each in fields(value):
            inner = getattr(value, each.name)
            if isinstance(inner, tuple) and inner and is_dataclass(inner[0]):
                yield from _lines(inner)
            elif inner is not None:
                yield f"{each.name.replace('_', ' ') + ':':<18} {_word(inner)}"
    else:
        yield _word(value)


def _words(value: Any) -> Iterator[str]:
    return (_word(getattr(value, each.name)) for each in fields(value))


def _word(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value) or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_word, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_word(each)}" for name, each in value.items())
    return "–" if value is None else str(plain(value))
