"""RFC 6120 §7, XEP-0198: the stage of a client's stream in which it binds a resource, or resumes."""

from collections.abc import Callable
from functools import partial

from commonroom.protocol.c2s_host import Bound, Host
from commonroom.protocol.errors import (
    StanzaError,
    StreamCondition,
    StreamError,
    bad_request,
    unexpected_request,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.negotiation import Asking
from commonroom.protocol.stanza import Iq, IqType, Stanza, read_iq, unread
from commonroom.protocol.stream_management import NS_SM, Resume, failed, read_resume, resumed
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_CLIENT
from commonroom.xml.serializer import serialize

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
        """Take what the client sent; False if it is no attempt to bind or resume. May raise StreamError."""
        if element.namespace == NS_SM:
            return self._take_management(element)
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

    # XEP-0198 §5: a former session, instead of a new resource

    def _take_management(self, element: Element) -> bool:
        if element.name == "enable":
            self._tell(failed(unexpected_request("bind a resource first")))  # XEP-0198 §3
        elif element.name == "resume":
            self._resume(element)
        else:
            return False
        return True

    def _resume(self, element: Element) -> None:
        try:
            wish = read_resume(element)
        except StanzaError as error:
            self._tell(failed(error))
            return
        then = self._asking(partial(self._resumed, wish))
        self._host.resume_session(self._account, wish, lambda answer, handled: then((answer, handled)))

    def _resumed(self, wish: Resume, reply: tuple[Bound | StanzaError | StreamError, int | None]) -> None:
        answer, handled = reply
        if isinstance(answer, StreamError):
            raise answer
        if isinstance(answer, StanzaError):
            self._tell(failed(answer, handled))  # the client may bind a resource now
            return
        self._tell(resumed(wish.previous, handled or 0))
        self._begin(answer)
        answer.send_again()

    def _tell(self, element: Element) -> None:
        self._host.write(serialize(element, NS_CLIENT))

    def _refuse(self, refusal: Stanza | None) -> None:
        """The client may try again, some times (RFC 6120 §7.7.3)."""
        if refusal is not None:
            self._host.write(refusal.xml())
        self._tries_left -= 1
        if self._tries_left <= 0:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many tries to bind")
