"""XEP-0045 §7.8.2: the invitation that a room sends in somebody's name."""

from commonroom.features.muc.moderating import acting
from commonroom.features.muc.room import Room, keep
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import text_element, user_element
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER

# Invitations that can still be declined.
MOST_INVITED = 500


def inviter_name(room: Room, inviter: JID) -> JID:
    """Who invites, as the invitee is told: by no real address, where these are hidden (XEP-0045 §7.8.2)."""
    if not room.is_anonymous:
        return inviter.bare
    # Deviation: XEP-0045 §7.8.2 wants an address of the inviter in any case. An admin who makes a member of a
    # semi-anonymous room without being inside has none that may be told, so the room invites.
    occupant = room.by_address.get(inviter) or acting(room, inviter)
    return room.address if occupant is None else occupant.address


def invitation(
    room: Room,
    invitee: JID,
    inviter: JID,
    name: JID,
    reason: str | None,
    id: str | None = None,
    more: tuple[Element, ...] = (),
) -> Message:
    """The invitation, with the password if there is one; it can be declined from now on."""
    keep(room.invited, (invitee.bare, str(name)), inviter.bare, MOST_INVITED)
    invite = Element(NS_MUC_USER, "invite", {"from": str(name)}, *text_element(NS_MUC_USER, "reason", reason))
    invite.append(*more)
    x = user_element((), invite, *text_element(NS_MUC_USER, "password", room.config.password))
    return Message(MessageType.NORMAL, invitee, room.address, id, [x])
