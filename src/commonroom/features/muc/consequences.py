"""XEP-0045 §8.2, §9.1: what follows from changes of roles and affiliations, and in which order it is told."""

from collections.abc import Sequence
from typing import NamedTuple

from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.appearances import Notice, hide, noticed, occupants_for, to_all
from commonroom.features.muc.effects import Broadcast, Effects
from commonroom.features.muc.leaving import Departure, take_out, tell
from commonroom.features.muc.nicknames import locked_nick, rename
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room
from commonroom.protocol.muc import Status
from commonroom.protocol.stanza import Stanza


class _Update(NamedTuple):
    occupant: Occupant
    notice: Notice
    was_shown: bool
    gains_sight: bool  # of addresses, as a new moderator


class Consequences:
    """What becomes of occupants. The room changes at once; everybody is told in the end, by `conclude`."""

    __slots__ = ("_departures", "_room", "_updates", "messages")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._departures: list[Departure] = []
        self._updates: list[_Update] = []
        self.messages: list[Stanza | Broadcast] = []

    def remove(self, occupant: Occupant, notice: Notice, was_shown: bool | None = None) -> None:
        """Out of the room, with all clients; `was_shown`, if it was not as the configuration is now."""
        departure = take_out(self._room, occupant, notice)
        self._departures.append(departure if was_shown is None else departure._replace(was_shown=was_shown))

    def update(self, occupant: Occupant, role: Role, notice: Notice, was_shown: bool | None = None) -> None:
        """Another role, or something else to see; `was_shown`, if it was not as the configuration is now."""
        if was_shown is None:
            was_shown = self._room.is_shown(occupant)
        gains_sight = role is Role.MODERATOR and not self._room.sees_addresses(occupant)
        occupant.role = role
        occupant.appearance = None
        self._updates.append(_Update(occupant, notice, was_shown, gains_sight))

    def is_updated(self, occupant: Occupant) -> bool:
        """Whether the others will see an occupant again."""
        return any(update.occupant is occupant for update in self._updates)

    def conclude(self, effects: Effects, between: Sequence[Stanza] = ()) -> Effects:
        """Tell who was removed, then the actor, then everybody else (XEP-0045 §8.2)."""
        room = self._room
        updates = [
            update for update in self._updates if room.occupants.get(update.occupant.nick) is update.occupant
        ]
        tell(room, effects, self._departures, between)
        for update in updates:
            effects.send += _seen_update(room, update)
        for update in updates:
            if update.gains_sight:
                for session in update.occupant.sessions:
                    effects.send += occupants_for(room, update.occupant, session)
        for message in self.messages:
            if not isinstance(message, Broadcast):
                effects.send.append(message)
                continue
            inside = [recipient for recipient in message.recipients if recipient in room.by_address]
            effects.broadcast(message.template, inside)  # who was removed since hears nothing more
        return effects


def _others(room: Room, occupant: Occupant, nick: str | None) -> bool:
    """Whether a nickname is another occupant's."""
    return any(holder is not occupant for holder in room.holders(nick or ""))


def _seen_update(room: Room, update: _Update) -> list[Broadcast]:
    occupant = update.occupant
    nick = locked_nick(room, occupant.user)
    if nick not in (None, occupant.nick) and not _others(room, occupant, nick):
        codes = (*update.notice.codes, Status.NICK_ASSIGNED)  # XEP-0045 §7.10
        return rename(room, occupant, nick or "", update.notice._replace(codes=codes))[1]
    told = to_all(room, occupant, noticed(room, occupant, update.notice))
    if update.was_shown and not room.is_shown(occupant):
        told = hide(room, occupant) + told
    return told
