"""RFC 6120 §6, XEP-0388: the stage of a client's stream in which it logs in, by either profile of SASL."""

from collections.abc import Callable

from commonroom.protocol.c2s_host import Bound, Host, StreamSettings
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError, not_allowed
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslContext
from commonroom.protocol.sasl.negotiation import Asking, SaslNegotiation
from commonroom.protocol.sasl2 import Sasl2Negotiation
from commonroom.protocol.stanza import read_iq, unread
from commonroom.xml.element import Element
from commonroom.xml.names import NS_REGISTER, NS_SASL, NS_SASL2


class Login:
    """Ends by calling `accept` with the account and the mechanism, which may still raise StreamError.

    Or, in the profile of XEP-0388, `admit` with the same, and then `enter` with the session, if there is one
    already, and whether it is a former one. `claimed` is who the stream header says that it is, `hashes` for
    which that account has keys. `announcement` is what the stream says of it.
    """

    __slots__ = (
        "_accept",
        "_admit",
        "_asking",
        "_claimed",
        "_context",
        "_desk",
        "_enter",
        "_fast",
        "_host",
        "_negotiation",
        "_registration_closed",
        "_upgrades",
        "announcement",
    )

    def __init__(
        self,
        host: Host,
        settings: StreamSettings,
        domain: str,
        asking: Asking,
        accept: Callable[[JID, str], None],
        claimed: JID | None,
        admit: Callable[[JID, str], None],
        enter: Callable[[Bound | None, bool], None],
        hashes: frozenset[str],
    ) -> None:
        bindings = host.channel_bindings()
        certified = host.certified(domain) if settings.with_certificates else ()
        mechanisms, self._fast, self._upgrades, protection, self.announcement = settings.login_offer(
            tuple(bindings), hashes, domain, bool(certified)
        )
        self._context = context = SaslContext(
            domain=domain,
            encrypted=True,
            offered=mechanisms,
            channel_bindings=bindings,
            normalise=JID.parse,
            resolve=settings.resolve,
            random=settings.random,
            fake_secret=settings.fake_secret,
            iterations=settings.iterations,
            protection=protection,
            certified=certified,
        )
        self._host = host
        self._desk = desk = host.desk
        self._asking = asking
        self._accept = accept
        self._claimed = claimed
        self._admit = admit
        self._enter = enter
        self._registration_closed = settings.registration_closed
        self._negotiation = SaslNegotiation(desk, context, settings.tries, asking, accept)

    def take(self, element: Element) -> bool:
        """Take what the client sent; False if it does not belong here. May raise StreamError."""
        if element.namespace in (NS_SASL, NS_SASL2):
            if element.namespace != self._negotiation.namespace:
                self._switch()
            self._negotiation.receive(element)
        elif element.child(NS_REGISTER, "query") and element.get("type") in ("get", "set"):
            self._refuse_registration(element)
        else:
            return False
        return True

    def _switch(self) -> None:
        """The client uses the other profile now, with as many tries as are left; not amid an exchange."""
        current = self._negotiation
        if current.is_under_way:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "one exchange at a time")
        if current.namespace == NS_SASL:
            self._negotiation = Sasl2Negotiation(
                self._desk,
                self._context,
                current.tries_left,
                self._asking,
                self._admit,
                self._claimed,
                self._fast,
                self._upgrades,
                self._host,
                self._enter,
            )
        else:
            self._negotiation = SaslNegotiation(
                self._desk, self._context, current.tries_left, self._asking, self._accept
            )

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
