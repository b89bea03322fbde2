"""XEP-0203: Delayed Delivery: nobody writes our postmarks."""

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Sent
from commonroom.core.user import User
from commonroom.protocol.delay import claims_from
from commonroom.protocol.stanza import Message
from commonroom.xml.element import Element


class Postmarks(Feature):
    """Strips delays that a client wrote in the name of one of our domains (XEP-0203 §5)."""

    xep = Xep("0203", "2.0")
    disco = ("urn:xmpp:delay",)

    def __init__(self, domains: frozenset[str]) -> None:
        self._domains = domains

    @on_message(Sent.LIMIT)
    def strip(self, message: Message, user: User) -> None:
        """Before anybody keeps or copies the message."""
        forged = [e for e in message.elements() if claims_from(e, self._domains)]
        if forged:
            message.children = [
                c for c in message.children if not (isinstance(c, Element) and claims_from(c, self._domains))
            ]
