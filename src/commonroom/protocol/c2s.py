"""RFC 6120 §4 to §8, XEP-0388: a client's stream on the server's side, from its first byte to its stanzas.

Bytes come in by `receive`; whatever must happen outside (write, look up, bind) is asked of the host. There
is no clock, no socket and no database here.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from commonroom.protocol.binding import Binding
from commonroom.protocol.c2s_host import Bound, Host, StreamSettings
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError, unexpected_request
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.login import Login
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.negotiation import Reply
from commonroom.protocol.stanza import READERS, unread
from commonroom.protocol.stream import STREAM_END, Header, read_header, response_header, stream_error
from commonroom.protocol.stream_management import NS_SM, failed
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL, NS_SERVER, NS_TLS
from commonroom.xml.parser import Event, StreamHeader, StreamParser, XmlError
from commonroom.xml.serializer import serialize

__all__ = ["Bound", "Host", "ServerStream", "StreamSettings"]

NO_HASHES: frozenset[str] = frozenset()


class ServerStream:
    """One client's stream. What to do with the next element is the method in `_on_element`.

    `needs_tls` is False where TLS is in place already (XEP-0368) or a trusted proxy carries it. `domain` is
    None until the client named it.
    """

    __slots__ = (
        "_account",
        "_asked",
        "_assumed",
        "_claimed",
        "_held",
        "_host",
        "_is_open",
        "_language",
        "_needs_tls",
        "_on_element",
        "_opening",
        "_parser",
        "_session",
        "_settings",
        "closed",
        "domain",
    )
    _on_element: Callable[[Element], None]
    _session: Bound

    def __init__(self, host: Host, settings: StreamSettings, needs_tls: bool) -> None:
        self._host = host
        self._settings = settings
        self._needs_tls = needs_tls
        self.closed = False
        self.domain: str | None = None
        self._assumed = settings.domains[0]  # the domain of a header that names none
        self._account: JID | None = None  # once the client proved to be it
        self._claimed: JID | None = None  # by the `from` of the last header, which came over TLS
        self._language: str | None = None
        self._asked: object = None  # what the host has yet to answer
        self._held: deque[Event] | None = None  # what came meanwhile; an empty deque has 0.7 KiB
        self._begin_stream()

    def _restart(self) -> None:
        """The next bytes begin a new stream; whatever was buffered is gone (RFC 6120 §4.3.3, §5.4.3.3)."""
        self._parser.close()
        self._begin_stream()

    def _begin_stream(self) -> None:
        settings = self._settings
        self._parser = StreamParser(settings.limits if self._account else settings.limits_before_login)
        self._held = None
        self._opening: StreamHeader | None = None  # theirs, until ours is out
        self._is_open = False

    # Bytes in

    def receive(self, data: bytes) -> int:
        """Take bytes from the client; returns how many elements they completed."""
        parser = self._parser
        events = parser.feed(data)
        for event in events:
            if self.closed or self._parser is not parser:
                break  # what follows the end or a restart is not for anybody
            if self._asked is None:
                self._take(event)
            else:
                self._hold(event)
        return len(events)

    def rest(self) -> None:
        """Nothing came for a while: give back 14 of the stream's 16 KiB, for 10 µs when something does."""
        self._parser.rest()

    def _take(self, event: Event) -> None:
        try:
            if type(event) is Element:
                self._on_element(event)
            elif type(event) is StreamHeader:
                self._on_header(event)
            elif isinstance(event, XmlError):
                raise stream_error(event)
            else:
                self._on_end()
        except StreamError as error:
            self.fail(error)

    def _asking(self, then: Callable[[Reply], None]) -> Callable[[Reply], None]:
        """What the host calls with its answer. Until then all that comes is held (RFC 6120 §10.1).

        Each question has a function of its own, so that no answer can be taken for another's.
        """
        self._asked = then

        def answer(reply: Reply) -> None:
            if self._asked is not then:
                return  # the stream has ended, or this was answered before
            self._asked = None
            if self._held:
                self._host.resume()
            try:
                then(reply)
            except StreamError as error:
                self.fail(error)
            self._go_on()

        return answer

    def _hold(self, event: Event) -> None:
        if not self._held:
            self._host.pause()
            self._held = deque()
        self._held.append(event)

    def _go_on(self) -> None:
        """Take what was held, up to the next question."""
        while self._held and self._asked is None:
            self._take(self._held.popleft())
        if self._held:
            self._host.pause()
        else:
            self._held = None

    # The end

    def fail(self, error: StreamError) -> None:
        """Tell the client why, and close: there is no recovery (RFC 6120 §4.9.1.1)."""
        self._finish(error.xml() + STREAM_END)

    def _on_end(self) -> None:
        """The client closes its stream, so we close ours (RFC 6120 §4.4)."""
        if self._on_element == self._stanza:
            self._session.take_leave()
        self._finish(STREAM_END)

    def lost(self) -> None:
        """The connection is gone: nothing is read or written any more."""
        self.closed = True
        self._asked = self._held = None
        self._parser.close()

    def let_go(self) -> None:
        """Nobody hears of this stream again: no circle is left to the garbage collector."""
        for name in ("_host", "_on_element", "_session"):
            if hasattr(self, name):
                delattr(self, name)

    def _finish(self, last_words: str) -> None:
        if self.closed:
            return
        if not self._is_open:
            self._open()  # RFC 6120 §4.9.1.2
        self.lost()
        self._host.write(last_words)
        self._host.close()

    # Headers: §4.2, §4.7

    def _on_header(self, raw: StreamHeader) -> None:
        self._opening = raw
        header = read_header(raw, NS_CLIENT)
        self._pin_domain(header)
        self._check_claim(header)
        self._language = header.language
        self._open()
        self._offer()

    def _pin_domain(self, header: Header) -> None:
        """The first header chooses the domain for the connection's life (RFC 6120 §4.7.2, §4.9.3.6).

        One from before TLS is only compared with: anybody could have written it (§5.4.3.3).
        """
        domain = header.to or self._assumed
        if domain not in self._settings.domains:
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{domain} is not served here")
        if self.domain not in (None, domain):
            raise StreamError(StreamCondition.POLICY_VIOLATION, "'to' was another domain before")
        self.domain = domain
        if not self._needs_tls:
            self._assumed = domain

    def _check_claim(self, header: Header) -> None:
        """Who claims to be somebody must turn out to be that one (RFC 6120 §4.9.3.9, §6.4.6)."""
        claimed = None if header.sender is None else header.sender.bare
        if claimed is not None and not self._needs_tls and claimed.domain != self.domain:
            raise StreamError(StreamCondition.INVALID_FROM, "'from' is of another domain")  # XEP-0388 §2.1
        if claimed is not None and self._settings.resolve is not None:
            claimed = self._settings.resolve(claimed)
        if self._account is not None and claimed not in (None, self._account):
            raise StreamError(StreamCondition.INVALID_FROM, "this is not who logged in")
        self._claimed = claimed

    def _open(self) -> None:
        domain = self.domain or self._settings.domains[0]  # RFC 6120 §4.9.1.3
        stream_id = self._settings.random(16).hex()
        self._host.write(response_header(self._opening, NS_CLIENT, domain, stream_id))
        self._opening = None
        self._is_open = True

    def _offer(self) -> None:
        """Announce what can be negotiated now, and take nothing else (RFC 6120 §4.3.2)."""
        if self._needs_tls:
            features = f"<starttls xmlns='{NS_TLS}'><required/></starttls>"
            self._on_element = self._before_tls
        elif self._account is None:
            if self._claimed is not None:
                self._host.desk.find_hashes(self._claimed, self._asking(self._offer_login))
                return
            features = self._begin_login(NO_HASHES)
        else:
            features = self._settings.announcement
            binding = Binding(self._host, self._account, self._asking, self._begin)
            self._on_element = partial(self._negotiate, binding, "bind a resource first")
        self._host.write(f"<stream:features>{features}</stream:features>")

    def _offer_login(self, hashes: frozenset[str] | SaslCondition) -> None:
        """What the account can do that the client says it is (XEP-0388 §2.1)."""
        features = self._begin_login(NO_HASHES if isinstance(hashes, SaslCondition) else hashes)
        self._host.write(f"<stream:features>{features}</stream:features>")

    def _begin_login(self, hashes: frozenset[str]) -> str:
        login = Login(
            self._host,
            self._settings,
            self._assumed,
            self._asking,
            self._accept,
            self._claimed,
            self._admit,
            self._enter,
            hashes,
        )
        self._on_element = partial(self._negotiate, login, "log in first")
        return login.announcement

    def _negotiate(self, stage: Login | Binding, advice: str, element: Element) -> None:
        """Nothing else for now (RFC 6120 §4.9.3.12); STARTTLS (§5.4.2.2) and XEP-0198 (§3) have their own."""
        if stage.take(element):
            return
        if _begins_management(element):
            self._host.write(serialize(failed(unexpected_request(advice)), NS_CLIENT))
            return
        if (element.namespace, element.name) != (NS_TLS, "starttls"):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, advice)
        self._finish(f"<failure xmlns='{NS_TLS}'/>{STREAM_END}")

    # STARTTLS: §5

    def _before_tls(self, element: Element) -> None:
        if (element.namespace, element.name) == (NS_TLS, "starttls"):
            self._host.write(f"<proceed xmlns='{NS_TLS}'/>")
            self._host.start_tls()
            self._needs_tls = False
            self._restart()
        elif (element.namespace, element.name) == (NS_SASL, "auth"):
            self._host.write(f"<failure xmlns='{NS_SASL}'><encryption-required/></failure>")
        elif _begins_management(element):
            self._host.write(serialize(failed(unexpected_request("start TLS first")), NS_CLIENT))
        else:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "start TLS first")

    # SASL: §6

    def _accept(self, account: JID, mechanism: str) -> None:
        if self._claimed not in (None, account):
            raise StreamError(StreamCondition.INVALID_FROM, "the stream's 'from' is somebody else")
        self._account = account
        self._host.desk.login_succeeded(account, mechanism)
        self._restart()

    # The same without a new stream: XEP-0388

    def _admit(self, account: JID, mechanism: str) -> None:
        self._account = account
        self._host.desk.login_succeeded(account, mechanism)
        self._parser.set_limits(self._settings.limits)

    def _enter(self, session: Bound | None, is_former: bool) -> None:
        """Features follow (XEP-0388 §2.6.1), but not on a stream that goes on (XEP-0198 §9.2)."""
        if session is None:
            self._offer()
            return
        if not is_former:
            self._host.write(f"<stream:features>{self._settings.announcement_bound}</stream:features>")
        self._begin(session)
        if is_former:
            session.send_again()

    # Resource binding: §7

    def _begin(self, session: Bound) -> None:
        self._session = session
        self._on_element = self._stanza

    # Stanzas: §8

    def _stanza(self, element: Element) -> None:
        read = READERS.get(element.name)
        session = self._session
        if read is None or element.namespace != NS_CLIENT:
            if not session.take_element(element):
                raise _no_stanza(element)
            return
        sender = element.attributes.get("from")
        if sender is not None and sender != session.jid:
            _check_sender(sender, session.jid)
        try:
            stanza = read(element)
        except StanzaError as error:
            session.refuse(unread(element, error))
            return
        if stanza.lang is None:
            stanza.lang = self._language  # RFC 6120 §8.1.5
        session.take(stanza)


def _check_sender(sender: str, own: JID) -> None:
    """A client speaks for itself (RFC 6120 §4.9.3.9); its bare address will do (§8.1.2.1)."""
    try:
        allowed = JID.parse(sender) in (own, own.bare)
    except InvalidJID:
        allowed = False
    if not allowed:
        raise StreamError(StreamCondition.INVALID_FROM, "'from' is not this client's address")


def _begins_management(element: Element) -> bool:
    """XEP-0198 §3, §5: what comes too early is refused, and the stream lives on."""
    return element.namespace == NS_SM and element.name in ("enable", "resume")


def _no_stanza(element: Element) -> StreamError:
    if element.namespace == NS_SERVER:  # a content namespace that this stream does not have (RFC 6120 §4.8.3)
        return StreamError(StreamCondition.INVALID_NAMESPACE, f"stanzas are in the namespace {NS_CLIENT}")
    return StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"<{element.name}/> is no stanza")
