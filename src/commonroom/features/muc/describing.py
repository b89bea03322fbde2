"""XEP-0045 §6.4, §6.5, §7.12: what a room says of itself to those who ask before they enter."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.config import RoomConfig, Whois
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.hats import hats_hash
from commonroom.features.muc.room import Room
from commonroom.protocol.dataforms import result_form
from commonroom.protocol.errors import item_not_found, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import (
    FEATURE_SELF_PING,
    FEATURE_STABLE_ID,
    FORM_INFO,
    NODE_NICK,
    NODE_TRAFFIC,
    NS_AFFILIATIONS,
    NS_HATS,
    NS_MODERATE,
    NS_MUC,
    NS_OCCUPANT_ID,
)
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_DISCO_INFO, NS_PING, NS_REGISTER, NS_STANZA_IDS

NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
NS_COMMANDS = "http://jabber.org/protocol/commands"

FEATURES = (
    NS_DISCO_INFO,
    NS_DISCO_ITEMS,
    NS_MUC,
    FEATURE_STABLE_ID,
    FEATURE_SELF_PING,
    NS_OCCUPANT_ID,
    NS_HATS,
    NS_COMMANDS,
    NS_MODERATE,
    NS_AFFILIATIONS,
    NS_STANZA_IDS,
    NS_PING,
    NS_REGISTER,
)

# XEP-0045 §16.3: what a room is, in pairs.
_KINDS = (
    ("muc_passwordprotected", "muc_unsecured", lambda config: config.password is not None),
    ("muc_public", "muc_hidden", lambda config: config.public),
    ("muc_persistent", "muc_temporary", lambda config: config.persistent),
    ("muc_membersonly", "muc_open", lambda config: config.members_only),
    ("muc_moderated", "muc_unmoderated", lambda config: config.moderated),
    ("muc_nonanonymous", "muc_semianonymous", lambda config: config.whois is Whois.ANYONE),
)


def kinds(config: RoomConfig) -> tuple[str, ...]:
    """The features that say what kind of room it is (XEP-0045 §16.3)."""
    return tuple(yes if is_so(config) else no for yes, no, is_so in _KINDS)


def info(
    room: Room,
    iq: Iq,
    now: datetime,
    features: Iterable[str] = (),
    fields: Mapping[str, Iterable[str]] | None = None,
) -> Effects:
    """Answer disco#info (XEP-0045 §6.4); `features` and `fields` are what the service adds."""
    assert iq.sender is not None
    node = iq.request().get("node")
    query = Element(NS_DISCO_INFO, "query", None if node is None else {"node": node})
    if node is None:
        _describe(room, iq.sender, query, (*FEATURES, *features), fields or {})
    elif node == NODE_NICK:
        _tell_nick(room, iq.sender, query)
    elif node == NODE_TRAFFIC:
        raise service_unavailable("everything may be sent")  # XEP-0045 §18.1.1
    else:
        raise item_not_found()
    effects = Effects()
    effects.send.append(iq.result(query))
    return effects


def _describe(
    room: Room, asker: JID, query: Element, features: Iterable[str], fields: Mapping[str, Iterable[str]]
) -> None:
    name = room.config.name or room.address.local or ""
    query.append(Element(NS_DISCO_INFO, "identity", {"category": "conference", "type": "text", "name": name}))
    for feature in (*features, *kinds(room.config)):
        query.append(Element(NS_DISCO_INFO, "feature", {"var": feature}))
    query.append(result_form(FORM_INFO, {**_info_fields(room, asker), **fields}))


def _info_fields(room: Room, asker: JID) -> dict[str, tuple[str, ...]]:
    """The fields of muc#roominfo (XEP-0045 §16.5.4); the subject is for those who may enter."""
    config = room.config
    fields: dict[str, tuple[str, ...]] = {
        "muc#roominfo_description": (config.description,),
        "muc#roominfo_occupants": (str(len(room.occupants)),),
        "muc#maxhistoryfetch": (str(config.history_length),),
        "muc#roominfo_subjectmod": ("1" if config.change_subject else "0",),
        "muc#roomconfig_changesubject": ("1" if config.change_subject else "0",),
        "muc#roominfo_slow_mode_duration": (str(config.slow_mode_seconds),),
    }
    if config.lang:
        fields["muc#roominfo_lang"] = (config.lang,)
    if config.pubsub:
        fields["muc#roomconfig_pubsub"] = (config.pubsub,)
    if config.contacts:
        fields["muc#roominfo_contactjid"] = tuple(map(str, config.contacts))
    if room.subject is not None and room.may_read(asker):
        subject = room.subject.message.child(NS_CLIENT, "subject")
        fields["muc#roominfo_subject"] = ("" if subject is None else subject.text(),)
    hash = hats_hash(room)
    if hash is not None:
        fields["hats#hash"] = (hash,)
    return fields


def _tell_nick(room: Room, asker: JID, query: Element) -> None:
    """The reserved nickname of whoever asks (XEP-0045 §7.12); nothing, if there is none."""
    entry = room.affiliations.get(asker.bare)
    if entry is not None and entry.nick is not None:
        attributes = {"category": "conference", "name": entry.nick, "type": "text"}
        query.append(Element(NS_DISCO_INFO, "identity", attributes))


def items(room: Room, iq: Iq, now: datetime) -> Effects:
    """Who is inside (XEP-0045 §6.5), for those inside, and for strangers if an owner wants it so."""
    assert iq.sender is not None
    node = iq.request().get("node")
    query = Element(NS_DISCO_ITEMS, "query", None if node is None else {"node": node})
    if node is not None:
        raise item_not_found()
    is_told = room.config.allow_query_users and room.may_read(iq.sender)
    if is_told or iq.sender in room.by_address:
        for occupant in room.occupants.values():
            if room.is_shown(occupant):
                query.append(Element(NS_DISCO_ITEMS, "item", {"jid": str(occupant.address)}))
    effects = Effects()
    effects.send.append(iq.result(query))
    return effects


def has_address(room: Room, asker: JID) -> bool:
    """Whether somebody may see real addresses, of those who are inside or were (XEP-0313 §6.1.2)."""
    if not room.is_anonymous:
        return True
    return any(own.role is Role.MODERATOR for own in room.by_user.get(asker.bare, ()))
