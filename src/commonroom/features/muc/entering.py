"""XEP-0045 §7.2: entering a room."""

import hmac
from collections.abc import Callable
from datetime import datetime

from commonroom.features.muc.affiliation_versions import answer_wish, current_version
from commonroom.features.muc.affiliations import ADMINS, Affiliation, Entry, Role, default_role
from commonroom.features.muc.appearances import (
    Notice,
    appear,
    occupants_for,
    seen,
    shown_presence,
    to_others,
)
from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.effects import AffiliationPut, Broadcast, Effects, RoomPut
from commonroom.features.muc.history import replay
from commonroom.features.muc.nicknames import Place, assigned_place, rename, wanted_nick
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.occupant_ids import occupant_id
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import (
    ErrorType,
    StanzaError,
    forbidden,
    item_not_found,
    not_authorized,
    registration_required,
    resource_constraint,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, Status, text_element, user_element
from commonroom.protocol.stanza import Message, MessageType, Presence, PresenceType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER

# Admins and owners that may come into a full room (XEP-0045 §7.2.9: "some reasonable number").
MORE_ADMINS = 20
# Clients that one user may have in a room.
MOST_SESSIONS = 32


def found(
    address: JID,
    config: RoomConfig,
    founder: JID,
    occupant_key: bytes,
    next_id: Callable[[], int],
    is_locked: bool = True,
) -> tuple[Room, Effects]:
    """Make a room whose founder owns it (XEP-0045 §10.1.1). It is locked until it is configured."""
    room = Room(address, config, occupant_key, next_id)
    room.is_locked = is_locked
    room.is_new = True
    room.version = 1
    room.affiliations[founder.bare] = Entry(Affiliation.OWNER, version=1)
    effects = Effects()
    effects.writes += (RoomPut(), AffiliationPut(founder.bare))
    return room, effects


def stranger(presence: Presence) -> Presence:
    """Tell a client that it is not in the room it believes to be in (XEP-0045 §7.2.18)."""
    item = Element(NS_MUC_USER, "item", {"affiliation": "none", "role": "none"})
    item.append(*text_element(NS_MUC_USER, "reason", "You are not in the room."))
    x = user_element((Status.SELF, Status.KICKED, Status.FAILED), item)
    return Presence(PresenceType.UNAVAILABLE, presence.sender, presence.to, children=[x])


def enter(room: Room, presence: Presence, now: datetime) -> Effects:
    """A client enters, or is inside and wants to see everything again (XEP-0045 §7.2)."""
    sender, to = presence.sender, presence.to
    assert sender is not None
    assert to is not None
    nick = wanted_nick(to)
    presence.priority()  # which must be a number
    known = room.by_address.get(sender)
    if known is not None:
        return _enter_again(room, known, presence, nick, now)
    _check_access(room, sender, presence)
    place = assigned_place(room, sender, nick)
    occupant = room.occupants.get(place.nick)
    effects = Effects()
    shown = shown_presence(room, presence)
    _check_sessions(room, sender)
    if occupant is None:
        _check_space(room, sender)
        occupant = _new_occupant(room, sender, place.nick)
        occupant.sessions[sender] = shown
        room.add(occupant)
        others = to_others(room, occupant, seen(room, occupant)) if room.is_shown(occupant) else []
    else:
        others = _show_session(room, occupant, sender, shown)
    _welcome(room, effects, occupant, presence, others, place.is_assigned, now)
    return effects


def _check_access(room: Room, sender: JID, presence: Presence) -> None:
    """Raise what keeps somebody out (XEP-0045 §7.2.17), what is weightier first."""
    affiliation = room.affiliation(sender)
    if affiliation is Affiliation.OUTCAST:
        raise forbidden("you are banned from this room")
    if room.is_locked and affiliation is not Affiliation.OWNER:
        raise item_not_found("this room is not configured yet")
    if not room.may_enter(sender):
        raise registration_required("only members may enter this room")
    password = room.config.password
    if password is not None and not hmac.compare_digest(_password(presence).encode(), password.encode()):
        raise not_authorized("this room needs a password")


def _password(presence: Presence) -> str:
    x = presence.child(NS_MUC, "x")
    return "" if x is None else x.child_text(NS_MUC, "password") or ""


def _check_space(room: Room, sender: JID) -> None:
    """Raise service-unavailable when the room is full; admins may be some more (XEP-0045 §7.2.9)."""
    most = room.config.max_users
    if room.affiliation(sender) in ADMINS:
        most += MORE_ADMINS
    if room.config.max_users and len(room.occupants) >= most:
        raise StanzaError("service-unavailable", ErrorType.WAIT, "this room is full")


def _check_sessions(room: Room, user: JID) -> None:
    """Raise resource-constraint for a user with too many clients here, under whatever nicknames."""
    if sum(len(own.sessions) for own in room.by_user.get(user.bare, ())) >= MOST_SESSIONS:
        raise resource_constraint("too many of your clients are in this room")


def _new_occupant(room: Room, sender: JID, nick: str) -> Occupant:
    user = sender.bare
    affiliation = room.affiliation(user)
    role = default_role(affiliation, room.config.moderated)
    if role is not Role.MODERATOR:
        role = room.voices.get(user, role)
    id = occupant_id(room.occupant_key, user)
    return Occupant(room.address.with_resource(nick), user, affiliation, role, id)


def _show_session(room: Room, occupant: Occupant, client: JID, shown: Presence) -> list[Broadcast]:
    """What a client of somebody who is inside shows; gives what the others, and its others, see of it."""
    before = seen(room, occupant).revealed.payload()
    others = tuple(other for other in occupant.sessions if other != client)
    occupant.sessions[client] = shown
    room.by_address[client] = occupant
    occupant.appearance = None
    after = seen(room, occupant)
    if after.revealed.payload() == before:
        return []
    news = to_others(room, occupant, after) if room.is_shown(occupant) else []
    return [*news, Broadcast(after.own, others)]


def _enter_again(room: Room, occupant: Occupant, presence: Presence, nick: str, now: datetime) -> Effects:
    """A client that lost track gets all that it would get if it entered (XEP-0045 §7.2.1, §17.3 rule 3)."""
    assert presence.sender is not None
    effects = Effects()
    place = Place(nick, False) if nick == occupant.nick else assigned_place(room, presence.sender, nick)
    if place.nick != occupant.nick:
        occupant, renamed = rename(room, occupant, place.nick)
        effects.send += renamed
    others = _show_session(room, occupant, presence.sender, shown_presence(room, presence))
    _welcome(room, effects, occupant, presence, others, place.is_assigned, now)
    return effects


def _welcome(
    room: Room,
    effects: Effects,
    occupant: Occupant,
    presence: Presence,
    others: list[Broadcast],
    is_assigned: bool,
    now: datetime,
) -> None:
    """Send what must be seen, in its order (XEP-0045 §7.1)."""
    sender = presence.sender
    assert sender is not None
    effects.send += answer_wish(room, sender, presence)
    effects.send += occupants_for(room, occupant, sender)
    effects.send += others
    effects.send.append(_self_presence(room, occupant, presence, sender, is_assigned))
    room.is_new = False
    effects.send += replay(room, presence, sender, now)
    effects.send.append(current_subject(room, sender))


def _self_presence(
    room: Room, occupant: Occupant, presence: Presence, session: JID, is_assigned: bool
) -> Presence:
    """What tells a client that it has seen everybody (XEP-0045 §7.2.2), under the id that it used."""
    said = {
        Status.NON_ANONYMOUS: not room.is_anonymous,
        Status.LOGGED: room.config.is_archived,
        Status.CREATED: room.is_new,
        Status.NICK_ASSIGNED: is_assigned,
    }
    codes = tuple(code for code, is_so in said.items() if is_so)
    notice = Notice(codes, more=current_version(room, session))
    own = appear(room, occupant, session, occupant.sessions[session], notice).own
    copy = own.addressed(session, occupant.address)
    copy.id = presence.id
    return copy


def current_subject(room: Room, to: JID) -> Message:
    """The subject, or that there is none (XEP-0045 §7.2.15)."""
    if room.subject is not None:
        template = room.subject.message
        return template.addressed(to, template.sender)
    return Message(MessageType.GROUPCHAT, to, room.address, children=[Element(NS_CLIENT, "subject")])
