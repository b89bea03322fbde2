"""XEP-0045 §7.2.8, §7.6, §7.10: who gets which nickname."""

from typing import NamedTuple

from commonroom.features.muc.appearances import NOTHING, Notice, appear, noticed, to_all, to_others
from commonroom.features.muc.effects import Broadcast
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room, nick_key
from commonroom.protocol.errors import conflict, jid_malformed, not_acceptable
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import Status
from commonroom.protocol.stanza import Presence, PresenceType

# A letter of Braille without dots: printable, and yet not to be seen.
_BLANK = "\u2800"


class Place(NamedTuple):
    """Under which nickname somebody sits, and whether the service chose it."""

    nick: str
    is_assigned: bool


def wanted_nick(to: JID) -> str:
    """The nickname (XEP-0045 §7.2.1), which must be visible (§17.1)."""
    nick = to.resource
    if nick is None:
        raise jid_malformed("say under which nickname you enter")
    check_visible(nick)
    return nick


def check_visible(nick: str) -> None:
    """Raise not-acceptable for a nickname that nobody would see (XEP-0045 §17.1)."""
    letters = nick_key(nick).replace(_BLANK, "")
    if not any(letter.isprintable() and not letter.isspace() for letter in letters):
        raise not_acceptable("a nickname must be visible")


def assigned_place(room: Room, user: JID, nick: str) -> Place:
    """The nickname that somebody who enters gets; raises conflict (XEP-0045 §7.2.8)."""
    locked = locked_nick(room, user)
    wanted = nick if locked is None else locked
    check_free(room, user, wanted)
    own = room.holders(wanted)  # which are the same user
    given = own[0].nick if own else wanted
    return Place(given, given != nick)


def changed_nick(room: Room, occupant: Occupant, nick: str) -> str:
    """The nickname that an occupant may change to (XEP-0045 §7.6)."""
    locked = locked_nick(room, occupant.user)
    if locked is not None and nick != locked:
        raise not_acceptable("your nickname is reserved for you here, and you must use it")
    check_free(room, occupant.user, nick)
    others = [holder for holder in room.holders(nick) if holder is not occupant]
    return others[0].nick if others else nick


def locked_nick(room: Room, user: JID) -> str | None:
    """The one nickname that somebody may use here (XEP-0045 §7.10)."""
    entry = room.affiliations.get(user.bare)
    return entry.nick if room.config.lock_nicks and entry is not None else None


def check_free(room: Room, user: JID, nick: str) -> None:
    """Raise conflict if a nickname is somebody else's, now or for good (XEP-0045 §7.2.8, §7.6)."""
    if any(holder.user != user.bare for holder in room.holders(nick)):
        raise conflict("this nickname is in use, or looks like one that is")
    if room.owner_of_nick(nick) not in (None, user.bare):
        raise conflict("this nickname is reserved for somebody else, or looks like one that is")


def rename(
    room: Room, occupant: Occupant, nick: str, notice: Notice = NOTHING
) -> tuple[Occupant, list[Broadcast]]:
    """Give an occupant, with all clients, another nickname (XEP-0045 §7.6).

    If the same user is there under that nickname already, the two become one; the clients that had it are
    told as the others are.
    """
    session, _ = occupant.main()
    leaving = Notice((Status.NEW_NICK,), nick=nick)
    gone = appear(room, occupant, session, Presence(PresenceType.UNAVAILABLE), leaving)
    was_shown = room.is_shown(occupant)
    moved = tuple(occupant.sessions)
    room.remove(occupant)
    told = to_others(room, occupant, gone) if was_shown else []
    told.append(Broadcast(gone.own, moved))
    occupant = _move(room, occupant, nick)
    return occupant, told + to_all(room, occupant, noticed(room, occupant, notice))


def _move(room: Room, occupant: Occupant, nick: str) -> Occupant:
    existing = room.occupants.get(nick)
    if existing is not None:
        existing.sessions.update(occupant.sessions)
        for session in occupant.sessions:
            room.by_address[session] = existing
        return existing
    occupant.address = room.address.with_resource(nick)
    occupant.nick = nick
    room.add(occupant)
    return occupant
