"""XEP-0045 §10.1, §10.2, §10.9: creating, configuring and destroying a room."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from commonroom.features.muc import config_form
from commonroom.features.muc.administering import (
    AffiliationItem,
    check_affiliations,
    check_reason,
    put_affiliations,
)
from commonroom.features.muc.affiliations import Affiliation, Privilege, Role, may
from commonroom.features.muc.appearances import NOTHING, Notice, hide, seen, to_others
from commonroom.features.muc.config import RoomConfig, Whois
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.effects import Broadcast, Effects, RoomDestroyed, RoomPut
from commonroom.features.muc.history import trim
from commonroom.features.muc.leaving import dismiss, end_if_empty
from commonroom.features.muc.room import Room
from commonroom.protocol.dataforms import NS_DATA, submitted
from commonroom.protocol.errors import bad_request, forbidden, jid_malformed, not_acceptable
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import FORM_CONFIG, NS_MUC_OWNER, Status, text_element, user_element
from commonroom.protocol.stanza import Iq, Message, MessageType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER


def get_form(room: Room, iq: Iq, now: datetime) -> Effects:
    """Give an owner the configuration form (XEP-0045 §10.1.3, §10.2)."""
    _check_owner(room, iq, Privilege.CONFIGURE)
    effects = Effects()
    query = Element(NS_MUC_OWNER, "query", None, config_form.config_form(room))
    effects.send.append(iq.result(query))
    return effects


def submit(room: Room, iq: Iq, now: datetime) -> Effects:
    """Take the form (XEP-0045 §10.1.2, §10.1.3, §10.2), or destroy the room (§10.9)."""
    request = iq.request()
    destruction = request.child(NS_MUC_OWNER, "destroy")
    if destruction is not None:
        _check_owner(room, iq, Privilege.DESTROY)
        return destroy(room, _read_destruction(destruction), (iq.result(),))
    _check_owner(room, iq, Privilege.CONFIGURE)
    form = request.child(NS_DATA, "x")
    if form is None:
        raise bad_request("a form is needed, or <destroy/>")
    if form.get("type") == "cancel":
        return _cancel(room, iq)
    # An empty form accepts what is (XEP-0045 §10.1.2).
    fields = submitted(form, FORM_CONFIG) if form.elements() else {}
    return _configure(room, iq, fields)


def _check_owner(room: Room, iq: Iq, privilege: Privilege) -> None:
    if iq.sender is None or not may(room.affiliation(iq.sender), privilege):
        raise forbidden()


def _cancel(room: Room, iq: Iq) -> Effects:
    """A room that was never configured goes; another one stays as it is (XEP-0045 §10.1.3, §10.2)."""
    if room.is_locked:
        return destroy(room, RoomDestroyed(), (iq.result(),))
    effects = Effects()
    effects.send.append(iq.result())
    return effects


def _configure(room: Room, iq: Iq, fields: Mapping[str, Sequence[str]]) -> Effects:
    assert iq.sender is not None
    config = config_form.read_config(room, fields)
    items = _list_items(room, fields)
    if items:
        check_affiliations(room, iq.sender, items)
    effects, told = Effects(), Consequences(room)
    if room.is_locked:
        room.is_locked = False
        effects.writes.append(RoomPut())
    put_affiliations(room, effects, told, items, iq.sender)  # first: new admins may stay in a closed room
    _apply(room, effects, told, config)
    told.conclude(effects, (iq.result(),))
    end_if_empty(room, effects)
    return effects


def configure(room: Room, config: RoomConfig, now: datetime) -> Effects:
    """Change the configuration for an operator, or the service itself."""
    effects, told = Effects(), Consequences(room)
    if room.is_locked:
        room.is_locked = False
        effects.writes.append(RoomPut())
    _apply(room, effects, told, config)
    told.conclude(effects)
    end_if_empty(room, effects)
    return effects


def _list_items(room: Room, fields: Mapping[str, Sequence[str]]) -> tuple[AffiliationItem, ...]:
    """The full lists of owners and admins as changes (XEP-0045 §16.5.3)."""
    had_owners = {jid for jid, _ in room.listed(Affiliation.OWNER)}
    had_admins = {jid for jid, _ in room.listed(Affiliation.ADMIN)}
    owners = _named(fields, config_form.OWNERS, had_owners)
    admins = _named(fields, config_form.ADMINS, had_admins) - owners
    after = dict.fromkeys(had_owners - owners, Affiliation.ADMIN)  # at least (XEP-0045 §10.2)
    after |= dict.fromkeys(had_admins - admins, Affiliation.MEMBER)
    after |= dict.fromkeys(admins - had_admins, Affiliation.ADMIN)
    after |= dict.fromkeys(owners - had_owners, Affiliation.OWNER)
    return tuple(AffiliationItem(jid, affiliation) for jid, affiliation in sorted(after.items()))


def _named(fields: Mapping[str, Sequence[str]], var: str, otherwise: set[JID]) -> set[JID]:
    try:
        return set(config_form.addresses(fields[var])) if var in fields else otherwise
    except InvalidJID as error:
        raise not_acceptable(str(error)) from None


def _apply(room: Room, effects: Effects, told: Consequences, config: RoomConfig) -> None:
    old = room.config
    if config == old:
        return
    shown = {occupant.nick for occupant in room.occupants.values() if room.is_shown(occupant)}
    room.config = config
    effects.writes.append(RoomPut())
    told.messages += _notices(room, old)
    trim(room)
    if config.members_only and not old.members_only:
        for occupant in [one for one in room.occupants.values() if not room.may_enter(one.user)]:
            told.remove(occupant, Notice((Status.MEMBERS_ONLY,)), occupant.nick in shown)
    gives_voice = old.moderated and not config.moderated  # as all have it in such a room (XEP-0045 §5.1.2)
    for occupant in room.occupants.values():
        was_shown = occupant.nick in shown
        if gives_voice and occupant.role is Role.VISITOR and occupant.user not in room.voices:
            told.update(occupant, Role.PARTICIPANT, NOTHING, was_shown)
        elif told.is_updated(occupant):
            continue
        elif room.is_shown(occupant) and not was_shown:
            told.messages += to_others(room, occupant, seen(room, occupant))
        elif was_shown and not room.is_shown(occupant):
            told.messages += hide(room, occupant)


def _notices(room: Room, old: RoomConfig) -> list[Broadcast]:
    """One message for each thing that those inside should know (XEP-0045 §10.2.1)."""
    new = room.config
    codes: list[Status] = []
    if new.is_archived is not old.is_archived:
        codes.append(Status.LOGGED if new.is_archived else Status.NOT_LOGGED)
    if new.whois is not old.whois:
        is_open = new.whois is Whois.ANYONE
        codes.append(Status.NOW_NON_ANONYMOUS if is_open else Status.NOW_SEMI_ANONYMOUS)
    if not _is_same_but_for_privacy(old, new):
        codes.append(Status.CONFIGURATION_CHANGED)
    everybody = tuple(room.by_address)
    return [
        Broadcast(
            Message(MessageType.GROUPCHAT, sender=room.address, children=[user_element((code,))]), everybody
        )
        for code in codes
        if everybody
    ]


def _is_same_but_for_privacy(old: RoomConfig, new: RoomConfig) -> bool:
    before, after = old.to_dict(), new.to_dict()
    return all(before[key] == after[key] for key in before if key not in ("logging", "whois"))


def _read_destruction(element: Element) -> RoomDestroyed:
    """The reason, where people may go on, and its password (XEP-0045 §10.9)."""
    text = element.get("jid")
    try:
        alternate = None if text is None else JID.parse(text)
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None
    reason = element.child_text(NS_MUC_OWNER, "reason") or None
    check_reason(reason)
    return RoomDestroyed(reason, alternate, element.child_text(NS_MUC_OWNER, "password") or None)


def destroy(room: Room, destruction: RoomDestroyed, after: Sequence[Stanza] = ()) -> Effects:
    """Remove everybody, each with one presence that says why (XEP-0045 §10.9)."""
    attributes = {} if destruction.alternate is None else {"jid": str(destruction.alternate)}
    element = Element(NS_MUC_USER, "destroy", attributes)
    element.append(*text_element(NS_MUC_USER, "password", destruction.password))
    element.append(*text_element(NS_MUC_USER, "reason", destruction.reason))
    effects = dismiss(room, Notice(more=(element,)))
    effects.writes.append(destruction)
    effects.has_ended = True
    effects.send += after
    return effects
