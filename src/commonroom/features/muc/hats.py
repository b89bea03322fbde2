"""XEP-0317: Hats: titles that occupants wear in their presence, version 0.3.1."""

import hashlib
from collections.abc import Mapping
from typing import Any

from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.room import Hat, Room
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import NS_HATS
from commonroom.xml.element import Element

MOST_HATS = 50
MOST_WEARERS = 1000
MOST_WORN = 10  # by one user: they go with each presence


def hats_element(room: Room, occupant: Occupant) -> tuple[Element, ...]:
    """The hats that go with every presence of an occupant (XEP-0317 §3.1); nothing, if there are none."""
    worn = room.worn.get(occupant.user)
    if not worn:
        return ()
    return (Element(NS_HATS, "hats", None, *(_hat_element(uri, room.hats[uri]) for uri in worn)),)


def _hat_element(uri: str, hat: Hat) -> Element:
    attributes = {"title": hat.title, "uri": uri}
    if hat.hue is not None:
        attributes["hue"] = hat.hue
    return Element(NS_HATS, "hat", attributes)


def hats_hash(room: Room) -> str | None:
    """What changes with the list of hats (XEP-0317 §2); None while there are none."""
    if not room.hats:
        return None
    known = [f"{uri}\0{hat.title}\0{hat.hue or ''}" for uri, hat in sorted(room.hats.items())]
    return hashlib.sha256("\1".join(known).encode()).hexdigest()[:40]


def to_dict(room: Room) -> dict[str, Any]:
    """The hats and who wears them, as values that JSON has."""
    return {
        "hats": {uri: [hat.title, hat.hue] for uri, hat in room.hats.items()},
        "worn": {str(user): list(uris) for user, uris in room.worn.items()},
    }


def restore(room: Room, values: Mapping[str, Any]) -> None:
    """Take what `to_dict` gave; who has no valid address any more wears nothing."""
    room.hats = {uri: Hat(title, hue) for uri, (title, hue) in values.get("hats", {}).items()}
    room.worn = {}
    for text, uris in values.get("worn", {}).items():
        try:
            room.worn[JID.parse(text)] = tuple(uri for uri in uris if uri in room.hats)
        except InvalidJID:
            continue
