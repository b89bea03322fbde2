"""XEP-0133: Service Administration: operations as ad-hoc commands, for accounts with a role."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from commonroom.admin.desk import Caller, Desk, Way
from commonroom.admin.encoding import plain
from commonroom.admin.errors import AdminError
from commonroom.admin.operation import Argument, Form, Operation
from commonroom.admin.roles import Roles
from commonroom.features.ad_hoc import Answers, Command, Outcome, bad_payload
from commonroom.protocol.dataforms import NS_DATA
from commonroom.protocol.errors import StanzaError, conflict, forbidden, item_not_found
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element

NS_ADMIN = "http://jabber.org/protocol/admin"
OURS = "commonroom"  # of what XEP-0133 does not know
MANY = "accountjids"  # a field of XEP-0133 that takes several addresses
VERIFY = "-verify"
# What XEP-0133 calls a fact of a result.
RESULTS: Mapping[str, Mapping[str, str]] = {"get-online-users-num": {"accounts": "onlineusersnum"}}
CONDITIONS: Mapping[str, Callable[[str], StanzaError]] = {
    "bad-argument": bad_payload,
    "exists": conflict,
    "not-found": item_not_found,
    "not-allowed": forbidden,
}

FLAGS: Mapping[str, bool] = {"1": True, "true": True, "0": False, "false": False}  # XEP-0004 §3.3


class AdminCommands:
    """See `features.ad_hoc.Commands`; connected when the service has its desk."""

    def __init__(self) -> None:
        self._desk: Desk | None = None

    def connect(
        self, desk: Desk, roles: Roles, for_all: Callable[[JID], Sequence[Command]] = lambda _: ()
    ) -> None:
        """From now on there are commands; `for_all` are those that need no role."""
        self._desk = desk
        self._roles = roles
        self._for_all = for_all

    def of(self, requester: JID) -> Sequence[Command]:
        """Those that need no role, and those for which the requester's roles have the scope."""
        if self._desk is None:
            return ()
        for_all = self._for_all(requester)
        scopes = self._roles.scopes(requester)
        if not scopes:
            return for_all
        caller = Caller(Way.CHAT, requester.bare, scopes)
        return [*(AdminCommand(each, self._desk, caller) for each in self._desk.allowed(caller)), *for_all]


class AdminCommand:
    """One operation, for one who may ask for it."""

    is_for_all = False

    def __init__(self, operation: Operation, desk: Desk, caller: Caller) -> None:
        self._operation = operation
        self._desk = desk
        self._caller = caller
        self.node = node_of(operation)
        self.name = operation.summary.removesuffix(".")

    def form(self) -> Element | None:
        """What the operation must be given (XEP-0133 §4)."""
        arguments = self._operation.arguments
        if not arguments:
            return None
        form = Element(NS_DATA, "x", {"type": "form"}, Element(NS_DATA, "title", None, self.name))
        form.append(_field("FORM_TYPE", "hidden", values=(NS_ADMIN,)))
        for argument in arguments:
            form.append(_asked(argument))
            if argument.form is Form.SECRET:
                form.append(_field(_var(argument) + VERIFY, "text-private", "The same once more."))
        return form

    async def run(self, requester: JID, answers: Answers) -> Outcome:
        """Have it done, for each of several accounts in turn; what one of them lacks, stops it there."""
        try:
            given = [_given(argument, answers) for argument in self._operation.arguments]
        except ValueError as error:
            raise bad_payload(str(error)) from None
        known = {name: value for name, value in given if value is not None}
        many = next((each.name for each in self._operation.arguments if each.var == MANY), None)
        wishes = [known] if many is None else [{**known, many: each} for each in known.get(many, ())]
        if not wishes:
            raise bad_payload(f"{MANY}: it is missing")
        results = [await self._do(wish) for wish in wishes]
        return _outcome(self._operation, results)

    async def _do(self, wish: Mapping[str, Any]) -> Any:
        try:
            return await self._desk.call(self._operation.name, wish, self._caller)
        except AdminError as error:
            refusal = CONDITIONS.get(error.kind)
            if refusal is not None:
                raise refusal(str(error)) from None
            return error


def node_of(operation: Operation) -> str:
    """XEP-0133's, or one of ours."""
    return f"{NS_ADMIN}#{operation.node}" if operation.node else f"{OURS}#{'-'.join(operation.words)}"


def _var(argument: Argument) -> str:
    return argument.var or argument.name


def _asked(argument: Argument) -> Element:
    kind, options, is_list = _kind(argument.type)
    if argument.var == MANY:
        field_type = "jid-multi"
    elif kind is bool:
        field_type = "boolean"
    elif options:
        field_type = "list-multi" if is_list else "list-single"
    else:
        shapes = {Form.ADDRESS: "jid-single", Form.SECRET: "text-private", Form.LINES: "text-multi"}
        field_type = shapes.get(argument.form, "text-multi" if is_list else "text-single")
    field = _field(_var(argument), field_type, argument.help, options=options)
    if argument.is_required:
        field.append(Element(NS_DATA, "required"))
    return field


def _field(
    var: str, kind: str, label: str = "", values: Sequence[str] = (), options: Sequence[str] = ()
) -> Element:
    attributes = {"var": var, "type": kind, **({"label": label} if label else {})}
    field = Element(NS_DATA, "field", attributes, *(Element(NS_DATA, "value", None, v) for v in values))
    for option in options:
        field.append(Element(NS_DATA, "option", None, Element(NS_DATA, "value", None, option)))
    return field


def _kind(hint: Any) -> tuple[Any, tuple[str, ...], bool]:
    """The type of a value, the words that it may be, and whether there may be several."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is tuple:
        kind, options, _ = _kind(get_args(hint)[0])
        return kind, options, True
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint, tuple(str(each.value) for each in hint), False
    return hint, (), False


def _given(argument: Argument, answers: Answers) -> tuple[str, Any]:
    """An argument as JSON has it, None if it was left empty; raises ValueError."""
    values = tuple(value for value in answers.get(_var(argument), ()) if value)
    kind, _, is_list = _kind(argument.type)
    if not values:
        return argument.name, None
    if argument.form is Form.SECRET and answers.get(_var(argument) + VERIFY, values) not in (
        values,
        ("",),
        (),
    ):
        raise ValueError(f"{_var(argument)}: the two differ")
    if is_list or argument.var == MANY:
        return argument.name, list(values)
    if argument.form is Form.LINES:
        return argument.name, "\n".join(values)
    if kind is int:
        if not values[0].removeprefix("-").isdecimal() or len(values[0]) > 15:
            raise ValueError(f"{_var(argument)}: write a whole number")
        return argument.name, int(values[0])
    if kind is bool:
        if values[0] not in FLAGS:
            raise ValueError(f"{_var(argument)}: write true or false")
        return argument.name, FLAGS[values[0]]
    return argument.name, values[0]


def _outcome(operation: Operation, results: Sequence[Any]) -> Outcome:
    failed = [str(each) for each in results if isinstance(each, AdminError)]
    if failed:
        return Outcome("\n".join(failed), is_error=True)
    first = results[0]
    if is_dataclass(first):
        return Outcome("", _result_form(first, RESULTS.get(operation.node, {})))
    if isinstance(first, tuple) and first and is_dataclass(first[0]):
        return Outcome("", _table(first))
    lines = first if isinstance(first, tuple) else results
    return Outcome("\n".join(str(each) for each in lines if each is not None) or "Done.")


def _result_form(result: Any, names: Mapping[str, str]) -> Element:
    form = Element(NS_DATA, "x", {"type": "result"}, _field("FORM_TYPE", "hidden", values=(NS_ADMIN,)))
    for each in fields(result):
        value = getattr(result, each.name)
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            return _table(value)
        var = names.get(each.name, each.name)
        form.append(_field(var, "text-multi", each.name.replace("_", " "), _texts(value)))
    return form


def _table(rows: Sequence[Any]) -> Element:
    """A form with a row for each (XEP-0004 §3.4)."""
    form = Element(NS_DATA, "x", {"type": "result"})
    columns = [each.name for each in fields(rows[0])]
    labels = (_field(name, "text-single", name.replace("_", " ")) for name in columns)
    form.append(Element(NS_DATA, "reported", None, *labels))
    for row in rows:
        cells = (_field(name, "text-single", "", (" ".join(_texts(getattr(row, name))),)) for name in columns)
        form.append(Element(NS_DATA, "item", None, *cells))
    return form


def _texts(value: Any) -> tuple[str, ...]:
    known = plain(value)
    if known is None:
        return ()
    if isinstance(known, list):
        return tuple(map(str, known))
    if isinstance(known, dict):
        return tuple(f"{name}: {each}" for name, each in known.items())
    if isinstance(known, bool):
        return ("1" if known else "0",)
    return (str(known),)
