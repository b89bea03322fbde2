"""How much one person in a room, and all of them together, may send: who wants more is told to wait."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from commonroom.config.rooms import RoomLimits
from commonroom.features.muc.affiliations import ADMINS
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import policy_violation, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType, Presence, PresenceType, Stanza
from commonroom.xml.names import NS_CLIENT


class Allowance:
    """What was taken lately, in a bucket that leaks."""

    __slots__ = ("_at", "_level")

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0

    def take(self, now: float, rate: float, burst: int) -> bool:
        """Take one at a moment, in seconds; False if that is too much now."""
        level = max(self._level - (now - self._at) * rate, 0.0)
        self._at = now
        self._level = level
        if level + 1 > burst:
            return False
        self._level = level + 1
        return True


class Person(NamedTuple):
    """What one client in a room has sent."""

    messages: Allowance
    presences: Allowance


class Limited:
    """A room whose traffic is limited."""

    __slots__ = ("joins", "messages", "people")

    def __init__(self) -> None:
        self.messages = Allowance()
        self.joins = Allowance()
        self.people: dict[JID, Person] = {}

    def person(self, session: JID) -> Person:
        """What a client has sent so far."""
        found = self.people.get(session)
        if found is None:
            found = self.people[session] = Person(Allowance(), Allowance())
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

    def _check_message(self, room: Room, limited: Limited, message: Message, now: float) -> None:
        limits, sender = self._limits, message.sender
        assert sender is not None
        if len(message.payload()) > limits.message_bytes:
            raise policy_violation(f"a message to a room has {limits.message_bytes} bytes at most")
        subject = message.child(NS_CLIENT, "subject")
        if subject is not None and len(subject.text().encode()) > limits.subject_bytes:
            raise policy_violation(f"a subject has {limits.subject_bytes} bytes at most")
        if sender not in room.by_address:
            return  # the room refuses it
        own = limited.person(sender).messages
        if not own.take(now, limits.messages_per_second, limits.message_burst):
            raise resource_constraint("you send messages too fast; wait a little")
        if message.type is MessageType.GROUPCHAT and not limited.messages.take(
            now, limits.room_messages_per_second, limits.room_message_burst
        ):
            raise resource_constraint("this room gets more messages than it takes now; wait a little")

    def _check_presence(self, room: Room, limited: Limited, presence: Presence, now: float) -> None:
        limits, sender = self._limits, presence.sender
        assert sender is not None
        if len(presence.payload()) > limits.message_bytes:
            raise policy_violation(f"presence in a room has {limits.message_bytes} bytes at most")
        if sender in room.by_address:
            rate = limits.presences_per_minute / 60
            if not limited.person(sender).presences.take(now, rate, limits.presence_burst):
                raise resource_constraint("you change your presence too fast; wait a little")
            return
        if self._rooms_of(sender) >= limits.rooms_per_person:
            raise resource_constraint(f"you are in {limits.rooms_per_person} rooms already")
        if len(room.occupants) >= limits.occupants and room.affiliation(sender) not in ADMINS:
            raise resource_constraint("this room is full")
        if not limited.joins.take(now, limits.joins_per_second, limits.join_burst):
            raise resource_constraint("too many people enter this room at once; wait a little")

    def cut(self, room: Room) -> None:
        """Bring a configuration within what is possible here."""
        if room.config.history_length > self._limits.history:
            room.config = replace(room.config, history_length=self._limits.history)
