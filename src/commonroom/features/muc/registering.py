"""XEP-0045 §7.10, §9.9: registering with a room: becoming a member, with a nickname that is nobody else's."""

from datetime import datetime, timedelta

from commonroom.features.muc.administering import AffiliationItem, check_lists, put_affiliations
from commonroom.features.muc.affiliations import ADMINS, AFFILIATED, Affiliation
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.effects import Broadcast, Effects, RoomPut
from commonroom.features.muc.room import Room, keep
from commonroom.protocol.dataforms import NS_DATA, Field, empty_form, is_true, single, submitted
from commonroom.protocol.errors import (
    ErrorType,
    StanzaError,
    bad_request,
    conflict,
    forbidden,
    item_not_found,
    not_allowed,
    registration_required,
    resource_constraint,
)
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import FORM_REGISTER
from commonroom.protocol.stanza import Iq, Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_REGISTER

# Requests that wait for an admin; more are refused.
MOST_REQUESTS = 50
# Admins who are told of a request while none is inside.
MOST_TOLD = 20
# Between two requests of one user with which admins are bothered, and of how many users that is known.
PAUSE = timedelta(seconds=60)
MOST_APPLIED = 200

NICK = "muc#register_roomnick"
ALLOW = "muc#register_allow"
# The form of the specification does not say whose request it is (XEP-0045 §9.9: "additional fields").
WHO = "{urn:x-commonroom:room}register_jid"


def get_requirements(room: Room, iq: Iq, now: datetime) -> Effects:
    """Say what a registration needs, or that there is one (XEP-0045 §7.10)."""
    assert iq.sender is not None
    effects = Effects()
    query = Element(NS_REGISTER, "query")
    entry = room.affiliations.get(iq.sender.bare)
    if entry is not None and entry.nick is not None and entry.affiliation in AFFILIATED:
        query.append(Element(NS_REGISTER, "registered"), Element(NS_REGISTER, "username", None, entry.nick))
    else:
        _check_allowed(room, iq.sender)
        field = Field(NICK, "text-single", "Desired Nickname", is_required=True)
        text = "Choose a nickname that nobody else may use in this room."
        query.append(Element(NS_REGISTER, "instructions", None, text))
        query.append(empty_form(FORM_REGISTER, "Registration", text, (field,)))
    effects.send.append(iq.result(query))
    return effects


def _check_allowed(room: Room, user: JID) -> None:
    """Raise not-allowed for outcasts, and for strangers where only admins make members (XEP-0045 §7.10)."""
    affiliation = room.affiliation(user)
    if affiliation is Affiliation.OUTCAST:
        raise not_allowed("you are banned from this room")
    if affiliation is Affiliation.NONE and not room.config.self_registration:
        raise not_allowed("only admins make members in this room")


def register(room: Room, iq: Iq, now: datetime) -> Effects:
    """Register, or ask the admins for it, or give a registration up (XEP-0045 §7.10, XEP-0077 §3.2)."""
    assert iq.sender is not None
    request = iq.request()
    user = iq.sender.bare
    if request.child(NS_REGISTER, "remove") is not None:
        return _unregister(room, iq, user)
    nick = _read_nick(room, submitted(request.child(NS_DATA, "x"), FORM_REGISTER).get(NICK, ()))
    _check_allowed(room, user)
    affiliation = room.affiliation(user)
    if affiliation is Affiliation.NONE and room.config.approve_registration:
        return _ask(room, iq, user, nick, now)
    new = Affiliation.MEMBER if affiliation is Affiliation.NONE else affiliation
    return _put(room, AffiliationItem(user, new, nick), iq)


def _read_nick(room: Room, values: tuple[str, ...]) -> str:
    """The nickname, as it would be in an address; raises bad-request for none (XEP-0045 §7.10)."""
    try:
        nick = room.address.with_resource(single(values)).resource
    except (ValueError, InvalidJID) as error:
        raise bad_request(f"no nickname: {error}") from None
    assert nick is not None
    return nick


def _put(room: Room, item: AffiliationItem, iq: Iq) -> Effects:
    check_lists(room, (item,))
    effects, told = Effects(), Consequences(room)
    put_affiliations(room, effects, told, (item,), None, informs=False)
    room.requests.pop(item.jid, None)
    return told.conclude(effects, (iq.result(),))


def _unregister(room: Room, iq: Iq, user: JID) -> Effects:
    entry = room.affiliations.get(user)
    if entry is None or entry.affiliation not in AFFILIATED:
        raise registration_required("you are not registered")  # XEP-0077 §3.2
    is_member = entry.affiliation is Affiliation.MEMBER
    kept = Affiliation.NONE if is_member else entry.affiliation  # nobody stops to be an admin by the way
    return _put(room, AffiliationItem(user, kept, "", None if is_member else entry.reason), iq)


# Approval


def _ask(room: Room, iq: Iq, user: JID, nick: str, now: datetime) -> Effects:
    """Ask the admins (XEP-0045 §9.9): those inside, or else all of them, some."""
    check_lists(room, (AffiliationItem(user, Affiliation.MEMBER, nick),))
    waiting = {other: room_nick for other, room_nick in room.requests.items() if other != user}
    if nick in waiting.values():
        raise conflict("somebody else asked for this nickname")
    if len(waiting) >= MOST_REQUESTS:
        raise resource_constraint("too many requests wait for an admin")
    is_new = room.requests.get(user) != nick
    if is_new:
        _check_pause(room, user, now)
    room.requests[user] = nick
    effects = Effects()
    effects.send.append(iq.result())
    if is_new:
        effects.writes.append(RoomPut())
        effects.send.append(Broadcast(_approval(room, user, nick), _approvers(room)))
    return effects


def _check_pause(room: Room, user: JID, now: datetime) -> None:
    """Raise policy-violation for who asks again too soon, under whatever nickname."""
    applied = room.applied.get(user)
    if applied is not None and timedelta(0) <= now - applied < PAUSE:
        raise StanzaError("policy-violation", ErrorType.WAIT, "you have just asked; wait a minute")
    keep(room.applied, user, now, MOST_APPLIED)


def _approvers(room: Room) -> tuple[JID, ...]:
    inside = [session for session, occupant in room.by_address.items() if occupant.affiliation in ADMINS]
    named = (jid for jid, entry in room.affiliations.items() if entry.affiliation in ADMINS)
    return tuple(inside) or tuple(jid for jid, _ in zip(named, range(MOST_TOLD), strict=False))


def _approval(room: Room, user: JID, nick: str) -> Message:
    fields = (
        Field(NICK, "text-single", "Desired Nickname", (nick,)),
        Field(WHO, "jid-single", "User ID", (str(user),)),
        Field(ALLOW, "boolean", "Allow this person to register with the room?", ("0",)),
    )
    text = "To approve this registration request, check the box."
    form = empty_form(FORM_REGISTER, "Registration request", text, fields)
    return Message(MessageType.NORMAL, sender=room.address, id=str(room.next_id()), children=[form])


def approve(room: Room, message: Message, now: datetime) -> Effects:
    """An admin decides (XEP-0045 §9.9)."""
    fields = submitted(message.child(NS_DATA, "x"), FORM_REGISTER)
    if message.sender is None or room.affiliation(message.sender) not in ADMINS:
        raise forbidden()
    try:
        is_allowed, nick = is_true(fields.get(ALLOW, ())), single(fields.get(NICK, ()))
        who = single(fields.get(WHO, ()))
    except ValueError as error:
        raise bad_request(str(error)) from None
    user = next(
        (user for user, wanted in room.requests.items() if who in ("", user) and wanted == nick), None
    )
    if user is None:
        raise item_not_found("there is no such request")
    items: tuple[AffiliationItem, ...] = ()
    if is_allowed and room.affiliation(user) is Affiliation.NONE:
        items = (AffiliationItem(user, Affiliation.MEMBER, nick),)
    check_lists(room, items)
    del room.requests[user]
    effects, told = Effects(), Consequences(room)
    effects.writes.append(RoomPut())
    put_affiliations(room, effects, told, items, None)
    return told.conclude(effects)
