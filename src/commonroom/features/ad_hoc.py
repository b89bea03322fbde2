"""XEP-0050: Ad-Hoc Commands; which commands there are, and for whom, is said by those who bring them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.core.local import LocalDomain
from commonroom.core.nodes import NodeInfo
from commonroom.protocol.caps import Identity
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.errors import (
    ErrorType,
    StanzaError,
    bad_request,
    forbidden,
    item_not_found,
    resource_constraint,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_ITEMS

NS_COMMANDS = "http://jabber.org/protocol/commands"
LIST = Identity("automation", "command-list", name="Commands")
ACTIONS = ("execute", "complete", "next", "prev", "cancel")
# What was begun and not ended: so many of one client, for so long.
UNFINISHED = 16
LIFETIME = timedelta(minutes=15)
# … and of all clients.
ALL_UNFINISHED = 1000

Answers = Mapping[str, tuple[str, ...]]


class Outcome(NamedTuple):
    """What a command that has run says: a form with its result, or a note, or both."""

    note: str = ""
    form: Element | None = None
    is_error: bool = False


class Command(Protocol):
    """A command that somebody may run; `form` is what must be filled in first, None if nothing.

    `is_for_all`: it needs no role.
    """

    node: str
    name: str
    is_for_all: bool

    def form(self) -> Element | None:
        """What to ask."""

    def run(self, requester: JID, answers: Answers) -> Awaitable[Outcome]:
        """Do it. Raises StanzaError: bad-request keeps the form open."""


class Commands(Protocol):
    """Knows the commands."""

    def of(self, requester: JID) -> Sequence[Command]:
        """Those that somebody may run now; the order is that of the list."""


class _Begun(NamedTuple):
    requester: JID
    node: str
    ends: datetime


class AdHoc(Feature):
    """Each command has one stage at most: its form, or nothing. `random` gives so many bytes."""

    xep = Xep("0050", "1.3.0")
    disco = (NS_COMMANDS,)

    def __init__(
        self, commands: Commands, now: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._commands = commands
        self._now = now
        self._random = random
        self._begun: dict[str, _Begun] = {}

    # XEP-0030

    def info(self, node: str, asker: JID) -> NodeInfo | None:
        """Of the list, and of a command that the asker may run (XEP-0050 §2.2)."""
        if node == NS_COMMANDS:
            return NodeInfo(LIST, (NS_COMMANDS,))
        command = next((each for each in self._commands.of(asker) if each.node == node), None)
        if command is None:
            return None
        return NodeInfo(Identity("automation", "command-node", name=command.name), (NS_COMMANDS, NS_DATA))

    def items(self, node: str, asker: JID, at: JID) -> list[Element] | None:
        """The commands that the asker may run (XEP-0050 §2.2)."""
        if node != NS_COMMANDS:
            return None
        return [
            Element(NS_DISCO_ITEMS, "item", {"jid": at, "node": each.node, "name": each.name})
            for each in self._commands.of(asker)
        ]

    # XEP-0050

    @on_iq("set", NS_COMMANDS, "command", to=Scope.SERVER)
    async def execute(self, iq: Iq, domain: LocalDomain) -> Element:
        """Begin, fill in, or cancel a command (XEP-0050 §2.4). Who may run none learns of none."""
        request, requester = iq.request(), iq.sender
        assert requester is not None
        action = request.get("action", "execute")
        if action not in ACTIONS:
            raise _refused("malformed-action")
        command = self._command(request.get("node") or "", requester)
        name = request.get("sessionid")
        if name is None:
            return await self._begin(command, requester, action)
        self._check(name, command, requester)
        if action == "cancel":
            del self._begun[name]
            return _answer(command, name, "canceled")
        if action in ("prev", "next"):
            raise _refused("bad-action")
        return await self._fill_in(command, name, requester, request)

    def _command(self, node: str, requester: JID) -> Command:
        allowed = self._commands.of(requester)
        command = next((each for each in allowed if each.node == node), None)
        if command is not None:
            return command
        if all(each.is_for_all for each in allowed):
            raise forbidden()
        raise item_not_found("there is no such command, or it is not for you")

    async def _begin(self, command: Command, requester: JID, action: str) -> Element:
        if action not in ("execute", "complete", "next"):
            raise _refused("bad-action")
        form = command.form()
        if form is None:
            return _completed(command, self._random(12).hex(), await command.run(requester, {}))
        self._make_room(requester)
        name = self._random(12).hex()
        self._begun[name] = _Begun(requester, command.node, self._now() + LIFETIME)
        actions = Element(NS_COMMANDS, "actions", {"execute": "complete"}, Element(NS_COMMANDS, "complete"))
        return _answer(command, name, "executing", actions, form)

    async def _fill_in(self, command: Command, name: str, requester: JID, request: Element) -> Element:
        form = request.child(NS_DATA, "x")
        if form is None:
            raise _refused("bad-payload")
        outcome = await command.run(requester, form_fields(form))
        self._begun.pop(name, None)
        return _completed(command, name, outcome)

    def _check(self, name: str, command: Command, requester: JID) -> None:
        begun = self._begun.get(name)
        if begun is None or begun.ends <= self._now():
            self._begun.pop(name, None)
            raise StanzaError("not-allowed", ErrorType.CANCEL, None, Element(NS_COMMANDS, "session-expired"))
        if begun.requester != requester or begun.node != command.node:
            raise _refused("bad-sessionid")

    def _make_room(self, requester: JID) -> None:
        """Forget what is over; of one client too many are refused, of all clients the oldest goes."""
        now = self._now()
        self._begun = {name: each for name, each in self._begun.items() if each.ends > now}
        if sum(each.requester == requester for each in self._begun.values()) >= UNFINISHED:
            raise resource_constraint("too many commands are unfinished; cancel some")
        if len(self._begun) >= ALL_UNFINISHED:
            del self._begun[next(iter(self._begun))]


def _completed(command: Command, name: str, outcome: Outcome) -> Element:
    """What failed says so in a note (XEP-0050 §3.6)."""
    payload = [] if outcome.form is None else [outcome.form]
    if outcome.note or outcome.is_error:
        kind = "error" if outcome.is_error else "info"
        payload.append(Element(NS_COMMANDS, "note", {"type": kind}, outcome.note or "it failed"))
    return _answer(command, name, "completed", *payload)


def _answer(command: Command, name: str, status: str, *payload: Element) -> Element:
    attributes = {"node": command.node, "sessionid": name, "status": status}
    return Element(NS_COMMANDS, "command", attributes, *payload)


def bad_payload(text: str) -> StanzaError:
    """The form was not filled in as it should be (XEP-0050 §4.4)."""
    return bad_request(text, Element(NS_COMMANDS, "bad-payload"))


def _refused(condition: str) -> StanzaError:
    return bad_request(None, Element(NS_COMMANDS, condition))
