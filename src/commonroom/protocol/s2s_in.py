"""RFC 6120 §4 to §8, XEP-0178 §3, XEP-0220 §2.2: a stream that another server opened to us.

The peer is whom it proves to be: by its certificate with SASL EXTERNAL, or by dialback for a pair of domains.
Nothing else lets it send a stanza.
"""

import base64
import binascii
from functools import partial
from typing import Protocol

from commonroom.protocol.dialback import DECLARATION as DB
from commonroom.protocol.dialback import (
    FEATURE,
    NS_DIALBACK,
    Outcome,
    Pair,
    Verification,
    Verified,
    read_key,
    read_pair,
    result_answer,
    verify_answer,
)
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.s2s import (
    NS_BIDI,
    NS_BIDI_FEATURE,
    PAIRS_PER_STREAM,
    PeerHost,
    PeerSettings,
    PeerStream,
    error_words,
    read_addresses,
)
from commonroom.protocol.stanza import READERS
from commonroom.protocol.stream import STREAM_END, read_header, response_header
from commonroom.protocol.stream_management import NS_SM
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL, NS_SERVER, NS_TLS
from commonroom.xml.parser import StreamHeader

BIDI = f"<bidi xmlns='{NS_BIDI_FEATURE}'/>"
MANAGEMENT = f"<sm xmlns='{NS_SM}'/>"
EXTERNAL = f"<mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
# Before it is anybody, a peer may have so many keys verified, and try EXTERNAL so often.
QUESTIONS = 10
TRIES = 3


class Demand(Protocol):
    """What the operator wants of servers that speak for a domain."""

    @property
    def refused(self) -> str | None:
        """Why nothing is taken from there; None if it is."""

    @property
    def needs_tls(self) -> bool:
        """Whether it must speak TLS."""

    @property
    def needs_certificate(self) -> bool:
        """Whether nothing is sent to it before a certificate shows who it is."""

    @property
    def allows_dialback(self) -> bool:
        """Whether something less than a certificate may do."""


class IncomingHost(PeerHost, Protocol):
    """What the stream asks of those around it."""

    def demand(self, domain: str) -> Demand:
        """What is wanted of this one."""

    def distrust(self, domain: str) -> str | None:
        """Why the peer's certificate does not prove that it is this domain; None if it does."""

    def verify(self, request: Verification) -> None:
        """Ask the authoritative server; the answer comes by `IncomingStream.verified`."""

    def authenticated(self, pair: Pair, method: str) -> None:
        """The peer may send for this pair of domains."""

    def refused(self, domain: str, reason: str) -> None:
        """It claimed to be this one, and could not prove it."""

    def turned_around(self, pair: Pair) -> None:
        """We may send to the peer for this pair of domains over the same stream (XEP-0288 §2.2)."""

    def left(self, words: str) -> None:
        """The peer ends the stream with this error."""

    def counts(self) -> None:
        """Stanzas are counted from now on, to be acknowledged (XEP-0198 §3)."""

    def managed(self) -> None:
        """The peer does the same with what it is sent, if it is sent any (XEP-0288)."""


class IncomingStream(PeerStream):
    """`is_secure` is True where TLS is in place already (XEP-0368)."""

    __slots__ = (
        "_asked",
        "_claimed",
        "_is_bidi",
        "_is_managed",
        "_is_secure",
        "_opening",
        "_pairs",
        "_questions",
        "_settings",
        "_tries",
        "domain",
        "identity",
        "stream_id",
    )
    _host: IncomingHost

    def __init__(self, host: IncomingHost, settings: PeerSettings, is_secure: bool) -> None:
        super().__init__(host, settings.limits_before)
        self._settings = settings
        self._is_secure = is_secure
        self._opening: StreamHeader | None = None
        self._claimed: str | None = None  # by the `from` of the last header
        self._pairs: set[Pair] = set()  # proved by dialback
        self._asked: dict[Pair, Verification] = {}  # being verified
        self._questions = 0  # how many verifications there were
        self._is_bidi = self._is_managed = False
        self._tries = 0
        self.domain: str | None = None  # ours, that the peer opened the stream to
        self.identity: str | None = None  # proved by SASL
        self.stream_id = ""
        self._on_element = self._negotiate

    @property
    def is_authenticated(self) -> bool:
        """Whether the peer has shown that it is anybody."""
        return self.identity is not None or bool(self._pairs)

    @property
    def claimed(self) -> str:
        """Whom the peer said to be, if anybody."""
        return self._claimed or ""

    @property
    def speaks_for(self) -> list[str]:
        """The domains that the peer has shown to be, for people."""
        proved = {pair.sender for pair in self._pairs}
        return sorted(proved if self.identity is None else proved | {self.identity})

    # Headers: RFC 6120 §4.7

    def _on_header(self, raw: StreamHeader) -> None:
        self._opening = raw
        header = read_header(raw, NS_SERVER)
        if header.to is None or not self._settings.is_ours(header.to):
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{header.to or 'nobody'} is not served here")
        self._claim(header.sender)
        self.domain = header.to
        self._open()
        self._host.write(f"<stream:features>{self._features()}</stream:features>")

    def _claim(self, sender: JID | None) -> None:
        """Whoever claims to be us, or has proved to be another, is an impostor (RFC 6120 §4.9.3.9)."""
        if sender is None:
            self._claimed = None
            return
        if sender != sender.domain or self._settings.is_ours(sender.domain):
            raise StreamError(StreamCondition.INVALID_FROM, "'from' is the domain of another server")
        if self.identity not in (None, sender.domain):
            raise StreamError(StreamCondition.INVALID_FROM, "this is not who authenticated")
        refused = self._host.demand(sender.domain).refused
        if refused is not None:
            raise StreamError(StreamCondition.POLICY_VIOLATION, refused)
        self._claimed = sender.domain

    def _open(self) -> None:
        self.stream_id = self._settings.random(16).hex()
        ours = self.domain or "unknown.invalid"  # RFC 6120 §4.9.1.3
        self._host.write(response_header(self._opening, NS_SERVER, ours, self.stream_id, DB))
        self._opening = None
        self._is_open = True

    def _features(self) -> str:
        if not self._is_secure:
            optional = self._claimed is not None and not self._host.demand(self._claimed).needs_tls
            tls = f"<starttls xmlns='{NS_TLS}'>{'' if optional else '<required/>'}</starttls>"
            return tls + (FEATURE if optional else "")
        if self.identity is not None:
            return FEATURE + MANAGEMENT
        proves = self._claimed is not None and self._host.distrust(self._claimed) is None
        return f"{EXTERNAL if proves else ''}{FEATURE}{BIDI}"  # XEP-0178 §3

    # Elements

    def _negotiate(self, element: Element) -> None:
        if element.namespace == NS_CLIENT and element.name in READERS:
            self._stanza(element)
        elif element.namespace == NS_DIALBACK:
            self._dialback(element)
        elif element.namespace == NS_TLS:
            self._start_tls(element)
        elif element.namespace == NS_SASL:
            self._sasl(element)
        elif element.namespace == NS_SM and self.is_authenticated:
            self._manage(element)
        elif (element.namespace, element.name) == (NS_BIDI, "bidi"):
            self._is_bidi = self._is_secure and not self.is_authenticated  # XEP-0288 §2.1, §2.2
        elif (words := error_words(element)) is not None:
            self._host.left(words)
        elif self.is_authenticated:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"<{element.name}/> is no stanza")
        else:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "show first who you are")

    def _manage(self, element: Element) -> None:
        """XEP-0198 §3: acknowledgements, once; streams between servers are not resumed."""
        if element.name != "enable":
            self._on_management(element)
        elif self._is_managed:
            self._host.write(f"<failed xmlns='{NS_SM}'/>")
        else:
            self._is_managed = True
            self._host.write(f"<enabled xmlns='{NS_SM}'/>")
            self._host.counts()
            self._host.managed()

    def _start_tls(self, element: Element) -> None:
        if element.name != "starttls" or self._is_secure or self.is_authenticated:
            self._finish(f"<failure xmlns='{NS_TLS}'/>{STREAM_END}")  # RFC 6120 §5.4.2.2
            return
        self._host.write(f"<proceed xmlns='{NS_TLS}'/>")
        self._host.start_tls()
        self._is_secure = True
        self._asked.clear()
        self._restart()

    # SASL EXTERNAL: XEP-0178 §3

    def _sasl(self, element: Element) -> None:
        if not self._is_secure:
            self._sasl_failure("encryption-required", "start TLS first")
        elif element.name == "abort":
            self._sasl_failure("aborted", "as you wish")
        elif self.identity is not None or element.name not in ("auth", "response"):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "this is not the time for that")
        elif element.name == "auth" and element.get("mechanism") != "EXTERNAL":
            self._sasl_failure("invalid-mechanism", "EXTERNAL is what there is")
        elif element.name == "auth" and not element.text():
            self._host.write(f"<challenge xmlns='{NS_SASL}'/>")  # RFC 6120 §6.4.2: no initial response
        else:
            self._prove(element.text())

    def _prove(self, response: str) -> None:
        domain = self._claimed
        try:
            wanted = base64.b64decode("" if response == "=" else response, validate=True).decode()
            if wanted:
                domain = JID.parse(wanted).domain
        except (binascii.Error, UnicodeDecodeError, InvalidJID):
            self._sasl_failure("incorrect-encoding", "the response is not a domain in base64")
            return
        if domain is None or (self._claimed is not None and domain != self._claimed):
            self._sasl_failure("invalid-authzid", "the stream's 'from' is another domain")
            return
        self._claim(JID.of(None, domain))
        reason = self._host.distrust(domain)
        if reason is not None:
            self._host.refused(domain, reason)
            self._sasl_failure("not-authorized", reason)
            return
        self._authenticate(domain)

    def _authenticate(self, domain: str) -> None:
        assert self.domain is not None
        self.identity = domain
        self._limits = self._settings.limits
        self._host.write(f"<success xmlns='{NS_SASL}'/>")
        pair = Pair(domain, self.domain)
        self._host.authenticated(pair, "EXTERNAL")
        self._restart()
        self._turn_around(pair)

    def _sasl_failure(self, condition: str, text: str) -> None:
        self._tries += 1
        if self._tries > TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many tries")
        failure = Element(NS_SASL, "failure", None, Element(NS_SASL, condition))
        failure.append(Element(NS_SASL, "text", {"xml:lang": "en"}, text))
        self._host.write(repr(failure))

    # Dialback: XEP-0220 §2.2

    def _dialback(self, element: Element) -> None:
        """An answer is none of ours: we ask nothing on this stream (XEP-0220 §3.1)."""
        if "type" in element.attributes:
            self._host.offended("it answers a dialback question that nobody asked")
            return
        pair = read_pair(element)
        if element.name == "result":
            self._asks_to_send(pair, read_key(element))
        elif element.name == "verify":
            self._asks_to_verify(Verification(pair.reverse, element.get("id") or "", read_key(element)))

    def _asks_to_verify(self, request: Verification) -> None:
        """A server was given one of our keys, and asks whether it is (XEP-0220 §2.2.2)."""
        if not self._settings.is_ours(request.pair.sender):
            verified = Verified(Outcome.ERROR, "item-not-found")
        elif self._settings.keys.is_ours(request):
            verified = Verified(Outcome.VALID)
        else:
            verified = Verified(Outcome.INVALID)
            pair = request.pair
            self._host.offended(f"{pair.to} was given a dialback key of {pair.sender} that is not ours")
        self._host.write(verify_answer(request.pair.reverse, request.stream_id, verified))

    def _asks_to_send(self, pair: Pair, key: str) -> None:
        """The peer claims to be `pair.sender` (XEP-0220 §2.2.1)."""
        if pair in self._asked:
            return
        refusal = self._refusal(pair)
        if refusal is not None:
            self._host.write(result_answer(pair, refusal))
            if refusal.condition == "item-not-found":
                self._host.offended(f"{pair.sender} wants to send to {pair.to}, which is not served here")
            else:
                self._host.refused(pair.sender, refusal.words or refusal.condition)
        elif self._may_send(pair):
            self._host.write(result_answer(pair, Verified(Outcome.VALID)))
        elif self._is_secure and self._host.distrust(pair.sender) is None:
            self._proved(pair, "dialback, by certificate")  # XEP-0344 §2.4
        else:
            request = Verification(pair, self.stream_id, key)
            self._asked[pair] = request
            self._questions += 1
            self._host.verify(request)

    def _refusal(self, pair: Pair) -> Verified | None:
        """XEP-0220 §2.5."""
        wanted = self._host.demand(pair.sender)
        refuse = partial(Verified, Outcome.ERROR)
        if not self._settings.is_ours(pair.to):
            return refuse("item-not-found", f"{pair.to} is not served here")
        if self._settings.is_ours(pair.sender):
            return refuse("not-acceptable", f"{pair.sender} is served here")
        if wanted.refused is not None:
            return refuse("policy-violation", wanted.refused)
        if wanted.needs_tls and not self._is_secure:
            return refuse("policy-violation", "start TLS first")
        if not wanted.allows_dialback and (self._host.distrust(pair.sender) is not None):
            return refuse("not-authorized", "a certificate of this domain is needed")
        if not self.is_authenticated and self._questions >= QUESTIONS:
            return refuse("resource-constraint", "too many keys were verified for you")
        if len(self._pairs) + len(self._asked) >= PAIRS_PER_STREAM:
            text = f"one stream carries {PAIRS_PER_STREAM} pairs of domains at most"
            return refuse("resource-constraint", text)
        return None

    def verified(self, request: Verification, verified: Verified) -> None:
        """The authoritative server has answered, or could not be asked."""
        if self.closed or self._asked.get(request.pair) is not request:
            return
        pair = request.pair
        del self._asked[pair]
        if verified.outcome is Outcome.VALID:
            self._proved(pair, "dialback")
            return
        self._host.refused(pair.sender, verified.words or verified.outcome.value)
        if verified.outcome is Outcome.INVALID and not self.is_authenticated:
            self._finish(result_answer(pair, verified) + STREAM_END)  # XEP-0220 §2.2.1
            return
        if verified.outcome is Outcome.INVALID:
            verified = Verified(Outcome.ERROR, "forbidden", "the key is not yours")
        self._host.write(result_answer(pair, verified))

    def _proved(self, pair: Pair, method: str) -> None:
        self._pairs.add(pair)
        self._allow(self._settings.limits)
        self._host.authenticated(pair, method)
        self._host.write(result_answer(pair, Verified(Outcome.VALID)))
        self._turn_around(pair)

    def _turn_around(self, pair: Pair) -> None:
        if self._is_bidi and self._may_hear(pair.sender):
            self._host.turned_around(pair.reverse)

    def _may_hear(self, domain: str) -> bool:
        """Somebody in between, who passes a dialback key on, is not to get what we send as well."""
        return not self._host.demand(domain).needs_certificate or self._host.distrust(domain) is None

    # Stanzas: RFC 6120 §8

    def _stanza(self, element: Element) -> None:
        if self.identity is None and not self._pairs:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "show first who you are")
        sender, to = read_addresses(element)
        if not self._settings.is_ours(to.domain):
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{to.domain} is not served here")
        if sender.domain != self.identity and Pair(sender.domain, to.domain) not in self._pairs:
            raise StreamError(StreamCondition.INVALID_FROM, "this stream does not carry that pair of domains")
        self._give(element, sender)

    def _may_send(self, pair: Pair) -> bool:
        """A certificate proves who the peer is to all of our domains, dialback to one of them."""
        return pair.sender == self.identity or pair in self._pairs
