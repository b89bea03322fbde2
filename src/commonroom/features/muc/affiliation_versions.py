"""XEP-0463: MUC Affiliations Versioning: what changed in the lists since, version 0.2.0."""

import hmac
from collections.abc import Iterator

from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.listing import may_list
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import forbidden
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_AFFILIATIONS, NS_MUC, user_element
from commonroom.protocol.stanza import Message, MessageType, Presence
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER

# Items in one message; more are split (XEP-0463 §5.2.1).
MOST_ITEMS = 100


def version_text(room: Room, version: int) -> str:
    """A version as clients see it: nobody makes up that of a time when they were told none (XEP-0463 §6)."""
    mark = hmac.digest(room.occupant_key, f"affiliations {version}".encode(), "sha256").hex()[:16]
    return f"{version}-{mark}"


def read_version(room: Room, text: str | None) -> int | None:
    """The version that a client knows; None for what we never said or have forgotten."""
    number, dash, _ = (text or "").partition("-")
    if not dash or not number.isascii() or not number.isdecimal() or len(number) > 12:
        return None
    version = int(number)
    is_ours = hmac.compare_digest(version_text(room, version).encode(), (text or "").encode())
    return version if is_ours and room.complete_from <= version <= room.version else None


def change_element(room: Room, since: int, until: int) -> Element:
    """What goes with a change of the lists (XEP-0463 §5.2.2)."""
    versions = {"since": version_text(room, since), "until": version_text(room, until)}
    return Element(NS_AFFILIATIONS, "mav", versions)


def current_version(room: Room, user: JID) -> tuple[Element, ...]:
    """What goes with the self-presence of those who may have the lists (XEP-0463 §5.2.1)."""
    if not may_list(room, user, Affiliation.MEMBER):
        return ()
    return (Element(NS_AFFILIATIONS, "mav", {"until": version_text(room, room.version)}),)


def answer_wish(room: Room, to: JID, presence: Presence) -> list[Message]:
    """The lists, or what changed in them, before any presence (XEP-0463 §5.2.1), if somebody asked for it."""
    x = presence.child(NS_MUC, "x")
    wish = None if x is None else x.child(NS_AFFILIATIONS, "mav")
    if wish is None:
        return []
    if not may_list(room, to, Affiliation.MEMBER):
        refusal = forbidden().element(NS_CLIENT)  # XEP-0463 §5.2.3: a message, while the presence goes on
        return [Message(MessageType.ERROR, to, room.address, presence.id, [refusal])]
    since = read_version(room, wish.get("since"))
    if since == room.version:
        return []
    if since is not None and not _may_have_difference(room, to, since):
        since = None
    return list(_messages(room, to, since, list(_items(room, to, since))))


def _may_have_difference(room: Room, to: JID, since: int) -> bool:
    """Whether what changed tells nothing that the lists do not: who was banned, or once was (XEP-0463 §6).

    There can be no empty difference either (§5.2.1).
    """
    changed = [entry.affiliation for entry in room.affiliations.values() if entry.version > since]
    has_former = any(version > since for version in room.former.values())
    if may_list(room, to, Affiliation.OUTCAST):
        return bool(changed) or has_former
    return bool(changed) and not has_former and all(may_list(room, to, one) for one in set(changed))


def _items(room: Room, to: JID, since: int | None) -> Iterator[Element]:
    """Those whom this client may know."""
    sees = {affiliation: may_list(room, to, affiliation) for affiliation in Affiliation}
    for jid, entry in room.affiliations.items():
        if sees[entry.affiliation] and (since is None or entry.version > since):
            yield _item(jid, entry.affiliation)
    if since is not None:
        yield from (_item(jid, Affiliation.NONE) for jid, version in room.former.items() if version > since)


def _item(jid: JID, affiliation: Affiliation) -> Element:
    return Element(NS_MUC_USER, "item", {"jid": str(jid), "affiliation": affiliation.value})


def _messages(room: Room, to: JID, since: int | None, items: list[Element]) -> Iterator[Message]:
    """All have the same versions, so that a client that loses one starts from where it was."""
    versions = {} if since is None else {"since": version_text(room, since)}
    versions["until"] = version_text(room, room.version)
    for start in range(0, len(items), MOST_ITEMS) or (0,):
        mav = Element(NS_AFFILIATIONS, "mav", dict(versions))
        x = user_element((), mav, *items[start : start + MOST_ITEMS])
        yield Message(MessageType.NORMAL, to, room.address, children=[x])
