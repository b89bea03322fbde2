"""RFC 6120 §7: the stage of a client's stream in which it binds its one resource."""

from collections.abc import Callable
from functools import partial

from commonroom.protocol.c2s_host import Bound, Host
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError, bad_request
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.negotiation import Asking
from commonroom.protocol.stanza import Iq, IqType, Stanza, read_iq, unread
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_CLIENT

# RFC 6120 §7.7.3 wants at least 5 and at most 10.
BIND_TRIES = 10


class Binding:
    """Ends by calling `begin` with the session, after the client was told (RFC 6120 §7.6.1)."""

    __slots__ = ("_account", "_asking", "_begin", "_host", "_tries_left")

    def __init__(self, host: Host, account: JID, asking: Asking, begin: Callable[[Bound], None]) -> None:
        self._host = host
        self._account = account
        self._asking = asking
        self._begin = begin
        self._tries_left = BIND_TRIES

    def take(self, element: Element) -> bool:
        """Take what the client sent; False if it is no attempt to bind. May raise StreamError."""
        if (element.namespace, element.name) != (NS_CLIENT, "iq") or element.child(NS_BIND, "bind") is None:
            return False
        try:
            iq = read_iq(element)
            if iq.type is not IqType.SET:
                raise bad_request("to bind is to set")
        except StanzaError as error:
            self._refuse(unread(element, error))
        else:
            wanted = iq.request().child_text(NS_BIND, "resource")
            self._host.bind(self._account, wanted or None, self._asking(partial(self._answered, iq)))
        return True

    def _answered(self, iq: Iq, answer: Bound | StanzaError) -> None:
        if isinstance(answer, StanzaError):
            self._refuse(iq.refused(answer))
            return
        jid = Element(NS_BIND, "jid", None, str(answer.jid))
        self._host.write(iq.result(Element(NS_BIND, "bind", None, jid)).xml())
        self._begin(answer)

    def _refuse(self, refusal: Stanza | None) -> None:
        """The client may try again, some times (RFC 6120 §7.7.3)."""
        if refusal is not None:
            self._host.write(refusal.xml())
        self._tries_left -= 1
        if self._tries_left <= 0:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many tries to bind")
