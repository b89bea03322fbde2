"""XEP-0359: Unique and Stable Stanza IDs."""

import re

from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Message
from commonroom.xml.element import Element
from commonroom.xml.names import NS_STANZA_IDS

# Longer ids are nobody's: what is looked up by its id has one that fits into an index.
LONGEST_ORIGIN = 256

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def stanza_id(by: JID, id: str) -> Element:
    """Under which id the archive of `by` keeps a message (XEP-0359 §2.1)."""
    return Element(NS_STANZA_IDS, "stanza-id", {"by": str(by), "id": id})


def claims_id_by(element: Element, domains: frozenset[str]) -> bool:
    """Whether a child says that one of these domains, or somebody there, gave the message an id."""
    if element.namespace != NS_STANZA_IDS or element.name != "stanza-id":
        return False
    try:
        return JID.parse(element.get("by") or "").domain in domains
    except InvalidJID:
        return False


def origin_of(message: Message) -> str | None:
    """The id that the sender gave a message, by which it can be retracted (XEP-0424 §5.1) and recognised.

    That is its `id`, or its origin-id if it has no other (XEP-0359 §2.2).
    """
    origin = message.id
    if origin is None:
        element = message.child(NS_STANZA_IDS, "origin-id")
        origin = None if element is None else element.get("id")
    return origin if origin and len(origin) <= LONGEST_ORIGIN else None


def read_archive_id(text: str) -> int | None:
    """The number that an id of our archives stands for; None for what cannot be one."""
    return int(text) if _NUMBER.fullmatch(text) else None
