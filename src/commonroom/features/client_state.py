"""XEP-0352: Client State Indication: what a client need not see while nobody looks at it."""

from enum import Enum
from typing import NamedTuple

from commonroom.core.feature import Feature, Xep, on_bind, on_element, on_session
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType, Presence, PresenceType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import (
    NS_CARBONS,
    NS_CHAT_STATES,
    NS_CLIENT,
    NS_CSI,
    NS_HINTS,
    NS_MUC_USER,
    NS_STANZA_IDS,
)

NS_EVENT = "http://jabber.org/protocol/pubsub#event"

# What is held for one client at most, in characters of XML; beyond, all of it goes out.
HELD_SIZE = 256 * 1024


class Says(Enum):
    """What a child of a message means for whether the message is important."""

    NOTHING = "nothing"  # as much as the other children
    STATE = "state"  # a chat state: the last of a conversation counts
    EVENT = "event"  # news of a node: the last of each counts, if it is one of LEISURELY
    COPY = "copy"  # as much as the message that is inside


# By namespace and name; any name where that is empty. A message that has a child which is not here, or that
# has none, is important: bodies, subjects, encrypted ones, receipts, markers, calls, and all that is new.
SAYS = {
    (NS_CHAT_STATES, ""): Says.STATE,
    (NS_EVENT, "event"): Says.EVENT,
    (NS_CARBONS, "received"): Says.COPY,
    (NS_CARBONS, "sent"): Says.COPY,
    (NS_CLIENT, "thread"): Says.NOTHING,
    (NS_HINTS, ""): Says.NOTHING,
    (NS_STANZA_IDS, ""): Says.NOTHING,
    (NS_DELAY, ""): Says.NOTHING,
    ("urn:xmpp:occupant-id:0", ""): Says.NOTHING,  # XEP-0421
}

# Nodes whose news can wait.
LEISURELY = frozenset(
    (
        "http://jabber.org/protocol/activity",  # XEP-0108
        "http://jabber.org/protocol/geoloc",  # XEP-0080
        "http://jabber.org/protocol/mood",  # XEP-0107
        "http://jabber.org/protocol/nick",  # XEP-0172
        "http://jabber.org/protocol/tune",  # XEP-0118
        "urn:xmpp:avatar:metadata",  # XEP-0084
    )
)

# Of what is held, a newer one takes the place of that with the same key.
Key = tuple[str | None, ...]


class ClientState(Feature):
    """Holds up to `limit` stanzas for each client that said that nobody looks at it."""

    xep = Xep("0352", "1.0.0")

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def stream_features(self) -> tuple[Element, ...]:
        """Clients may say so (XEP-0352 §4.1)."""
        return (Element(NS_CSI, "csi"),)

    @on_bind(NS_CSI, "active", "inactive")
    def begin(self, element: Element, session: Session) -> None:
        """In this state the session begins (XEP-0386 §3.2.1)."""
        if element.name == "inactive":
            self.rest(element, session)

    @on_element(NS_CSI, "inactive")
    def rest(self, element: Element, session: Session) -> None:
        """From now on what is not important waits (XEP-0352 §4.2)."""
        if session.filter is None:
            session.filter = Waiting(session, self._limit)

    @on_element(NS_CSI, "active")
    def wake(self, element: Element, session: Session) -> None:
        """Before anything that the client sends next is handled (XEP-0352 §5.1)."""
        session.hold_nothing()

    @on_session(Moment.AWAY)
    def away(self, session: Session) -> None:
        """Nobody looks, and all of it would have to be kept until somebody does (XEP-0198 §5)."""
        if not isinstance(session.filter, Waiting):
            session.filter = Waiting(session, self._limit)
        session.filter.stay_away()


class _Held(NamedTuple):
    stanza: Stanza
    size: int


class Waiting:
    """What one session's client need not see now: the last of each key, in the order in which they came.

    It was not sent, so it needs no acknowledgement. If the session ends it goes with it: to the next one
    everybody's presence is told anew, and chat states are over. While the client is away (`is_away`) what is
    important has only what the same entity sent before go out first.
    """

    __slots__ = ("_held", "_limit", "_session", "_size", "is_away")

    def __init__(self, session: Session, limit: int) -> None:
        self._session = session
        self._limit = limit
        self._held: dict[Key, _Held] = {}
        self._size = 0
        self.is_away = False

    def holds(self, stanza: Stanza) -> bool:
        """Whether this one waits; if it does not, what waits has gone out before it."""
        key = key_of(stanza, self._session)
        if key is None:
            if self.is_away:
                self._release_from(stanza.sender)
            else:
                self.release()
            return False
        self._drop(key)
        held = self._held[key] = _Held(stanza, len(stanza.xml()))
        self._size += held.size
        if len(self._held) > self._limit or self._size > HELD_SIZE or (self.is_away and self._is_too_much()):
            self.release()
        return True

    def stay_away(self) -> None:
        """The client's connection is gone. When it comes back, it gets all of it, and must acknowledge it."""
        self.is_away = True
        if self._is_too_much():
            self.release()  # which ends the session

    def _is_too_much(self) -> bool:
        management, outbox = self._session.management, self._session.outbox
        if management is None or outbox is None:
            return False
        return (
            len(outbox) + len(self._held) > management.stanzas or outbox.size + self._size > management.size
        )

    def _drop(self, key: Key) -> None:
        """Nobody needs any more what has this key: neither this client, nor whoever is next."""
        replaced = self._held.pop(key, None)
        if replaced is not None:
            self._size -= replaced.size
            if isinstance(replaced.stanza, Message):
                replaced.stanza.arrive()

    def _release_from(self, sender: JID | None) -> None:
        """Order is kept between two entities (RFC 6120 §10.1)."""
        if sender is not None:
            own = [k for k, held in self._held.items() if held.stanza.sender == sender]
            for key in own:
                held = self._held.pop(key)
                self._size -= held.size
                self._session.send(held.stanza, filtered=False)

    def release(self) -> None:
        """Send what waits."""
        held, self._held, self._size = self._held, {}, 0
        if not self._session.closed:
            for stanza, _ in held.values():
                self._session.send(stanza, filtered=False)


def key_of(stanza: Stanza, session: Session) -> Key | None:
    """As what a stanza is held; None for one that is important."""
    if isinstance(stanza, Presence):
        return _presence_key(stanza, session)
    if isinstance(stanza, Message) and stanza.type is not MessageType.ERROR:
        return _message_key(stanza.sender, stanza.to, stanza.elements())
    return None


def _presence_key(presence: Presence, session: Session) -> Key | None:
    """Who comes and goes; not requests, nor what a client waits for: its own presence, also in rooms."""
    if presence.type is not PresenceType.AVAILABLE and presence.type is not PresenceType.UNAVAILABLE:
        return None
    room = presence.child(NS_MUC_USER, "x")
    is_own = presence.sender in (None, session.jid) or (
        room is not None and any(e.get("code") == "110" for e in room.elements())  # XEP-0045 §7.1
    )
    return None if is_own else ("presence", presence.sender)


def _message_key(sender: str | None, to: str | None, children: list[Element]) -> Key | None:
    key: Key | None = None
    for child in children:
        said = SAYS.get((child.namespace, child.name)) or SAYS.get((child.namespace, ""))
        if said is Says.NOTHING:
            continue
        if said is None or key is not None:
            return None
        key = ("state", sender, to) if said is Says.STATE else _inner_key(said, child, sender)
        if key is None:
            return None
    return key


def _inner_key(said: Says, child: Element, sender: str | None) -> Key | None:
    inner = child.only_child()
    if inner is None:
        return None
    if said is Says.EVENT:
        node = inner.get("node")
        return ("event", sender, node) if inner.name == "items" and node in LEISURELY else None
    message = inner.child(NS_CLIENT, "message")
    if message is None or message.get("type") == "error":
        return None
    return _message_key(message.get("from"), message.get("to"), message.elements())
