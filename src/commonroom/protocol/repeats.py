"""XEP-0198 §4, XEP-0359 §2.2: whether a message is one that was sent before."""

from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Message, read_message
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_IDS
from commonroom.xml.parser import XmlError, parse_fragment

# A shorter id may be a number that is counted from 1 on each stream.
SHORTEST = 16

_ADDED = ((NS_STANZA_IDS, "stanza-id"), (NS_DELAY, "delay"))


def has_unique_id(message: Message) -> bool:
    """XEP-0359 §2.2; ids that are no origin-ids are random as well, if they are long."""
    if message.id is not None and len(message.id) >= SHORTEST:
        return True
    element = message.child(NS_STANZA_IDS, "origin-id")
    return element is not None and len(element.get("id") or "") >= SHORTEST


def is_same(message: Message, xml: str) -> bool:
    """Whether that is what an archive, or a mailbox, has of it."""
    try:
        element = parse_fragment(xml, NS_CLIENT)
        former = read_message(element)
        sender = JID.parse(element.get("from") or "")
    except (XmlError, StanzaError, InvalidJID):
        return False
    return (
        message.sender is not None
        and sender.bare == message.sender.bare
        and (former.type, former.to, former.id) == (message.type, message.to, message.id)
        and _content(former) == _content(message)
    )


def _content(message: Message) -> list[Element]:
    """Without our ids, and without when it was sent first: who sends again should add that (XEP-0198 §4)."""
    return [e for e in message.elements() if (e.namespace, e.name) not in _ADDED]
