"""XEP-0045 §9, §10.3 to §10.8: affiliations, and the requests that change them and roles."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from commonroom.features.muc.affiliation_versions import change_element
from commonroom.features.muc.affiliations import (
    ADMINS,
    AFFILIATED,
    Affiliation,
    Entry,
    affiliation_refusal,
    role_after,
)
from commonroom.features.muc.appearances import Notice
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.effects import AffiliationPut, Broadcast, Effects, RoomPut
from commonroom.features.muc.invitations import invitation, inviter_name
from commonroom.features.muc.listing import affiliation_list, may_list, role_list
from commonroom.features.muc.moderating import (
    ROLES,
    RoleItem,
    acting,
    check_role,
    read_role_item,
    set_role,
)
from commonroom.features.muc.nicknames import check_free, check_visible
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import MOST_FORMER, Room
from commonroom.protocol.errors import (
    bad_request,
    conflict,
    jid_malformed,
    not_acceptable,
    resource_constraint,
)
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import NS_MUC_ADMIN, Status, text_element, user_element
from commonroom.protocol.stanza import Iq, Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER

# Addresses on the lists of one room.
MOST_ENTRIES = 10_000

# Items of one request: each may be told to everybody inside.
MOST_ITEMS = 200
# Characters of a reason, which is stored.
LONGEST_REASON = 1024

AFFILIATIONS = {affiliation.value: affiliation for affiliation in Affiliation}


class AffiliationItem(NamedTuple):
    """Somebody who is to have another affiliation.

    nick    the reserved nickname: None leaves it, "" takes it away (XEP-0045 §9.5)
    """

    jid: JID
    affiliation: Affiliation
    nick: str | None = None
    reason: str | None = None


# Requests


def get_list(room: Room, iq: Iq, now: datetime) -> Effects:
    """Give one of the lists (XEP-0045 §8.5, §9.2, §9.5, §9.8, §10.5, §10.8)."""
    assert iq.sender is not None
    item = iq.request().only_child()
    if item is None or (item.get("role") is None) == (item.get("affiliation") is None):
        raise bad_request("one item with a role or an affiliation says which list")
    role, affiliation = ROLES.get(item.get("role") or ""), AFFILIATIONS.get(item.get("affiliation") or "")
    if role is not None:
        items = role_list(room, iq.sender, role)
    elif affiliation is not None:
        items = affiliation_list(room, iq.sender, affiliation)
    else:
        raise bad_request("no such role or affiliation")
    effects = Effects()
    effects.send.append(iq.result(Element(NS_MUC_ADMIN, "query", None, *items)))
    return effects


def change(room: Room, iq: Iq, now: datetime) -> Effects:
    """Change roles and affiliations, all that are asked for or none (XEP-0045 §9.2)."""
    assert iq.sender is not None
    roles, affiliations = _read_items(room, iq.request())
    for item in roles:
        check_role(room, iq.sender, item)
    check_affiliations(room, iq.sender, affiliations)
    actor = acting(room, iq.sender)
    effects, told = Effects(), Consequences(room)
    name = None if actor is None else actor.nick
    for item in roles:
        set_role(room, told, item, name)
    put_affiliations(room, effects, told, affiliations, iq.sender)
    return told.conclude(effects, (iq.result(),))


def assign(
    room: Room, jid: JID, affiliation: Affiliation, nick: str | None = None, reason: str | None = None
) -> Effects:
    """Change an affiliation for an operator or the service itself, whom the tables do not bind."""
    items = (AffiliationItem(jid.bare, affiliation, nick, reason),)
    check_lists(room, items)
    effects, told = Effects(), Consequences(room)
    put_affiliations(room, effects, told, items, None)
    return told.conclude(effects)


def _read_items(room: Room, query: Element) -> tuple[list[RoleItem], list[AffiliationItem]]:
    roles: list[RoleItem] = []
    affiliations: list[AffiliationItem] = []
    for item in query.elements():
        if (item.get("role") is None) == (item.get("affiliation") is None):
            raise bad_request("an item has a role or an affiliation")  # XEP-0045 §17.4 rule 4
        if item.get("role") is not None:
            roles.append(read_role_item(room, item))
        else:
            affiliations.append(_read_affiliation_item(room, item))
    if not roles and not affiliations:
        raise bad_request("there are no items")
    named = [item.occupant for item in roles]
    if len(set(map(id, named))) < len(roles) or len({item.jid for item in affiliations}) < len(affiliations):
        raise bad_request("each occupant and each address stands in one item")
    return roles, affiliations


def _read_affiliation_item(room: Room, item: Element) -> AffiliationItem:
    """An item of a request (XEP-0045 §17.4 rule 6): by bare address, whatever is said (§10.3)."""
    affiliation, text = AFFILIATIONS.get(item.get("affiliation") or ""), item.get("jid")
    if affiliation is None or text is None:
        raise bad_request("an affiliation is one of five, and belongs to an address")
    try:
        jid = JID.parse(text).bare
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None
    if jid.domain == room.address.domain:
        raise bad_request("nobody lives here; use the real address")
    return AffiliationItem(jid, affiliation, item.get("nick"), item.child_text(NS_MUC_ADMIN, "reason"))


# Rules


def check_affiliations(room: Room, actor: JID, items: Iterable[AffiliationItem]) -> None:
    """Raise what keeps somebody from changing these affiliations (XEP-0045 §5.2.2, §9.1, §10.4)."""
    items = tuple(items)
    for item in items:
        standing = room.affiliation(actor)
        if standing in ADMINS and item.affiliation is Affiliation.OUTCAST and item.jid == actor.bare:
            raise conflict("you cannot ban yourself")  # XEP-0045 §9.1, whoever else might
        refusal = affiliation_refusal(standing, _listed(room, item.jid), item.affiliation)
        if refusal is not None:
            raise refusal
    check_lists(room, items)


def _listed(room: Room, jid: JID) -> Affiliation:
    """What the lists say of exactly this address; a domain's entry is another one."""
    entry = room.affiliations.get(jid)
    return Affiliation.NONE if entry is None else entry.affiliation


def check_lists(room: Room, items: Sequence[AffiliationItem]) -> None:
    """Raise what nobody may do to the lists."""
    if len(items) > MOST_ITEMS:
        raise not_acceptable(f"at most {MOST_ITEMS} addresses at once")
    for item in items:
        check_reason(item.reason)
        if item.jid.local is None and item.affiliation in ADMINS:
            raise not_acceptable("not everybody of a domain can run a room")
        if item.jid.domain == room.address.domain and item.affiliation is not Affiliation.NONE:
            raise not_acceptable("nobody lives here; use the real address")
        if item.nick:
            _check_nick(room, item.jid, item.nick)
    after = {jid: entry.affiliation for jid, entry in room.affiliations.items()}
    had_owner = Affiliation.OWNER in after.values()
    after |= {item.jid: item.affiliation for item in items}
    if had_owner and Affiliation.OWNER not in after.values():
        raise conflict("a room has at least one owner")  # XEP-0045 §10.4
    if len(after) > max(MOST_ENTRIES, len(room.affiliations)):
        raise resource_constraint("the lists of this room are full")


def check_reason(reason: str | None) -> None:
    """Raise not-acceptable for one that is no reason but a speech."""
    if reason is not None and len(reason) > LONGEST_REASON:
        raise not_acceptable(f"a reason has at most {LONGEST_REASON} characters")


def _check_nick(room: Room, jid: JID, nick: str) -> None:
    try:
        room.address.with_resource(nick)
    except InvalidJID as error:
        raise not_acceptable(str(error)) from None
    check_visible(nick)
    check_free(room, jid, nick)


# Changes


def put_affiliations(
    room: Room,
    effects: Effects,
    told: Consequences,
    items: Iterable[AffiliationItem],
    actor: JID | None,
    informs: bool = True,
) -> None:
    """Do what was checked, and see what follows for those inside and those who are not."""
    first = room.version
    for item in items:
        before, since = _listed(room, item.jid), room.version
        if not _put(room, effects, item):
            continue
        inside = acting(room, actor) if actor is not None else None
        notice = Notice(
            actor=None if inside is None else inside.nick,
            reason=item.reason,
            revealed=(change_element(room, since, room.version),),
        )
        affected = list(_occupants(room, item.jid))
        for occupant in affected:
            _judge(room, told, occupant, notice)
        if not affected:
            told.messages += _announce(room, item, before, notice)
            if informs:
                told.messages += _inform(room, item, before, actor)
    if room.version != first and RoomPut() not in effects.writes:
        effects.writes.append(RoomPut())  # the version of the lists


def _put(room: Room, effects: Effects, item: AffiliationItem) -> bool:
    """Write it on the list; False if it stands there already."""
    old = room.affiliations.get(item.jid)
    nick = (None if old is None else old.nick) if item.nick is None else item.nick or None
    if item.affiliation not in AFFILIATED:
        nick = None  # XEP-0045 §9.1: outcasts have none
    reason = None if item.affiliation is Affiliation.NONE else item.reason
    new = Entry(item.affiliation, nick, reason)
    if (old or Entry(Affiliation.NONE)) == replace(new, version=0 if old is None else old.version):
        return False
    room.version += 1
    if old is not None and old.nick is not None:
        room.give_up(old.nick, item.jid)
    room.former.pop(item.jid, None)
    if item.affiliation is Affiliation.NONE:
        del room.affiliations[item.jid]
        _bury(room, effects, item.jid)
    else:
        room.affiliations[item.jid] = replace(new, version=room.version)
        if nick is not None:
            room.reserve(nick, item.jid)
    effects.writes.append(AffiliationPut(item.jid))
    return True


def _bury(room: Room, effects: Effects, jid: JID) -> None:
    """Remember that somebody was on a list (XEP-0463); of too many, the oldest is forgotten."""
    room.former[jid] = room.version
    if len(room.former) > MOST_FORMER:
        oldest = next(iter(room.former))
        room.complete_from = room.former.pop(oldest)
        effects.writes.append(AffiliationPut(oldest))


def _occupants(room: Room, jid: JID) -> list[Occupant]:
    """Those inside whom an entry of the lists may be about."""
    if jid.local is not None:
        return list(room.by_user.get(jid, ()))
    return [
        occupant
        for occupant in room.occupants.values()
        if occupant.user.domain == jid.domain and occupant.affiliation is not room.affiliation(occupant.user)
    ]


def _judge(room: Room, told: Consequences, occupant: Occupant, notice: Notice) -> None:
    """What the lists mean for somebody inside (XEP-0045 §9.1, §9.4)."""
    old, new = occupant.affiliation, room.affiliation(occupant.user)
    occupant.affiliation = new
    if new is Affiliation.OUTCAST:
        told.remove(occupant, notice._replace(codes=(Status.BANNED,)))
    elif not room.may_enter(occupant.user):
        told.remove(occupant, notice._replace(codes=(Status.AFFILIATION_LOST,)))
    else:
        role = occupant.role if old is new else role_after(occupant.role, old, new, room.config.moderated)
        if old is not new:
            room.voices.pop(occupant.user, None)
        told.update(occupant, role, notice)


def _announce(room: Room, item: AffiliationItem, before: Affiliation, notice: Notice) -> list[Broadcast]:
    """Tell those inside who may know of somebody who is not (XEP-0045 §10.3, XEP-0463 §5.2.2)."""
    listed = before if item.affiliation is Affiliation.NONE else item.affiliation
    knowing = [
        session
        for session, occupant in room.by_address.items()
        if room.sees_addresses(occupant) and may_list(room, occupant.user, listed)
    ]
    if not knowing:
        return []
    attributes = {"affiliation": item.affiliation.value, "jid": str(item.jid), "role": "none"}
    x = user_element((), *notice.revealed, Element(NS_MUC_USER, "item", attributes))
    return [Broadcast(Message(MessageType.NORMAL, sender=room.address, children=[x]), knowing)]


def _inform(room: Room, item: AffiliationItem, before: Affiliation, actor: JID | None) -> list[Message]:
    """Tell somebody who is not inside (XEP-0045 §18.1 rule 2); a closed room invites new members (§9.5)."""
    if (
        item.jid.local is None
        or before is item.affiliation
        or Affiliation.OUTCAST in (before, item.affiliation)
    ):
        return []
    if room.config.members_only and before is Affiliation.NONE and actor is not None:
        return [invitation(room, item.jid, actor, inviter_name(room, actor), item.reason)]
    attributes = {"affiliation": item.affiliation.value, "role": "none"}
    told = Element(NS_MUC_USER, "item", attributes, *text_element(NS_MUC_USER, "reason", item.reason))
    x = user_element((Status.AFFILIATION_CHANGED,), told)
    return [Message(MessageType.NORMAL, item.jid, room.address, children=[x])]
