"""XEP-0045 §5: roles, affiliations and privileges: who may do what, as tables."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from commonroom.protocol.errors import StanzaError, forbidden, not_allowed


class Affiliation(StrEnum):
    """What somebody is to a room for good (XEP-0045 §5.2)."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    NONE = "none"
    OUTCAST = "outcast"


class Role(StrEnum):
    """What an occupant may do during a visit (XEP-0045 §5.1)."""

    MODERATOR = "moderator"
    PARTICIPANT = "participant"
    VISITOR = "visitor"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody on one of the lists.

    nick        the nickname that nobody else may have here (XEP-0045 §7.10)
    version     that of the lists when this was put on them (XEP-0463 §5.2.2)
    """

    affiliation: Affiliation
    nick: str | None = None
    reason: str | None = None
    version: int = 0


class Privilege(Enum):
    """What an affiliation may allow (XEP-0045 §5.2.1)."""

    ENTER_OPEN_ROOM = "enter open room"
    REGISTER = "register with open room"
    GET_MEMBER_LIST = "retrieve member list"
    ENTER_MEMBERS_ONLY_ROOM = "enter members-only room"
    BAN = "ban members and unaffiliated users"
    EDIT_MEMBER_LIST = "edit member list"
    ASSIGN_MODERATORS = "assign and remove moderator role"
    EDIT_ADMIN_LIST = "edit admin list"
    EDIT_OWNER_LIST = "edit owner list"
    CONFIGURE = "change room configuration"
    DESTROY = "destroy room"


_OWNER, _ADMIN, _MEMBER = Affiliation.OWNER, Affiliation.ADMIN, Affiliation.MEMBER
_NONE, _OUTCAST = Affiliation.NONE, Affiliation.OUTCAST

RANK = {_OUTCAST: 0, _NONE: 1, _MEMBER: 2, _ADMIN: 3, _OWNER: 4}
ROLE_RANK = {Role.NONE: 0, Role.VISITOR: 1, Role.PARTICIPANT: 2, Role.MODERATOR: 3}

ADMINS = frozenset((_ADMIN, _OWNER))
AFFILIATED = frozenset((_MEMBER, _ADMIN, _OWNER))

# XEP-0045 §5.2.1. The member list of a semi-anonymous room is another matter: it holds addresses.
PRIVILEGES: dict[Privilege, frozenset[Affiliation]] = {
    Privilege.ENTER_OPEN_ROOM: AFFILIATED | {_NONE},
    Privilege.REGISTER: frozenset((_NONE,)),
    Privilege.GET_MEMBER_LIST: AFFILIATED,
    Privilege.ENTER_MEMBERS_ONLY_ROOM: AFFILIATED,
    Privilege.BAN: ADMINS,
    Privilege.EDIT_MEMBER_LIST: ADMINS,
    Privilege.ASSIGN_MODERATORS: ADMINS,
    Privilege.EDIT_ADMIN_LIST: frozenset((_OWNER,)),
    Privilege.EDIT_OWNER_LIST: frozenset((_OWNER,)),
    Privilege.CONFIGURE: frozenset((_OWNER,)),
    Privilege.DESTROY: frozenset((_OWNER,)),
}

# XEP-0045 §5.2.2: who may change the first into the second; who registers becomes a member without.
AFFILIATION_CHANGES: dict[tuple[Affiliation, Affiliation], frozenset[Affiliation]] = {
    (_OUTCAST, _NONE): ADMINS,
    (_OUTCAST, _MEMBER): ADMINS,
    (_OUTCAST, _ADMIN): frozenset((_OWNER,)),
    (_OUTCAST, _OWNER): frozenset((_OWNER,)),
    (_NONE, _OUTCAST): ADMINS,
    (_NONE, _MEMBER): ADMINS,
    (_NONE, _ADMIN): frozenset((_OWNER,)),
    (_NONE, _OWNER): frozenset((_OWNER,)),
    (_MEMBER, _OUTCAST): ADMINS,
    (_MEMBER, _NONE): ADMINS,
    (_MEMBER, _ADMIN): frozenset((_OWNER,)),
    (_MEMBER, _OWNER): frozenset((_OWNER,)),
    (_ADMIN, _OUTCAST): frozenset((_OWNER,)),
    (_ADMIN, _NONE): frozenset((_OWNER,)),
    (_ADMIN, _MEMBER): frozenset((_OWNER,)),
    (_ADMIN, _OWNER): frozenset((_OWNER,)),
    (_OWNER, _OUTCAST): frozenset((_OWNER,)),
    (_OWNER, _NONE): frozenset((_OWNER,)),
    (_OWNER, _MEMBER): frozenset((_OWNER,)),
    (_OWNER, _ADMIN): frozenset((_OWNER,)),
}


class Grade(Enum):
    """Who it takes to change a role (XEP-0045 §5.1.3)."""

    MODERATOR = "moderator"
    ADMIN = "admin or owner"


# XEP-0045 §5.1.3: who may change the first into the second; that nobody enters by it goes without saying.
ROLE_CHANGES: dict[tuple[Role, Role], Grade] = {
    (Role.VISITOR, Role.NONE): Grade.MODERATOR,
    (Role.VISITOR, Role.PARTICIPANT): Grade.MODERATOR,
    (Role.VISITOR, Role.MODERATOR): Grade.ADMIN,
    (Role.PARTICIPANT, Role.NONE): Grade.MODERATOR,
    (Role.PARTICIPANT, Role.VISITOR): Grade.MODERATOR,
    (Role.PARTICIPANT, Role.MODERATOR): Grade.ADMIN,
    (Role.MODERATOR, Role.NONE): Grade.ADMIN,
    (Role.MODERATOR, Role.VISITOR): Grade.ADMIN,
    (Role.MODERATOR, Role.PARTICIPANT): Grade.ADMIN,
}


def may(affiliation: Affiliation, privilege: Privilege) -> bool:
    """Whether the table gives it (XEP-0045 §5.2.1)."""
    return affiliation in PRIVILEGES[privilege]


def default_role(affiliation: Affiliation, is_moderated: bool) -> Role:
    """The role that somebody enters with (XEP-0045 §5.1.2)."""
    if affiliation in ADMINS:
        return Role.MODERATOR
    if affiliation is Affiliation.NONE and is_moderated:
        return Role.VISITOR
    return Role.PARTICIPANT


def role_after(role: Role, old: Affiliation, new: Affiliation, is_moderated: bool) -> Role:
    """The role of an occupant whose affiliation changes (XEP-0045 §5.1.3).

    What is gained with an affiliation is fixed. With a lost one goes what it gave; a loss gives nothing,
    so that whoever was silenced stays so.
    """
    entering = default_role(new, is_moderated)
    if new in ADMINS or old in ADMINS:
        return entering
    if RANK[new] > RANK[old]:
        return max(role, entering, key=ROLE_RANK.__getitem__)
    return role if role is Role.MODERATOR else min(role, entering, key=ROLE_RANK.__getitem__)


def affiliation_refusal(actor: Affiliation, old: Affiliation, new: Affiliation) -> StanzaError | None:
    """Why somebody may not change an affiliation: by the table, the admins' first (XEP-0045 §9, §10)."""
    if actor not in ADMINS:
        return forbidden()
    if old is new:
        needed = ADMINS if old not in ADMINS else frozenset((Affiliation.OWNER,))
    else:
        needed = AFFILIATION_CHANGES[old, new]
    if actor in needed:
        return None
    # A ban of somebody higher is not allowed (XEP-0045 §9.1); the lists of admins and owners are forbidden
    # ground to others (§10.3, §10.4, §10.6, §10.7).
    return not_allowed() if new is Affiliation.OUTCAST else forbidden()


def role_refusal(
    actor: tuple[Affiliation, Role], target: tuple[Affiliation, Role], new: Role
) -> StanzaError | None:
    """Why an occupant may not change another's role (XEP-0045 §5.1.3, §8.2, §8.4, §9.7)."""
    actor_affiliation, actor_role = actor
    affiliation, role = target
    if actor_role is not Role.MODERATOR:
        return forbidden()
    if role is new:
        return None
    if _is_protected(actor_affiliation, affiliation, new):
        return not_allowed()
    if ROLE_CHANGES[role, new] is Grade.ADMIN and actor_affiliation not in ADMINS:
        # To kick a moderator is "not allowed" (§8.2); only admins make and unmake moderators (§9).
        return not_allowed() if new is Role.NONE else forbidden()
    return None


def _is_protected(actor: Affiliation, affiliation: Affiliation, new: Role) -> bool:
    """Whether the target's affiliation keeps the new role from it."""
    if new is Role.NONE:
        return RANK[affiliation] > RANK[actor]  # §8.2
    if new is Role.VISITOR:
        return affiliation in ADMINS or RANK[affiliation] >= RANK[actor]  # §8.4: "at or above"
    return new is Role.PARTICIPANT and affiliation in ADMINS  # §9.7
