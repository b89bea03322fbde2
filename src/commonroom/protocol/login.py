"""RFC 6120 §6: the stage of a client's stream in which it logs in."""

from collections.abc import Callable

from commonroom.protocol.c2s_host import Host, StreamSettings
from commonroom.protocol.errors import StanzaError, not_allowed
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslContext
from commonroom.protocol.sasl.negotiation import Asking, SaslNegotiation
from commonroom.protocol.stanza import read_iq, unread
from commonroom.xml.element import Element
from commonroom.xml.names import NS_REGISTER, NS_SASL


class Login:
    """Ends by calling `accept` with the account and the mechanism, which may still raise StreamError."""

    __slots__ = ("_announcement", "_host", "_negotiation", "_registration_closed")

    def __init__(
        self,
        host: Host,
        settings: StreamSettings,
        domain: str,
        asking: Asking,
        accept: Callable[[JID, str], None],
    ) -> None:
        bindings = host.channel_bindings()
        mechanisms, self._announcement = settings.login_offer(tuple(bindings))
        context = SaslContext(
            domain=domain,
            encrypted=True,
            offered=mechanisms,
            channel_bindings=bindings,
            normalise=JID.parse,
            random=settings.random,
            fake_secret=settings.fake_secret,
            iterations=settings.iterations,
        )
        self._host = host
        self._registration_closed = settings.registration_closed
        self._negotiation = SaslNegotiation(host, context, settings.tries, asking, accept)

    def features(self) -> str:
        """What the stream announces."""
        return self._announcement

    def take(self, element: Element) -> bool:
        """Take what the client sent; False if it does not belong here. May raise StreamError."""
        if element.namespace == NS_SASL:
            self._negotiation.receive(element)
        elif element.child(NS_REGISTER, "query") and element.get("type") in ("get", "set"):
            self._refuse_registration(element)
        else:
            return False
        return True

    def _refuse_registration(self, element: Element) -> None:
        """Say where accounts come from; the client may still log in."""
        # Deviation: XEP-0077 §3.1 has service-unavailable for a host that does not support registration. This
        # one supports it as far as to forbid it, which is not-allowed (RFC 6120 §8.3.3.10), and to say why.
        try:
            answer = read_iq(element).refused(not_allowed(self._registration_closed))
        except StanzaError as error:
            answer = unread(element, error)
        if answer is not None:
            self._host.write(answer.xml())
