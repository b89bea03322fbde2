"""RFC 3921 §3: Session Establishment, which clients of that era still ask for."""

from commonroom.core.feature import Feature, Scope, on_iq
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SESSION


class SessionEstablishment(Feature):
    """Says yes. RFC 6121 §1.4 has no need of it: it is announced as optional."""

    rfc = "3921"

    def stream_features(self) -> tuple[Element, ...]:
        return (Element(NS_SESSION, "session", None, Element(NS_SESSION, "optional")),)

    @on_iq("set", NS_SESSION, "session", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def establish(self, iq: Iq, at: object) -> None:
        """The session was there since the resource was bound."""
