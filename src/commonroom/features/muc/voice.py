"""XEP-0045 §7.13, §8.6: asking for voice, and getting it."""

from datetime import datetime, timedelta

from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.discussing import speaker
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.moderating import RoleItem, check_role, set_role
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room, keep
from commonroom.protocol.dataforms import NS_DATA, Field, empty_form, is_true, single, submitted
from commonroom.protocol.errors import (
    ErrorType,
    StanzaError,
    bad_request,
    forbidden,
    item_not_found,
    not_acceptable,
    recipient_unavailable,
)
from commonroom.protocol.muc import FORM_REQUEST
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element

# Between two requests of one user.
PAUSE = timedelta(seconds=60)
# Users of whom it is known when they asked.
MOST_ASKED = 200

ALLOW = "muc#request_allow"


def request_or_approve(room: Room, message: Message, now: datetime) -> Effects:
    """A form about voice: an occupant asks, or a moderator answers."""
    fields = submitted(message.child(NS_DATA, "x"), FORM_REQUEST)
    try:
        role, nick = single(fields.get("muc#role", ())), single(fields.get("muc#roomnick", ()))
        jid = single(fields.get("muc#jid", ()))
        is_allowed = is_true(fields[ALLOW]) if ALLOW in fields else None
    except ValueError as error:
        raise bad_request(str(error)) from None
    if role != Role.PARTICIPANT:
        raise bad_request("one can ask to be a participant")
    if is_allowed is None:
        return _request(room, message, now)
    return _approve(room, message, nick, jid) if is_allowed else _dismiss(room, message)


def _request(room: Room, message: Message, now: datetime) -> Effects:
    """Ask the moderators (XEP-0045 §7.13, §8.6)."""
    visitor = speaker(room, message.sender)
    if not room.config.voice_requests:
        raise forbidden("one cannot ask for voice in this room")
    if visitor.role is not Role.VISITOR:
        raise not_acceptable("you have a voice")
    asked = room.asked.get(visitor.user)
    if asked is not None and timedelta(0) <= now - asked < PAUSE:
        raise StanzaError("policy-violation", ErrorType.WAIT, "you have just asked")
    moderators = [session for session, occupant in room.by_address.items() if occupant.role is Role.MODERATOR]
    if not moderators:
        raise recipient_unavailable("no moderator is here")
    keep(room.asked, visitor.user, now, MOST_ASKED)
    effects = Effects()
    form = Message(
        MessageType.NORMAL, sender=room.address, id=str(room.next_id()), children=[_form(room, visitor)]
    )
    effects.broadcast(form, moderators)
    return effects


def _form(room: Room, visitor: Occupant) -> Element:
    session, _ = visitor.main()
    fields = (
        Field(
            "muc#role", "list-single", "Requested role", ("participant",), (("Participant", "participant"),)
        ),
        Field("muc#jid", "jid-single", "User ID", (str(session),)),
        Field("muc#roomnick", "text-single", "Room Nickname", (visitor.nick,)),
        Field(ALLOW, "boolean", "Grant voice to this person?", ("0",)),
    )
    return empty_form(
        FORM_REQUEST, "Voice request", "To approve this request for voice, check the box.", fields
    )


def _dismiss(room: Room, message: Message) -> Effects:
    """A moderator says no, of which nobody is told (XEP-0045 §8.6)."""
    if speaker(room, message.sender).role is not Role.MODERATOR:
        raise forbidden()
    return Effects()


def _approve(room: Room, message: Message, nick: str, jid: str) -> Effects:
    """A moderator says yes (XEP-0045 §8.6), to whom had the nickname when the form was made."""
    moderator = speaker(room, message.sender)
    if moderator.role is not Role.MODERATOR:
        raise forbidden()
    visitor = room.occupants.get(nick)
    if visitor is None or (jid and jid not in visitor.sessions):
        raise item_not_found("whoever asked is not here any more")
    item = RoleItem(visitor, Role.PARTICIPANT)
    told = Consequences(room)
    if visitor.role is Role.VISITOR:
        check_role(room, moderator.user, item)
        set_role(room, told, item, moderator.nick)
    return told.conclude(Effects())
