"""Where operations are asked for, whichever way the wish came: looks whether one may, does it, records it."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from commonroom.admin.encoding import plain, read
from commonroom.admin.errors import (
    AdminError,
    BadArgument,
    NeedsService,
    NoSuchOperation,
    NotAllowed,
    OutOfReach,
)
from commonroom.admin.operation import Argument, Form, Operation
from commonroom.admin.scopes import Scope
from commonroom.config.addresses import Domain
from commonroom.config.kinds import RefusedError
from commonroom.storage.errors import StorageError

log = logging.getLogger(__name__)

# So much of an argument is kept in the record.
RECORDED = 200
# No argument is longer, or a larger number.
LONGEST = 20_000
LARGEST = 1_000_000_000
UNRECORDED = (Form.SECRET, Form.LINES)


class Way(StrEnum):
    """How somebody reaches the desk."""

    COMMAND = "command"  # beside the service, or without one
    SOCKET = "socket"
    API = "api"
    CHAT = "chat"
    SIGNAL = "signal"


class Caller(NamedTuple):
    """Who asks, how, and what they may do; `name` is an account, a token or a user of the machine."""

    way: Way
    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Call:
    """What the record says of one: secrets are left out; `outcome` is `done`, or why not, in a word."""

    caller: Caller
    operation: str
    scope: Scope | None
    arguments: Mapping[str, str]
    outcome: str


Record = Callable[[Call], Awaitable[None]]
After = Mapping[Scope, Callable[[], Awaitable[None]]]


class Desk:
    """`subjects` are what operations work with, by type; `after` is done after those of a scope."""

    def __init__(
        self,
        operations: Iterable[Operation],
        subjects: Mapping[type[Any], Any],
        record: Record,
        after: After | None = None,
    ) -> None:
        self.operations = {each.name: each for each in operations}
        self._subjects = subjects
        self._record = record
        self._after = after or {}

    def allowed(self, caller: Caller) -> list[Operation]:
        """What somebody may ask for, in the list's order."""
        return [each for each in self.operations.values() if each.scope in caller.scopes]

    async def call(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> Any:
        """Do it, with arguments as JSON has them. Raises AdminError."""
        operation = self.operations.get(name)
        try:
            found = self._find(name, operation, caller)
            given = _read(found, arguments)
            result = await self._run(found, given, caller)
        except Exception as error:
            outcome = error.kind if isinstance(error, AdminError) else "failed"
            await self._note(Call(caller, name[:RECORDED], *_about(operation, arguments), outcome))
            raise
        await self._note(Call(caller, name[:RECORDED], *_about(operation, arguments), "done"))
        return result

    async def _note(self, call: Call) -> None:
        """On disk before anybody is shown anything: what cannot be recorded cannot be read."""
        try:
            await self._record(call)
        except StorageError as error:
            raise OutOfReach(f"this cannot be recorded: {error}; try again later") from None

    def _find(self, name: str, operation: Operation | None, caller: Caller) -> Operation:
        if operation is None:
            raise NoSuchOperation(f"{name[:RECORDED]}: there is no such operation")
        if operation.scope not in caller.scopes:
            raise NotAllowed(f"{name}: this needs the scope {operation.scope}, which {caller.name} lacks")
        return operation

    async def _run(self, operation: Operation, given: Mapping[str, Any], caller: Caller) -> Any:
        at_hand = {**self._subjects, Caller: caller}
        for subject in operation.subjects:
            if subject.type not in at_hand and not subject.optional:
                raise NeedsService(f"{operation.name}: {_absent(caller)}")
        subjects = {each.name: at_hand.get(each.type) for each in operation.subjects}
        try:
            result = await operation.function(**subjects, **given)
        except StorageError as error:
            log.warning("an operation failed", extra={"operation": operation.name, "reason": str(error)})
            raise OutOfReach(f"{error}; try again later") from None
        if operation.scope in self._after:
            await self._after[operation.scope]()
        return result


def _absent(caller: Caller) -> str:
    """Why there is nothing that an operation could work with."""
    if caller.way is Way.COMMAND:
        return "this needs the service, which is not running"
    return "the configuration of this service turns off what this is about"


def _read(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    known = {each.name: each for each in operation.arguments}
    for name in arguments:
        if name not in known:
            there = f"it has: {', '.join(known)}" if known else "it has none"
            raise BadArgument(
                f"{_recordable(name[:RECORDED])}: {operation.name} has no such argument; {there}"
            )
    given = {}
    for name, argument in known.items():
        if name in arguments:
            given[name] = _value(argument, arguments[name])
        elif argument.is_required:
            raise BadArgument(f"{name}: it is missing; {argument.help}")
    return given


def _value(argument: Argument, value: Any) -> Any:
    """Raised without the value, which may be a secret."""
    try:
        made = read(argument.type, value)
        if fault := _fault(made):
            raise ValueError(fault)
    except ValueError as error:
        reason = str(error)
    else:
        return _domain(argument.name, made) if argument.form is Form.DOMAIN and made is not None else made
    raise BadArgument(f"{argument.name}: {reason}")


def _fault(value: Any) -> str | None:
    """Why a value of the right type is none that any operation takes."""
    if isinstance(value, tuple):
        return next(filter(None, map(_fault, value)), None)
    if isinstance(value, str) and not _is_xml(value):
        return "it has characters that no text here may have"
    if isinstance(value, str) and len(value) > LONGEST:
        return f"write {LONGEST} characters at most"
    if isinstance(value, int) and not 0 <= value <= LARGEST:
        return f"write a whole number from 0 to {LARGEST}"
    if isinstance(value, datetime) and not 1970 < value.year < 9999:
        return "write a moment of these times"
    return None


def _domain(name: str, text: str) -> str:
    try:
        return Domain().read(text)
    except RefusedError as refusal:
        raise BadArgument(f"{name}: {refusal}") from None


def _is_xml(text: str) -> bool:
    """Whether XML can carry it, and the database: no controls, no surrogates."""
    return all(
        char in "\t\n\r" or "\x20" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
        for char in text
    )


def _recordable(text: str) -> str:
    """Also of what is refused because no database takes it, and no answer can carry it."""
    return text if _is_xml(text) else ascii(text)


def _about(
    operation: Operation | None, arguments: Mapping[str, Any]
) -> tuple[Scope | None, Mapping[str, str]]:
    if operation is None:
        return None, {}
    told = {}
    for argument in operation.arguments:
        if argument.form not in UNRECORDED and arguments.get(argument.name) is not None:
            told[argument.name] = _recordable(str(plain(arguments[argument.name]))[:RECORDED])
    return operation.scope, told
