"""XEP-0092: Software Version."""

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element

NS_VERSION = "jabber:iq:version"


class Version(Feature):
    """Names the software; not the operating system, which helps attackers only (XEP-0092 §5)."""

    xep = Xep("0092", "1.1")
    disco = (NS_VERSION,)

    def __init__(self, name: str, version: str) -> None:
        self._name = name
        self._version = version

    @on_iq("get", NS_VERSION, "query", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def tell(self, iq: Iq, at: object) -> Element:
        """Name and version (XEP-0092 §2)."""
        name = Element(NS_VERSION, "name", None, self._name)
        version = Element(NS_VERSION, "version", None, self._version)
        return Element(NS_VERSION, "query", None, name, version)
