"""XEP-0045 §8.2 to §8.5, §9.6 to §9.8: roles: kicking, giving and taking voice, making moderators."""

from typing import NamedTuple

from commonroom.features.muc.affiliations import ROLE_RANK, Affiliation, Role, role_refusal
from commonroom.features.muc.appearances import Notice
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Room, keep
from commonroom.protocol.errors import bad_request, conflict, item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC_ADMIN, Status
from commonroom.xml.element import Element

# Users whose roles are remembered (XEP-0045 §5.1).
MOST_VOICES = 500

ROLES = {role.value: role for role in Role}


class RoleItem(NamedTuple):
    """An occupant who is to have another role."""

    occupant: Occupant
    role: Role
    reason: str | None = None


def read_role_item(room: Room, item: Element) -> RoleItem:
    """An item of a request (XEP-0045 §17.4 rule 5); raises bad-request, item-not-found."""
    role, nick = ROLES.get(item.get("role") or ""), item.get("nick")
    if role is None or nick is None:
        raise bad_request("a role is one of four, and belongs to a nickname")
    occupant = room.occupants.get(nick)
    if occupant is None:
        raise item_not_found("nobody has this nickname")
    return RoleItem(occupant, role, item.child_text(NS_MUC_ADMIN, "reason"))


def acting(room: Room, user: JID) -> Occupant | None:
    """The highest of somebody's occupants; requests are judged by the bare address (XEP-0045 §8)."""
    own = room.by_user.get(user.bare, ())
    return max(own, key=lambda occupant: ROLE_RANK[occupant.role], default=None)


def check_role(room: Room, user: JID, item: RoleItem) -> None:
    """Raise what keeps somebody from changing a role, by the tables (XEP-0045 §5.1.3)."""
    actor = acting(room, user)
    standing = (Affiliation.NONE, Role.NONE) if actor is None else (actor.affiliation, actor.role)
    target = item.occupant
    refusal = role_refusal(standing, (target.affiliation, target.role), item.role)
    if refusal is not None:
        raise refusal
    if target is actor and item.role is Role.NONE:
        raise conflict("to leave, leave")  # XEP-0045 §8.2


def set_role(room: Room, told: Consequences, item: RoleItem, actor: str | None) -> None:
    """Do what was checked."""
    occupant, role = item.occupant, item.role
    if role is Role.NONE:
        told.remove(occupant, Notice((Status.KICKED,), actor=actor, reason=item.reason))
        return
    if role is Role.MODERATOR:
        room.voices.pop(occupant.user, None)
    else:
        keep(room.voices, occupant.user, role, MOST_VOICES)
    told.update(occupant, role, Notice(actor=actor, reason=item.reason))
