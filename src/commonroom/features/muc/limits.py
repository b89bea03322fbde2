"""How much one person in a room, and all of them together, may send: who wants more is told to wait."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from commonroom.config.rooms import RoomLimits
from commonroom.features.muc.affiliations import ADMINS, Role
from commonroom.features.muc.room import Room, keep
from commonroom.protocol.errors import ErrorType, StanzaError, policy_violation, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER

# How often one user may come into one room, each second in the long run, and at once: whoever comes and goes
# takes nothing of what is there for all. So many users are remembered.
COMES = 0.5
COME_BURST = 20
MOST_COMERS = 1000
# Questions of one client to others in a room: clients ask for the cards of all whom they see.
QUESTIONS = 10.0
QUESTION_BURST = 500


class Allowance:
    """What was taken lately, in a bucket that leaks."""

    __slots__ = ("_at", "_level")

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0

    def take(self, now: float, rate: float, burst: int, number: int = 1) -> bool:
        """Take some at a moment, in seconds; False if that is too much now."""
        level = max(self._level - (now - self._at) * rate, 0.0)
        self._at = now
        self._level = level
        if level + number > burst:
            return False
        self._level = level + number
        return True


class Person(NamedTuple):
    """What one client in a room has sent."""

    messages: Allowance
    presences: Allowance
    questions: Allowance


class Limited:
    """A room whose traffic is limited."""

    __slots__ = ("comers", "joins", "messages", "people")

    def __init__(self) -> None:
        self.messages = Allowance()
        self.joins = Allowance()
        self.people: dict[JID, Person] = {}
        self.comers: OrderedDict[JID, Allowance] = OrderedDict()

    def person(self, session: JID) -> Person:
        """What a client has sent so far."""
        found = self.people.get(session)
        if found is None:
            found = self.people[session] = Person(Allowance(), Allowance(), Allowance())
        return found

    def comer(self, user: JID) -> Allowance:
        """How often somebody came in lately, with whatever client."""
        found = self.comers.get(user)
        if found is None:
            found = Allowance()
            keep(self.comers, user, found, MOST_COMERS)
        return found


class RoomGate:
    """What gets through to a room. `rooms_of` tells in how many rooms a client is."""

    def __init__(self, limits: RoomLimits, rooms_of: Callable[[JID], int]) -> None:
        self._limits = limits
        self._rooms_of = rooms_of

    def check(self, room: Room, limited: Limited, stanza: Stanza, now: float) -> None:
        """Raise resource-constraint for what comes too often, policy-violation for what is too large.

        Errors, and whoever leaves, always get through.
        """
        if isinstance(stanza, Message):
            if stanza.type is not MessageType.ERROR:
                self._check_message(room, limited, stanza, now)
        elif isinstance(stanza, Presence) and stanza.type is PresenceType.AVAILABLE:
            self._check_presence(room, limited, stanza, now)
        elif isinstance(stanza, Iq) and stanza.is_request and stanza.to is not None and not stanza.to.is_bare:
            self._check_question(room, limited, stanza, now)

    def _check_question(self, room: Room, limited: Limited, iq: Iq, now: float) -> None:
        """Each is passed on to somebody who did not ask for it."""
        if iq.sender is None or iq.sender not in room.by_address:
            return  # the room refuses it
        if not limited.person(iq.sender).questions.take(now, QUESTIONS, QUESTION_BURST):
            raise resource_constraint("you ask too much at once; wait a little")

    def _check_message(self, room: Room, limited: Limited, message: Message, now: float) -> None:
        limits, sender = self._limits, message.sender
        assert sender is not None
        if len(message.payload()) > limits.message_bytes:
            raise policy_violation(f"a message to a room has {limits.message_bytes} bytes at most")
        subject = message.child(NS_CLIENT, "subject")
        if subject is not None and len(subject.text().encode()) > limits.subject_bytes:
            raise policy_violation(f"a subject has {limits.subject_bytes} bytes at most")
        occupant = room.by_address.get(sender)
        if occupant is None:
            return  # the room refuses it
        own = limited.person(sender).messages
        number = min(max(_invitations(message), 1), limits.message_burst)
        if not own.take(now, limits.messages_per_second, limits.message_burst, number):
            raise resource_constraint("you send messages too fast; wait a little")
        if message.type is not MessageType.GROUPCHAT or occupant.role is Role.VISITOR:
            return  # whom the room refuses, or lets change the subject
        if not limited.messages.take(now, limits.room_messages_per_second, limits.room_message_burst):
            raise resource_constraint("this room gets more messages than it takes now; wait a little")

    def _check_presence(self, room: Room, limited: Limited, presence: Presence, now: float) -> None:
        limits, sender = self._limits, presence.sender
        assert sender is not None
        if len(presence.payload()) > limits.presence_bytes:
            raise policy_violation(f"presence in a room has {limits.presence_bytes} bytes at most")
        if sender in room.by_address:
            rate = limits.presences_per_minute / 60
            if not limited.person(sender).presences.take(now, rate, limits.presence_burst):
                raise resource_constraint("you change your presence too fast; wait a little")
            return
        if not room.may_enter(sender):
            return  # the room refuses it, and it takes nothing from those who may
        if self._rooms_of(sender) >= limits.rooms_per_person:
            raise resource_constraint(f"you are in {limits.rooms_per_person} rooms already")
        is_one_more = sender.bare not in room.by_user
        if is_one_more and len(room.occupants) >= limits.occupants and room.affiliation(sender) not in ADMINS:
            raise StanzaError("service-unavailable", ErrorType.WAIT, "this room is full")  # XEP-0045 §7.2.9
        if not limited.comer(sender.bare).take(now, COMES, COME_BURST):
            raise resource_constraint("you come and go too often; wait a little")
        if not limited.joins.take(now, limits.joins_per_second, limits.join_burst):
            raise resource_constraint("too many people enter this room at once; wait a little")

    def cut(self, room: Room) -> None:
        """Bring a configuration within what is possible here."""
        if room.config.history_length > self._limits.history:
            room.config = replace(room.config, history_length=self._limits.history)


def _invitations(message: Message) -> int:
    """To how many others a message to the room goes (XEP-0045 §7.8.2); each is one."""
    x = None if message.type is MessageType.GROUPCHAT else message.child(NS_MUC_USER, "x")
    return 0 if x is None else sum(child.name == "invite" for child in x.elements())
