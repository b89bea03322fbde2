"""RFC 6120 §4 to §7: a client's stream on the server's side, from its first byte to its stanzas.

Bytes come in by `receive`; whatever must happen outside (write, look up, bind) is asked of the host,
who answers by calling back. There is no clock, no socket and no database here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.sasl import Failure, SaslContext, WantsKeys, WantsPasswordCheck, offered
from commonroom.protocol.sasl.mechanism import SaslCondition
from commonroom.protocol.sasl.negotiation import SaslNegotiation
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.stanza import READERS, Iq, IqType, Stanza, read_iq, unread
from commonroom.protocol.stream import STREAM_END, Header, read_header, response_header, stream_error
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_CLIENT, NS_SASL, NS_SASL_CHANNEL_BINDING, NS_TLS
from commonroom.xml.parser import Event, Limits, StreamHeader, StreamParser, XmlError
from commonroom.xml.serializer import serialize

# RFC 6120 §7.7.3 wants at least 5 and at most 10 tries to bind.
BIND_TRIES = 10


class Bound(Protocol):
    """The session behind a bound stream."""

    jid: JID

    def take(self, stanza: Stanza, /) -> None:
        """Handle what the client sent."""


class Host(Protocol):
    """What the stream asks of those around it."""

    def write(self, text: str) -> None:
        """Send this to the client."""

    def start_tls(self) -> None:
        """Everything written goes out in clear, then TLS begins; call `ServerStream.secured` when it stands."""

    def close(self) -> None:
        """Send what was written, then close the connection so that the client can read it."""

    def channel_bindings(self) -> Mapping[str, Callable[[], bytes]]:
        """The channel-binding types of this connection, and how to get their data; empty without TLS."""

    def find_keys(self, account: JID | None, hash_name: str) -> None:
        """Call `ServerStream.keys` with the account's keys, or None; None asked means no such name."""

    def check_password(self, account: JID | None, password: str) -> None:
        """Call `ServerStream.checked`; it takes as long whether the account exists or not."""

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        """An attempt failed."""

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        """The client is who it says it is."""

    def bind(self, account: JID, resource: str | None) -> None:
        """Call `ServerStream.bound` or `ServerStream.bind_refused`."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What all streams of a listener share."""

    domains: tuple[str, ...]  # the first is the default for clients that do not say
    limits_before_login: Limits
    limits: Limits
    mechanisms: tuple[str, ...]
    tries: int
    iterations: int
    fake_secret: bytes
    features: tuple[Element, ...]  # announced once the client may bind
    random: Callable[[int], bytes]


class ServerStream:
    """One client's stream. What to do with the next element is the method in `_on_element`.

    `needs_tls` is False where TLS is in place already (XEP-0368) or a trusted proxy carries it.
    """

    def __init__(self, host: Host, settings: StreamSettings, needs_tls: bool) -> None:
        self._host = host
        self._settings = settings
        self._needs_tls = needs_tls
        self.domain: str | None = None  # once the client named it
        self._account: JID | None = None
        self._session: Bound | None = None
        self._language: str | None = None
        self._claimed: JID | None = None  # the header's `from`, once it came over TLS (RFC 6120 §6.4.6)
        self._negotiation: SaslNegotiation | None = None
        self._bind_tries = BIND_TRIES
        self._bind_id: str | None = None
        self._is_open = False  # whether our header is out
        self.closed = False
        self._waiting = False  # for an answer of the host
        self._held: deque[Event] = deque()  # what came meanwhile
        self._restart()

    def _restart(self) -> None:
        """The next bytes begin a new stream; whatever was buffered is gone (RFC 6120 §4.3.3, §5.4.3.3)."""
        limits = self._settings.limits if self._account else self._settings.limits_before_login
        self._parser = StreamParser(limits)
        self._held.clear()
        self._is_open = False
        self._on_element: Callable[[Element], None] = self._too_early

    # Bytes in

    def receive(self, data: bytes) -> int:
        """Take bytes from the client; returns how many elements they completed."""
        parser = self._parser
        events = parser.feed(data)
        for event in events:
            if self.closed or self._parser is not parser:
                break  # what follows a restart or the end is not for anybody
            if self._waiting:
                self._held.append(event)
            else:
                self._take(event)
        return len(events)

    def _take(self, event: Event) -> None:
        try:
            if type(event) is Element:
                self._on_element(event)
            elif type(event) is StreamHeader:
                self._on_header(event)
            elif isinstance(event, XmlError):
                raise stream_error(event)
            else:
                self.end()
        except StreamError as error:
            self.fail(error)

    def _go_on(self) -> None:
        """The host answered, and that is dealt with: take what came meanwhile."""
        while self._held and not self._waiting and not self.closed:
            self._take(self._held.popleft())

    # The end

    def fail(self, error: StreamError) -> None:
        """Tell the client why, and close (RFC 6120 §4.9.1.1); before our header, that comes first (§4.9.1.2)."""
        if self.closed:
            return
        if not self._is_open:
            self._open(None)
        self.closed = True
        self._host.write(error.xml() + STREAM_END)
        self._host.close()

    def end(self) -> None:
        """Close without an error (RFC 6120 §4.4)."""
        if self.closed:
            return
        if not self._is_open:
            self._open(None)
        self.closed = True
        self._host.write(STREAM_END)
        self._host.close()

    # Headers: §4.2, §4.7

    def _open(self, to: JID | None) -> None:
        self._is_open = True
        domain = self.domain or self._settings.domains[0]
        stream_id = self._settings.random(16).hex()
        self._host.write(response_header(NS_CLIENT, domain, stream_id, to))

    def _on_header(self, raw: StreamHeader) -> None:
        header = read_header(raw, NS_CLIENT)
        self._pin_domain(header)
        self._language = header.language
        claimed = None if header.sender is None else header.sender.bare
        if self._account is not None and claimed is not None and claimed != self._account:
            raise StreamError(StreamCondition.INVALID_FROM, "this is not who logged in")
        self._claimed = None if self._needs_tls else claimed
        self._open(claimed)
        self._offer()

    def _pin_domain(self, header: Header) -> None:
        """The first header chooses the domain for the connection's life (RFC 6120 §4.7.2, §4.9.3.6)."""
        domain = header.to or self.domain or self._settings.domains[0]
        if domain not in self._settings.domains:
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{domain} is not served here")
        if self.domain not in (None, domain):
            raise StreamError(StreamCondition.POLICY_VIOLATION, "'to' was another domain before")
        self.domain = domain

    def _offer(self) -> None:
        """Announce what can be negotiated now, and take nothing else (RFC 6120 §4.3.2)."""
        if self._needs_tls:
            features = f"<starttls xmlns='{NS_TLS}'><required/></starttls>"
            self._on_element = self._before_tls
        elif self._account is None:
            features = self._login_features()
            self._on_element = self._before_login
        else:
            features = "".join(serialize(element, NS_CLIENT) for element in self._settings.features)
            self._on_element = self._before_bind
        self._host.write(f"<stream:features>{features}</stream:features>")

    def _too_early(self, element: Element) -> None:
        raise StreamError(StreamCondition.BAD_FORMAT, "the stream is not open")

    # STARTTLS: §5

    def _before_tls(self, element: Element) -> None:
        if element.namespace == NS_SASL:
            self._host.write(f"<failure xmlns='{NS_SASL}'><encryption-required/></failure>")
            return
        if (element.namespace, element.name) != (NS_TLS, "starttls"):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "start TLS first")
        self._host.write(f"<proceed xmlns='{NS_TLS}'/>")
        self._host.start_tls()
        self._needs_tls = False
        self._restart()

    # SASL: §6

    def _login_features(self) -> str:
        bindings = self._host.channel_bindings()
        names = offered(True, tuple(bindings), self._settings.mechanisms)
        if self._negotiation is None:
            assert self.domain is not None
            context = SaslContext(
                domain=self.domain,
                encrypted=True,
                offered=names,
                channel_bindings=bindings,
                normalise=JID.parse,
                random=self._settings.random,
                fake_secret=self._settings.fake_secret,
                iterations=self._settings.iterations,
            )
            self._negotiation = SaslNegotiation(_SaslAdapter(self), context, self._settings.tries)
        mechanisms = "".join(f"<mechanism>{name}</mechanism>" for name in names)
        return f"<mechanisms xmlns='{NS_SASL}'>{mechanisms}</mechanisms>{_channel_binding_feature(bindings)}"

    def _before_login(self, element: Element) -> None:
        if element.namespace != NS_SASL:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "log in first")
        assert self._negotiation is not None
        self._negotiation.receive(element)

    def account_of(self, username: str) -> JID | None:
        """The account that a SASL user name means on this stream, if it can be one (RFC 6120 §6.3.7)."""
        try:
            return JID.of(username, self.domain or "")
        except InvalidJID:
            return None

    def keys(self, found: ScramKeys | None) -> None:
        """The host's answer to `find_keys`."""
        self._answer(lambda negotiation: negotiation.keys(found))

    def checked(self, ok: bool) -> None:
        """The host's answer to `check_password`."""
        self._answer(lambda negotiation: negotiation.checked(ok))

    def login_impossible(self) -> None:
        """The host cannot look anything up just now (RFC 6120 §6.5.11)."""
        self._answer(lambda negotiation: negotiation.fail(SaslCondition.TEMPORARY_AUTH_FAILURE))

    def _answer(self, give: Callable[[SaslNegotiation], None]) -> None:
        if self.closed:
            return
        assert self._negotiation is not None
        self._waiting = False
        try:
            give(self._negotiation)
        except StreamError as error:
            self.fail(error)
        self._go_on()

    def _authenticated(self, account: JID, mechanism: str) -> None:
        if self._claimed not in (None, account):
            raise StreamError(StreamCondition.INVALID_FROM, "the stream's 'from' is somebody else")
        self._account = account
        self._host.login_succeeded(account, mechanism)
        self._negotiation = None
        self._restart()

    # Resource binding: §7

    def _before_bind(self, element: Element) -> None:
        iq = self._read_bind(element)
        if iq is None:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "bind a resource first")
        self._bind_id = iq.id
        wanted = iq.request().child_text(NS_BIND, "resource")
        assert self._account is not None
        self._waiting = True
        self._host.bind(self._account, wanted or None)

    def _read_bind(self, element: Element) -> Iq | None:
        if (element.namespace, element.name) != (NS_CLIENT, "iq"):
            return None
        try:
            iq = read_iq(element)
        except StanzaError:
            return None
        if iq.type is IqType.SET and (iq.request().namespace, iq.request().name) == (NS_BIND, "bind"):
            return iq
        return None

    def bound(self, session: Bound) -> None:
        """The host's answer to `bind`: from now on, stanzas go to the session (RFC 6120 §7.6.1)."""
        if self.closed:
            return
        self._session = session
        jid = Element(NS_BIND, "bind", None, Element(NS_BIND, "jid", None, str(session.jid)))
        self._host.write(Iq(IqType.RESULT, id=self._bind_id, children=[jid]).xml())
        self._on_element = self._stanza
        self._waiting = False
        self._go_on()

    def bind_refused(self, error: StanzaError) -> None:
        """The host's answer to `bind`: the client may try again, some times (RFC 6120 §7.7.3)."""
        if self.closed:
            return
        refusal = Iq(IqType.ERROR, id=self._bind_id, children=[error.element(NS_CLIENT)])
        self._host.write(refusal.xml())
        self._bind_tries -= 1
        if self._bind_tries == 0:
            self.fail(StreamError(StreamCondition.POLICY_VIOLATION, "too many tries to bind"))
        self._waiting = False
        self._go_on()

    # Stanzas: §8

    def _stanza(self, element: Element) -> None:
        read = READERS.get(element.name)
        if read is None or element.namespace != NS_CLIENT:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"<{element.name}/> is no stanza")
        assert self._session is not None
        sender = element.attributes.get("from")
        if sender is not None and sender != self._session.jid:
            self._check_sender(sender, self._session.jid)
        try:
            stanza = read(element)
        except StanzaError as error:
            self._refuse(element, error)
            return
        if stanza.lang is None:
            stanza.lang = self._language  # RFC 6120 §8.1.5
        self._session.take(stanza)

    def _check_sender(self, sender: str, own: JID) -> None:
        """A client speaks for itself (RFC 6120 §4.9.3.9); its bare address will do (§8.1.2.1)."""
        try:
            allowed = JID.parse(sender) in (own, own.bare)
        except InvalidJID:
            allowed = False
        if not allowed:
            raise StreamError(StreamCondition.INVALID_FROM, "'from' is not this client's address")

    def _refuse(self, element: Element, error: StanzaError) -> None:
        answer = unread(element, error)
        if answer is not None:
            self._host.write(answer.xml())


class _SaslAdapter:
    """The negotiation's host: turns user names into accounts, and holds the stream while it waits."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream._host.write(text)

    def find_keys(self, wanted: WantsKeys) -> None:
        self._stream._waiting = True
        self._stream._host.find_keys(self._stream.account_of(wanted.username), wanted.hash_name)

    def check_password(self, wanted: WantsPasswordCheck) -> None:
        self._stream._waiting = True
        self._stream._host.check_password(self._stream.account_of(wanted.username), wanted.password)

    def login_failed(self, failure: Failure, mechanism: str) -> None:
        account = None if failure.username is None else self._stream.account_of(failure.username)
        self._stream._host.login_failed(account, failure.condition, mechanism)

    def authenticated(self, username: str, mechanism: str) -> None:
        account = self._stream.account_of(username)
        assert account is not None  # whoever has keys or a password has an address
        self._stream._authenticated(account, mechanism)


def _channel_binding_feature(bindings: Mapping[str, Callable[[], bytes]]) -> str:
    """XEP-0440 §2: which types a client may bind to."""
    if not bindings:
        return ""
    types = "".join(f"<channel-binding type='{name}'/>" for name in bindings)
    return f"<sasl-channel-binding xmlns='{NS_SASL_CHANNEL_BINDING}'>{types}</sasl-channel-binding>"
