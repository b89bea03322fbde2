"""XEP-0045 §8.5, §9.2, §9.5, §9.8, §10.5, §10.8: who may get which list, and the lists."""

from commonroom.features.muc.affiliations import ADMINS, AFFILIATED, Affiliation, Entry, Role
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import forbidden
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC_ADMIN, text_element
from commonroom.xml.element import Element


def may_list(room: Room, user: JID, affiliation: Affiliation) -> bool:
    """Whether somebody may get the list of those with an affiliation.

    It holds real addresses. So in a semi-anonymous room the members are for admins (XEP-0045 §5.2.1) and the
    admins and owners for owners (§10.5, §10.8); in another one they are for members and those inside (§9.5).
    """
    own = room.affiliation(user)
    if own is Affiliation.OWNER:
        return True
    if affiliation is Affiliation.OUTCAST:
        return own in ADMINS
    if affiliation is Affiliation.MEMBER and own in ADMINS:
        return True
    if room.is_anonymous:
        return False
    return own in AFFILIATED or any(
        occupant.role in room.config.get_member_list for occupant in room.by_user.get(user.bare, ())
    )


def affiliation_list(room: Room, user: JID, affiliation: Affiliation) -> list[Element]:
    """The items of a list (XEP-0045 §17.4 rule 6); raises forbidden."""
    if affiliation is Affiliation.NONE or not may_list(room, user, affiliation):
        raise forbidden()
    shows_reasons = room.affiliation(user) in ADMINS
    return [_affiliation_item(jid, entry, shows_reasons) for jid, entry in room.listed(affiliation)]


def _affiliation_item(jid: JID, entry: Entry, shows_reason: bool) -> Element:
    attributes = {"affiliation": entry.affiliation.value, "jid": str(jid)}
    if entry.nick is not None:
        attributes["nick"] = entry.nick
    item = Element(NS_MUC_ADMIN, "item", attributes)
    return item.append(*text_element(NS_MUC_ADMIN, "reason", entry.reason)) if shows_reason else item


def role_list(room: Room, user: JID, role: Role) -> list[Element]:
    """The occupants of a role (XEP-0045 §17.4 rule 5), for moderators; the moderators for admins (§9.8)."""
    is_moderator = any(own.role is Role.MODERATOR for own in room.by_user.get(user.bare, ()))
    if role is Role.NONE or not is_moderator:
        raise forbidden()
    if role is Role.MODERATOR and room.affiliation(user) not in ADMINS:
        raise forbidden()
    return [_role_item(occupant) for occupant in room.occupants.values() if occupant.role is role]


def _role_item(occupant: Occupant) -> Element:
    session, _ = occupant.main()
    return Element(
        NS_MUC_ADMIN,
        "item",
        {
            "affiliation": occupant.affiliation.value,
            "jid": str(session),
            "nick": occupant.nick,
            "role": occupant.role.value,
        },
    )
