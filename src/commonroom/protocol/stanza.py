"""RFC 6120 §8: the three stanzas, and how one is read from its element.

A stanza is read once: its addresses are normalised, its type is checked. It is written from its tree,
never from the bytes it came in, and its children are serialized once however many copies go out.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Protocol, Self

from commonroom.protocol.debts import Owed
from commonroom.protocol.errors import StanzaError, bad_request, jid_malformed
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_IDS
from commonroom.xml.serializer import escape_attribute, serialize_attributes, serialize_children


class MessageType(StrEnum):
    """RFC 6121 §5.2.2. A StrEnum, because its hash runs in C and every message looks it up."""

    CHAT = "chat"
    ERROR = "error"
    GROUPCHAT = "groupchat"
    HEADLINE = "headline"
    NORMAL = "normal"


class PresenceType(StrEnum):
    """RFC 6121 §4.7.1; AVAILABLE stands for the absence of the attribute."""

    AVAILABLE = "available"
    ERROR = "error"
    PROBE = "probe"
    SUBSCRIBE = "subscribe"
    SUBSCRIBED = "subscribed"
    UNAVAILABLE = "unavailable"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"


class IqType(StrEnum):
    """RFC 6120 §8.2.3."""

    ERROR = "error"
    GET = "get"
    RESULT = "result"
    SET = "set"


MESSAGE_TYPES = {kind.value: kind for kind in MessageType}
PRESENCE_TYPES = {kind.value: kind for kind in PresenceType if kind is not PresenceType.AVAILABLE}
IQ_TYPES = {kind.value: kind for kind in IqType}

_COMMON = frozenset(("to", "from", "id", "type", "xml:lang"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")  # int() takes more: "1_0", other digits


_TYPE_ATTRIBUTES: dict[str, str] = {
    kind: "" if kind in (MessageType.NORMAL, PresenceType.AVAILABLE) else f" type='{kind.value}'"
    for kinds in (MessageType, PresenceType, IqType)
    for kind in kinds
}


class Stanza:
    """What the three kinds share (RFC 6120 §8.1). Content is in the namespace jabber:client.

    `to` and `sender` (the attribute `from`) are normalised. `extra` holds attributes beyond the common
    five, if any. Once `xml()` was called, the stanza is not changed any more: take a copy.
    """

    __slots__ = ("_payload", "_xml", "children", "extra", "id", "lang", "sender", "to")
    name = ""
    held: "Held | None" = None  # by those that can be lost
    type: MessageType | PresenceType | IqType  # a slot of each kind

    def __init__(
        self,
        to: JID | None = None,
        sender: JID | None = None,
        id: str | None = None,
        children: list[Element | str] | None = None,
        lang: str | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.to = to
        self.sender = sender
        self.id = id
        self.lang = lang
        self.children: list[Element | str] = [] if children is None else children
        self.extra = extra
        self._payload: str | None = None
        self._xml: str | None = None

    def _copy(self) -> Self:
        raise NotImplementedError

    def _is_error(self) -> bool:
        raise NotImplementedError

    def _failed(self, children: list[Element | str]) -> "Stanza":
        raise NotImplementedError

    def payload(self) -> str:
        """The children's XML, made once and shared by all copies."""
        if self._payload is None:
            self._payload = serialize_children(self.children, NS_CLIENT)
        return self._payload

    def xml(self) -> str:
        """The stanza for a stream whose default namespace is the content namespace."""
        if self._xml is None:
            payload = self.payload()
            start = f"<{self.name}{self._attributes()}"
            self._xml = f"{start}>{payload}</{self.name}>" if payload else f"{start}/>"
        return self._xml

    def _attributes(self) -> str:
        text = _TYPE_ATTRIBUTES[self.type]
        if self.to is not None:
            text += f" to='{self.to.escaped or self.to}'"
        return text + self._attributes_after_to()

    def _attributes_after_to(self) -> str:
        text = ""
        if self.sender is not None:
            text += f" from='{self.sender.escaped or self.sender}'"
        if self.id is not None:
            text += f" id='{escape_attribute(self.id)}'"
        if self.lang is not None:
            text += f" xml:lang='{escape_attribute(self.lang)}'"
        if self.extra is not None:
            text += serialize_attributes(self.extra)
        return text

    def around_recipient(self) -> tuple[str, str]:
        """What stands before and after the address in its `to`: for many copies that differ by that alone."""
        without = self.addressed(None, self.sender).xml()
        start = f"<{self.name}{_TYPE_ATTRIBUTES[self.type]}"
        return f"{start} to='", f"'{without[len(start) :]}"

    def addressed(self, to: JID | None, sender: JID | None) -> Self:
        """A copy with other addresses that shares the serialized children."""
        copy = self._copy()
        copy.to = to
        copy.sender = sender
        copy._payload = self.payload()
        return copy

    def copies(self, recipients: Iterable[JID]) -> Iterator[Self]:
        """Copies for many, from the same sender: only `to` differs, so all else is written once."""
        payload, sender = self.payload(), self.sender
        start = f"<{self.name}{_TYPE_ATTRIBUTES[self.type]} to='"
        end = f"'{self._attributes_after_to()}" + (f">{payload}</{self.name}>" if payload else "/>")
        for to in recipients:
            copy = self._copy()
            copy.to = to
            copy.sender = sender
            copy._payload = payload
            copy._xml = f"{start}{to.escaped or to}{end}"
            yield copy

    def child(self, namespace: str, name: str) -> Element | None:
        """The first child of that name."""
        for child in self.children:
            if isinstance(child, Element) and child.name == name and child.namespace == namespace:
                return child
        return None

    def elements(self) -> list[Element]:
        """The element children, without the text between them."""
        return [child for child in self.children if isinstance(child, Element)]

    def append(self, child: Element) -> None:
        """Add a child; only before the stanza is written."""
        self.children.append(child)
        self._payload = self._xml = None

    def remove(self, is_unwanted: Callable[[Element], bool]) -> None:
        """Take children away; only before the stanza is written."""
        self.children = [c for c in self.children if isinstance(c, str) or not is_unwanted(c)]
        self._payload = self._xml = None

    def refused(self, error: StanzaError) -> "Stanza | None":
        """The answer that tells the sender why, or None if there must not be one (RFC 6120 §8.3.1)."""
        if self._is_error():
            return None
        answer = self._failed([error.element(NS_CLIENT)])
        answer.to, answer.sender, answer.id = self.sender, self.to, self.id
        return answer


class Held(Protocol):
    """Who keeps a message until a client of its recipient surely has it."""

    def arrived(self) -> None:
        """One has it."""

    def missed(self) -> None:
        """Nobody to whom it was sent surely has it: let it wait."""


class Message(Stanza):
    """RFC 6121 §5.2. The stages write `delivered` (to which resources), `stored` (it waits for its
    recipient on disk), `sent_id` and `archive_id`, nothing else. These two are the ids that it has in the
    archives of its sender and of its recipient, if they keep it.

    `began` and `follows` belong to the core: how many writes there were before its first stage, and whether
    an earlier message of its sender still waits for the disk. `arrived`: a client of the recipient surely has
    it; whoever set `held` hears of that. `owed`: what must be secured before its sender is told that it was
    handled (XEP-0198); None if that is never told.
    """

    __slots__ = (
        "archive_id",
        "arrived",
        "began",
        "delivered",
        "follows",
        "held",
        "owed",
        "sent_id",
        "stored",
        "type",
    )
    name = "message"
    type: MessageType

    def __init__(
        self,
        type: MessageType = MessageType.NORMAL,
        to: JID | None = None,
        sender: JID | None = None,
        id: str | None = None,
        children: list[Element | str] | None = None,
        lang: str | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(to, sender, id, children, lang, extra)
        self.type = type
        self.delivered: tuple[object, ...] = ()
        self.stored = False
        self.sent_id: str | None = None
        self.archive_id: str | None = None
        self.began: int | None = None
        self.follows = False
        self.arrived = False
        self.held: Held | None = None
        self.owed: Owed | None = None

    def _copy(self) -> "Message":
        return Message(self.type, id=self.id, children=self.children, lang=self.lang, extra=self.extra)

    def _is_error(self) -> bool:
        return self.type is MessageType.ERROR

    def arrive(self) -> None:
        """A client of the recipient surely has it."""
        if not self.arrived:
            self.arrived = True
            if self.held is not None:
                self.held.arrived()

    def file_under(self, archive: JID, id: str) -> None:
        """The recipient's archive keeps it: whoever gets it from now on is told where (XEP-0313 §3.5).

        That stands in the text alone. The tree and its copies stay as the sender wrote them, because what
        goes to others, as to the sender's own clients, must not have it.
        """
        self.archive_id = id
        by = archive.escaped or archive
        start, end = self.xml().removesuffix("/>"), ">"
        if start.endswith("</message>"):
            start, end = start[:-10], ""
        self._xml = f"{start}{end}<stanza-id xmlns='{NS_STANZA_IDS}' by='{by}' id='{id}'/></message>"

    def _failed(self, children: list[Element | str]) -> "Message":
        return Message(MessageType.ERROR, children=children)

    def body(self) -> str | None:
        """The text of the first <body/> (RFC 6121 §5.2.3)."""
        body = self.child(NS_CLIENT, "body")
        return None if body is None else body.text()


class Presence(Stanza):
    """RFC 6121 §4.7."""

    __slots__ = ("type",)
    name = "presence"
    type: PresenceType

    def __init__(
        self,
        type: PresenceType = PresenceType.AVAILABLE,
        to: JID | None = None,
        sender: JID | None = None,
        id: str | None = None,
        children: list[Element | str] | None = None,
        lang: str | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(to, sender, id, children, lang, extra)
        self.type = type

    def _copy(self) -> "Presence":
        return Presence(self.type, id=self.id, children=self.children, lang=self.lang, extra=self.extra)

    def _is_error(self) -> bool:
        return self.type is PresenceType.ERROR

    def _failed(self, children: list[Element | str]) -> "Presence":
        return Presence(PresenceType.ERROR, children=children)

    def priority(self) -> int:
        """RFC 6121 §4.7.2.3: an integer from -128 to 127; anything else is refused."""
        element = self.child(NS_CLIENT, "priority")
        if element is None:
            return 0
        text = element.text().strip()
        if text and _INTEGER.fullmatch(text) is None:
            raise bad_request("priority is not an integer")
        priority = int(text or "0")
        if not -128 <= priority <= 127:
            raise bad_request("priority is not between -128 and 127")
        return priority


class Iq(Stanza):
    """RFC 6120 §8.2.3."""

    __slots__ = ("type",)
    name = "iq"
    type: IqType

    def __init__(
        self,
        type: IqType,
        to: JID | None = None,
        sender: JID | None = None,
        id: str | None = None,
        children: list[Element | str] | None = None,
        lang: str | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(to, sender, id, children, lang, extra)
        self.type = type

    def _copy(self) -> "Iq":
        return Iq(self.type, id=self.id, children=self.children, lang=self.lang, extra=self.extra)

    def _is_error(self) -> bool:
        return self.type is IqType.ERROR or self.type is IqType.RESULT

    def _failed(self, children: list[Element | str]) -> "Iq":
        return Iq(IqType.ERROR, children=children)

    @property
    def is_request(self) -> bool:
        """Whether this is a get or a set, which must be answered."""
        return self.type is IqType.GET or self.type is IqType.SET

    def request(self) -> Element:
        """The one child of a get or set (RFC 6120 §8.2.3); there is one, since it was read."""
        return self.elements()[0]

    def result(self, payload: Element | None = None) -> "Iq":
        """The answer of type `result`."""
        children: list[Element | str] = [] if payload is None else [payload]
        return Iq(IqType.RESULT, to=self.sender, sender=self.to, id=self.id, children=children)


def _address(text: str | None) -> JID | None:
    if text is None:
        return None
    try:
        return JID.parse(text)
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def _extra(attributes: dict[str, str]) -> dict[str, str] | None:
    extra = {key: value for key, value in attributes.items() if key not in _COMMON}
    return extra or None


def read_message(element: Element) -> Message:
    """A type nobody knows is `normal` (RFC 6121 §5.2.2)."""
    attributes = element.attributes
    extra = None if attributes.keys() <= _COMMON else _extra(attributes)
    get = attributes.get
    return Message(
        MESSAGE_TYPES.get(get("type", "normal"), MessageType.NORMAL),
        _address(get("to")),
        None,
        get("id"),
        element.children,
        get("xml:lang"),
        extra,
    )


def read_presence(element: Element) -> Presence:
    """Raises bad-request for a type that RFC 6121 §4.7.1 does not define."""
    get = element.attributes.get
    type_text = get("type")
    kind = PresenceType.AVAILABLE if type_text is None else PRESENCE_TYPES.get(type_text)
    if kind is None:
        raise bad_request("no such presence type")
    extra = _extra(element.attributes)
    return Presence(kind, _address(get("to")), None, get("id"), element.children, get("xml:lang"), extra)


def read_iq(element: Element) -> Iq:
    """Raises bad-request without an id, a known type, or the one child of a request (RFC 6120 §8.2.3)."""
    get = element.attributes.get
    kind = IQ_TYPES.get(get("type", ""))
    if kind is None:
        raise bad_request("an iq is of type get, set, result or error")
    if get("id") is None:
        raise bad_request("an iq has an id")
    is_request = kind is IqType.GET or kind is IqType.SET
    if is_request and element.only_child() is None:
        raise bad_request("a get or set has exactly one child")
    extra = _extra(element.attributes)
    return Iq(kind, _address(get("to")), None, get("id"), element.children, get("xml:lang"), extra)


READERS = {"message": read_message, "presence": read_presence, "iq": read_iq}


def unread(element: Element, error: StanzaError) -> Stanza | None:
    """The answer to an element that could not be read as the stanza it claims to be (RFC 6120 §8.3.1).

    It goes back over the stream it came from, so it needs no `to`; its `from` is whom the stanza was for,
    if that was an address.
    """
    if element.get("type") in ("error", "result"):
        return None
    children: list[Element | str] = [error.element(NS_CLIENT)]
    answer: Stanza
    if element.name == "message":
        answer = Message(MessageType.ERROR, children=children)
    elif element.name == "presence":
        answer = Presence(PresenceType.ERROR, children=children)
    else:
        answer = Iq(IqType.ERROR, children=children)
    answer.id = element.get("id")
    with suppress(InvalidJID):
        answer.sender = JID.parse(element.get("to") or "")
    return answer
