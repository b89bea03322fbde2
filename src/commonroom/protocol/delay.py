"""XEP-0203: Delayed Delivery."""

from datetime import UTC, datetime

from commonroom.protocol.jid import JID, InvalidJID
from commonroom.xml.element import Element

NS_DELAY = "urn:xmpp:delay"


def delay(by: JID, stamp: datetime, reason: str) -> Element:
    """Say who held a stanza since when, and why (XEP-0203 §2)."""
    return Element(NS_DELAY, "delay", {"from": str(by), "stamp": utc(stamp)}, reason)


def utc(stamp: datetime) -> str:
    """The UTC form of XEP-0082's DateTime profile, to the second."""
    return stamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def claims_from(element: Element, domains: frozenset[str]) -> bool:
    """Whether a delay says that one of these domains, or somebody there, was the one who held the stanza."""
    if (element.namespace, element.name) != (NS_DELAY, "delay"):
        return False
    try:
        return JID.parse(element.get("from") or "").domain in domains
    except InvalidJID:
        return False
