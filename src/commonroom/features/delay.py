"""XEP-0203: Delayed Delivery: nobody writes our postmarks."""

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Received, Sent
from commonroom.core.user import User
from commonroom.protocol.delay import NS_DELAY, claims_from
from commonroom.protocol.stanza import Message
from commonroom.xml.element import Element


class Postmarks(Feature):
    """Strips delays that a client or another server wrote in the name of our domains (XEP-0203 §5)."""

    xep = Xep("0203", "2.0")
    disco = ("urn:xmpp:delay",)

    def __init__(self, domains: frozenset[str]) -> None:
        self._domains = domains

    @on_message(Sent.LIMIT)
    @on_message(Received.LIMIT, rooms=False)
    def strip(self, message: Message, user: User) -> None:
        """Before anybody keeps or copies the message."""
        for child in message.children:  # nearly never there, so no list is made to find out
            if not isinstance(child, str) and child.namespace == NS_DELAY:
                message.children = [c for c in message.children if not self._is_forged(c)]
                return

    def _is_forged(self, child: Element | str) -> bool:
        return isinstance(child, Element) and claims_from(child, self._domains)
