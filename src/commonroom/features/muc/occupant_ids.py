"""XEP-0421: Occupant identifiers: the same for a user at every visit, version 1.0.1."""

import hmac

from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_OCCUPANT_ID
from commonroom.xml.element import Element


def occupant_id(key: bytes, user: JID) -> str:
    """Of the real bare address, by a key that belongs to the room alone (XEP-0421 §4.1)."""
    return hmac.digest(key, user.bare.encode(), "sha256").hex()


def occupant_id_element(id: str) -> Element:
    """What goes with every presence and message of the occupant (XEP-0421 §4)."""
    return Element(NS_OCCUPANT_ID, "occupant-id", {"id": id})
