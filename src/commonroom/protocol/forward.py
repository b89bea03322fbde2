"""XEP-0297: Stanza Forwarding, version 1.0."""

from commonroom.protocol.stanza import IqType, MessageType, PresenceType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

NS_FORWARD = "urn:xmpp:forward:0"

# What stands for the absence of the attribute (RFC 6121 §4.7.1, §5.2.2).
_UNSAID: tuple[MessageType | PresenceType | IqType, ...] = (MessageType.NORMAL, PresenceType.AVAILABLE)


def forwarded(stanza: Stanza | Element, delay: Element | None = None) -> Element:
    """The stanza as a payload, with when it came if that is not now (XEP-0297 §3.2)."""
    element = stanza if isinstance(stanza, Element) else stanza_element(stanza)
    return Element(NS_FORWARD, "forwarded", None, *((element,) if delay is None else (delay, element)))


def stanza_element(stanza: Stanza) -> Element:
    """The stanza as an element, in the namespace that it has on clients' streams (XEP-0297 §3.2 rule 3)."""
    said = {
        "type": None if stanza.type in _UNSAID else stanza.type.value,
        "to": stanza.to,
        "from": stanza.sender,
        "id": stanza.id,
        "xml:lang": stanza.lang,
    }
    attributes = {key: str(value) for key, value in said.items() if value is not None}
    return Element(NS_CLIENT, stanza.name, attributes | (stanza.extra or {}), *stanza.children)
