"""XEP-0202: Entity Time."""

from collections.abc import Callable
from datetime import datetime

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.protocol.delay import utc
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element

NS_TIME = "urn:xmpp:time"


class EntityTime(Feature):
    """Tells the server's time; `now` gives an aware datetime in the server's time zone."""

    xep = Xep("0202", "2.0")
    disco = (NS_TIME,)

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    @on_iq("get", NS_TIME, "time", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def tell(self, iq: Iq, at: object) -> Element:
        """UTC, and the offset of the server's time zone as +HH:MM (XEP-0202 §2)."""
        now = self._now()
        offset = now.strftime("%z")
        tzo = Element(NS_TIME, "tzo", None, f"{offset[:3]}:{offset[3:5]}")
        return Element(NS_TIME, "time", None, tzo, Element(NS_TIME, "utc", None, utc(now)))
