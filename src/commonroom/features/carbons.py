"""XEP-0280: Message Carbons."""

from collections import deque
from collections.abc import Collection

from commonroom.core.feature import Feature, Scope, Xep, on_bind, on_iq, on_message, on_session
from commonroom.core.message import Received, Sent
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import Resource, User
from commonroom.protocol.forward import forwarded, stanza_element
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Held, Iq, Message, MessageType
from commonroom.protocol.stanza_ids import stanza_id
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CARBONS, NS_CHAT_STATES, NS_CLIENT, NS_CONFERENCE, NS_HINTS, NS_MUC_USER

NS_RULES = "urn:xmpp:carbons:rules:0"

# What switches the stages on, while any client of a user has its copies on.
WANT = "carbons"

# Payloads typical of instant messaging: receipts, chat states, markers (XEP-0280 §6.1).
IM_PAYLOADS = frozenset(("urn:xmpp:receipts", NS_CHAT_STATES, "urn:xmpp:chat-markers:0"))

# An error is copied if it answers one of the last so many messages of a user that were: it comes soon.
REMEMBERED = 32


class Carbons(Feature):
    """Copies what one client of a user sends or gets to the user's other clients that want it.

    `enabled` are those clients.
    """

    xep = Xep("0280", "1.0.1")
    disco = (NS_CARBONS, NS_RULES)

    def __init__(self) -> None:
        self._enabled: set[Resource] = set()
        self._copied: dict[JID, deque[int]] = {}  # by account, the hashes of the last messages (see `_trace`)

    @on_iq("set", NS_CARBONS, "enable", to=Scope.OWN_ACCOUNT)
    def enable(self, iq: Iq, session: Session) -> None:
        """A client wants copies (XEP-0280 §4); to say so again is no error (§10.1)."""
        self.turn_on(session)

    @on_iq("set", NS_CARBONS, "disable", to=Scope.OWN_ACCOUNT)
    def disable(self, iq: Iq, session: Session) -> None:
        """A client wants no copies any more (XEP-0280 §5)."""
        self._turn_off(session)

    @on_bind(NS_CARBONS, "enable")
    def enable_with_the_session(self, element: Element, session: Session) -> None:
        """From its first stanza on (XEP-0386 §3.2.1)."""
        self.turn_on(session)

    def turn_on(self, session: Session) -> None:
        """From now on the session gets copies, however its client asked for them; not if it has left."""
        if not session.closed:
            self._enabled.add(session)
            session.user.wants |= {WANT}

    @on_session(Moment.CLOSED)
    def _turn_off(self, session: Session) -> None:
        self._enabled.discard(session)
        user = session.user
        if WANT in user.wants and not any(other in self._enabled for other in user.sessions.values()):
            user.wants -= {WANT}
            self._copied.pop(user.jid, None)

    @on_message(Received.BLOCK, wants=WANT, rooms=False)
    def strip(self, message: Message, user: User) -> None:
        """Copies are made here and nowhere else: what comes as one is not shown as one (XEP-0280 §11).

        Not refused: a stranger would learn whether a client is online.
        """
        if message.child(NS_CARBONS, "received") or message.child(NS_CARBONS, "sent"):
            message.remove(_claims_to_be_a_copy)

    @on_message(Sent.COPY, wants=WANT)
    def copy_sent(self, message: Message, user: User) -> None:
        """The sender's other clients see what one of them wrote (XEP-0280 §8)."""
        assert message.to is not None and message.sender is not None
        # Deviation: what users send to themselves is copied when it was delivered, to those that it did not
        # reach, because XEP-0280 §7 and §8 together would show it to each client twice.
        if message.to.bare != user.jid and self._is_eligible(message, user, message.to, is_sent=True):
            self._copy("sent", message, user, [user.sessions.get(message.sender.resource or "")])

    @on_message(Received.COPY, wants=WANT, rooms=False)
    def copy_received(self, message: Message, user: User) -> None:
        """Those that delivery did not reach get a copy (XEP-0280 §7).

        What reached nobody waits for whoever takes messages next: only those that do not get none by that.
        """
        sender = message.sender or user.jid
        is_own = sender.bare == user.jid
        if not self._is_eligible(message, user, sender, is_own):
            return
        excepted: list[object] = [*message.delivered]
        if not message.delivered:
            excepted += [r for r in user.sessions.values() if r.presence is None or not r.ready]
        if is_own:
            excepted.append(user.sessions.get(sender.resource or ""))
        shares = bool(message.delivered) and message.held is not None
        held = _Copied(message) if shares else None
        copied = self._copy("sent" if is_own else "received", message, user, excepted, held)
        if shares:
            message.delivered += copied  # they may acknowledge it as well

    def _copy(
        self,
        name: str,
        message: Message,
        user: User,
        excepted: Collection[object],
        held: Held | None = None,
    ) -> tuple[Resource, ...]:
        """The payload is serialized once for all; `from` is the user's bare address (XEP-0280 §7, §8).

        It says which id the message has in the user's archive (XEP-0313 §3.5).
        """
        resources = tuple(r for r in user.sessions.values() if r in self._enabled and r not in excepted)
        if resources:
            original = stanza_element(message)
            id = message.sent_id if name == "sent" else message.archive_id
            if id is not None:
                original.append(stanza_id(user.jid, id))
            carbon = Message(message.type, children=[Element(NS_CARBONS, name, None, forwarded(original))])
            for resource in resources:
                copy = carbon.addressed(resource.jid, user.jid)
                copy.held = held
                resource.send(copy)
        return resources

    def _is_eligible(self, message: Message, user: User, peer: JID, is_sent: bool) -> bool:
        """The rules, and for errors whether they answer what was eligible (XEP-0280 §6.1)."""
        if message.type is MessageType.ERROR:
            return _trace(message, peer, not is_sent) in self._copied.get(user.jid, ())
        if not is_eligible(message, is_sent):
            return False
        if message.id is not None:
            copied = self._copied.setdefault(user.jid, deque(maxlen=REMEMBERED))
            copied.append(_trace(message, peer, is_sent))
        return True


class _Copied:
    """Lets a copy stand for its original: the account has the message if any of its clients has."""

    __slots__ = ("_original",)

    def __init__(self, original: Message) -> None:
        self._original = original

    def arrived(self) -> None:
        """Who has the copy has the message."""
        self._original.arrive()

    def missed(self) -> None:
        """It waits for the next client, unless one that got it is still there."""
        original = self._original
        is_lost = not original.arrived and all(
            isinstance(r, Session) and r.closed for r in original.delivered
        )
        if is_lost and original.held is not None:
            original.held.missed()


def is_eligible(message: Message, is_sent: bool) -> bool:
    """Whether a message that is no error is to be copied (XEP-0280 §6.1, §9)."""
    if (
        message.type is MessageType.GROUPCHAT
        or message.child(NS_CARBONS, "private") is not None
        or message.child(NS_HINTS, "no-copy") is not None
    ):
        return False
    room = message.child(NS_MUC_USER, "x")
    peer = message.to if is_sent else message.sender
    if room is not None and peer is not None and not peer.is_bare:
        return is_sent  # a private message of a room: it gives those that come to each client that is there
    if message.type is MessageType.CHAT:
        return True
    if message.type is MessageType.NORMAL and message.child(NS_CLIENT, "body") is not None:
        return True
    if room is not None and room.child(NS_MUC_USER, "invite") is not None:
        return True
    return message.child(NS_CONFERENCE, "x") is not None or any(
        element.namespace in IM_PAYLOADS for element in message.elements()
    )


def _claims_to_be_a_copy(element: Element) -> bool:
    return element.namespace == NS_CARBONS and element.name in ("received", "sent")


def _trace(message: Message, peer: JID, is_sent: bool) -> int:
    """What is remembered of a message: with whom it was, its id, and its direction."""
    return hash((peer.bare, message.id, is_sent))
