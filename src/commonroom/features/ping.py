"""XEP-0199: XMPP Ping."""

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.protocol.stanza import Iq
from commonroom.xml.names import NS_PING


class Ping(Feature):
    """Answers (XEP-0199 §4.2); asking is the connection's business (§4.1)."""

    xep = Xep("0199", "2.0.1")
    disco = (NS_PING,)
    account_disco = (NS_PING,)

    @on_iq("get", NS_PING, "ping", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def pong(self, iq: Iq, at: object) -> None:
        """An empty result."""
