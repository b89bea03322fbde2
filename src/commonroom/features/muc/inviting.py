"""XEP-0045 §7.8: inviting others through the room, and declining."""

from datetime import datetime

from commonroom.features.muc.administering import AffiliationItem, check_lists, put_affiliations
from commonroom.features.muc.affiliations import ADMINS, AFFILIATED, Affiliation
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.discussing import speaker
from commonroom.features.muc.effects import Broadcast, Effects
from commonroom.features.muc.forgeries import anonymous_error
from commonroom.features.muc.invitations import invitation, inviter_name
from commonroom.features.muc.leaving import failed
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import bad_request, forbidden, item_not_found, jid_malformed, not_acceptable
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import text_element, user_element
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER

# People that one message may invite.
MOST_AT_ONCE = 20


def mediate(room: Room, message: Message, now: datetime) -> Effects:
    """A message to the room with invitations, or with one that is declined (XEP-0045 §7.8.2)."""
    x = message.child(NS_MUC_USER, "x")
    assert x is not None
    decline = x.child(NS_MUC_USER, "decline")
    if decline is not None:
        return _decline(room, message, decline)
    invites = [child for child in x.elements() if child.name == "invite"]
    if not 0 < len(invites) <= MOST_AT_ONCE:
        raise bad_request(f"at most {MOST_AT_ONCE} can be invited at once, or one invitation declined")
    return _invite(room, message, invites)


def _invite(room: Room, message: Message, invites: list[Element]) -> Effects:
    inviter = speaker(room, message.sender)
    assert message.sender is not None
    _check_privilege(room, inviter)
    invitees = [(_address(invite), invite) for invite in invites]
    for invitee, _ in invitees:
        if room.affiliation(invitee) is Affiliation.OUTCAST:
            raise not_acceptable("somebody who is banned cannot be invited")
    effects, told = Effects(), Consequences(room)
    if room.config.members_only:
        items = {
            invitee.bare: AffiliationItem(invitee.bare, Affiliation.MEMBER)
            for invitee, _ in invitees
            if _may_belong(room, invitee) and room.affiliation(invitee) is Affiliation.NONE
        }
        check_lists(room, tuple(items.values()))
        put_affiliations(room, effects, told, items.values(), None, informs=False)
    name = inviter_name(room, message.sender)
    for invitee, invite in invitees:
        reason = invite.child_text(NS_MUC_USER, "reason")
        more = tuple(child for child in invite.elements() if child.name == "continue")
        sent = invitation(room, invitee, message.sender, name, reason, message.id, more)
        sent.owed = message.owed  # its sender counts on this one
        told.messages.append(sent)
    return told.conclude(effects)


def _may_belong(room: Room, invitee: JID) -> bool:
    """Somebody may be invited from another room (XEP-0045 §7.8.2), and lives elsewhere."""
    return invitee.local is not None and invitee.domain != room.address.domain


def _check_privilege(room: Room, inviter: Occupant) -> None:
    """Raise forbidden where an invitation makes members, and the inviter may not (XEP-0045 §7.8.2, §9.5)."""
    config = room.config
    allowed = AFFILIATED if config.allow_invites else ADMINS
    if config.members_only and inviter.affiliation not in allowed:
        raise forbidden("only admins may invite others into this room")


def _address(element: Element) -> JID:
    text = element.get("to")
    if text is None:
        raise bad_request("say to whom")
    try:
        return JID.parse(text)
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def _decline(room: Room, message: Message, decline: Element) -> Effects:
    """Tell the inviter (XEP-0045 §7.8.2), if there was an invitation: nobody is written to for strangers."""
    assert message.sender is not None
    name = str(_address(decline))
    inviter = room.invited.pop((message.sender.bare, name), None)
    if inviter is None:
        inviter = room.invited.pop((message.sender.bare, str(JID.parse(name).bare)), None)
    if inviter is None:
        raise item_not_found("there is no such invitation")
    reason = decline.child_text(NS_MUC_USER, "reason")
    told = Element(NS_MUC_USER, "decline", {"from": str(message.sender.bare)})
    told.append(*text_element(NS_MUC_USER, "reason", reason))
    answer = Message(
        MessageType.NORMAL, sender=room.address, id=message.id, children=[user_element((), told)]
    )
    effects = Effects()
    effects.send.append(Broadcast(answer, sessions_of(room, inviter)))
    return effects


def sessions_of(room: Room, user: JID) -> tuple[JID, ...]:
    """Where to reach somebody: the clients in the room, or else the account."""
    inside = [session for occupant in room.by_user.get(user, ()) for session in occupant.sessions]
    return tuple(inside) or (user,)


def undelivered(room: Room, message: Message, now: datetime) -> Effects:
    """An error for what the room itself sent: an invitation that did not arrive is told (XEP-0045 §7.8.2)."""
    sender = message.sender
    assert sender is not None
    effects = failed(room, message, now)
    error = message.child(NS_CLIENT, "error")
    names = [name for invitee, name in room.invited if invitee == sender.bare]
    if not names or error is None or sender in room.by_address:
        return effects
    inviter = room.invited.pop((sender.bare, names[-1]))
    told = Message(MessageType.ERROR, sender=room.address, id=message.id, children=[anonymous_error(error)])
    effects.send.append(Broadcast(told, sessions_of(room, inviter)))
    return effects
