"""RFC 3921 §3: Session Establishment, which clients of that era still ask for."""

from commonroom.core.feature import Feature, Scope, on_iq
from commonroom.protocol.errors import not_allowed
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_SESSION


class SessionEstablishment(Feature):
    """Says yes. RFC 6121 §1.4 has no need of it: it is announced as optional."""

    rfc = "3921"

    def stream_features(self) -> tuple[Element, ...]:
        return (Element(NS_SESSION, "session", None, Element(NS_SESSION, "optional")),)

    @on_iq("set", NS_BIND, "bind", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def refuse_another(self, iq: Iq, at: object) -> None:
        """One stream, one resource (RFC 6120 §7.6.2.2)."""
        raise not_allowed("a resource is bound already")

    @on_iq("set", NS_SESSION, "session", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def establish(self, iq: Iq, at: object) -> None:
        """The session was there since the resource was bound."""
