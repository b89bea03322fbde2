"""RFC 6120 §4 to §6, XEP-0178 §3, XEP-0220 §2.1, XEP-0288: a stream that we open to another server.

It is opened either to send for a pair of domains, or to have keys verified by the authoritative server.
"""

import base64
from dataclasses import dataclass
from typing import Protocol

from commonroom.protocol.dialback import (
    DECLARATION,
    NS_DIALBACK,
    NS_DIALBACK_FEATURE,
    Outcome,
    Pair,
    Verification,
    Verified,
    read_outcome,
    read_pair,
    result_request,
    verify_request,
)
from commonroom.protocol.errors import StreamCondition, StreamError
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
from commonroom.protocol.stream import initial_header, read_header
from commonroom.protocol.stream_management import NS_SM
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL, NS_SERVER, NS_STREAMS, NS_TLS
from commonroom.xml.parser import StreamHeader

# What a failure begins with where the server does not serve the domain.
NOT_SERVED = "it ends the stream: host-unknown"


@dataclass(frozen=True, slots=True)
class Terms:
    """What we want of the server before we send to it, and what we do ourselves.

    `uses_external` is False where our certificate was refused a moment ago.
    """

    needs_tls: bool
    needs_certificate: bool
    allows_dialback: bool
    uses_external: bool = True


class OutgoingHost(PeerHost, Protocol):
    """What the stream asks of those around it."""

    def distrust(self, domain: str) -> str | None:
        """Why the peer's certificate does not prove that it is this domain; None if it does."""

    def note(self, event: str, detail: str = "") -> None:
        """A step that an operator may want to see."""

    def ready(self, pair: Pair) -> None:
        """The peer takes stanzas of this pair of domains."""

    def refused(self, pair: Pair, reason: str, is_lasting: bool) -> None:
        """It does not; if this is lasting, the key was called invalid (XEP-0220 §2.1.1)."""

    def failed(self, reason: str) -> None:
        """The stream can be of no use. It is closed next."""

    def verified(self, request: Verification, verified: Verified) -> None:
        """What the authoritative server says of a key."""

    def managed(self) -> None:
        """The peer will say what it has handled from now on (XEP-0198 §3)."""

    def counts(self) -> None:
        """What the peer sends from now on (XEP-0288) is counted as well."""


class OutgoingStream(PeerStream):
    """`pair` is from our domain to the peer's. `is_secure` is True for direct TLS (XEP-0368)."""

    __slots__ = (
        "_asked",
        "_dialback",
        "_external_failed",
        "_is_authenticated",
        "_is_bidi",
        "_is_secure",
        "_settings",
        "_terms",
        "_verifications",
        "is_up",
        "pair",
        "pairs",
        "stream_id",
        "takes_more",
    )
    _host: OutgoingHost

    def __init__(
        self,
        host: OutgoingHost,
        settings: PeerSettings,
        pair: Pair,
        terms: Terms,
        is_secure: bool,
        verifications: tuple[Verification, ...] = (),
    ) -> None:
        super().__init__(host, settings.limits)
        self._settings = settings
        self._terms = terms
        self._is_secure = is_secure
        self._verifications = {(v.pair, v.stream_id): v for v in verifications}
        self._asked: set[Pair] = set()  # what our keys were sent for
        self._is_authenticated = False  # by SASL
        self._external_failed = ""
        self._is_bidi = False
        self.pair = pair
        self.pairs: set[Pair] = set()  # what the peer takes
        self.is_up = False
        self.takes_more = False  # other domains of ours over the same stream (XEP-0220 §2.6.1)
        self.stream_id = ""
        self._on_element = self._on_features

    def start(self) -> None:
        """The connection, or TLS on it, stands: open the stream."""
        self._open()

    def _open(self) -> None:
        self._is_open = True
        self._host.write(initial_header(NS_SERVER, *self.pair, DECLARATION))

    def _on_header(self, raw: StreamHeader) -> None:
        header = read_header(raw, NS_SERVER)
        if header.sender not in (None, self.pair.to):  # RFC 6120 §4.7.1
            raise StreamError(StreamCondition.INVALID_FROM, f"{self.pair.to} was asked for")
        self.stream_id = raw.attributes.get("id", "")
        self._on_element = self._on_features

    def fail(self, error: StreamError) -> None:
        """The peer does not speak as it should."""
        if not self.closed:
            self._host.failed(f"it breaks the protocol ({error})")
            super().fail(error)

    def _give_up(self, reason: str) -> None:
        self._host.failed(reason)
        self.finish()

    # Features: RFC 6120 §4.3.2

    def _on_features(self, element: Element) -> None:
        if (element.namespace, element.name) != (NS_STREAMS, "features"):
            self._otherwise(element)
            return
        offered = {(child.namespace, child.name) for child in element.elements()}
        self._host.note("features", ", ".join(sorted(_named(element))) or "none")
        if not self._is_secure and (NS_TLS, "starttls") in offered:
            self._on_element = self._on_tls_answer
            self._host.write(f"<starttls xmlns='{NS_TLS}'/>")
        elif not self._is_secure and self._terms.needs_tls:
            self._give_up("it offers no encryption (STARTTLS)")
        else:
            self._go_on(element, offered)

    def _on_tls_answer(self, element: Element) -> None:
        if (element.namespace, element.name) == (NS_TLS, "proceed"):
            self._restart()
            self._is_secure = True
            self._host.start_tls()
        elif element.namespace == NS_TLS:
            self._give_up("it refuses to start TLS")
        else:
            self._otherwise(element)

    def _go_on(self, features: Element, offered: set[tuple[str, str]]) -> None:
        self._on_element = self._negotiate
        distrust = self._host.distrust(self.pair.to) if self._is_secure else "there is none"
        if distrust is not None and self._terms.needs_certificate:
            self._give_up(f"its certificate is not accepted: {distrust}")
            return
        dialback = features.child(NS_DIALBACK_FEATURE, "dialback")
        self.takes_more = dialback is not None and bool(dialback.elements())
        if self._is_authenticated:
            if (NS_SM, "sm") in offered:
                self._host.write(f"<enable xmlns='{NS_SM}'/>")
                self._host.managed()  # the count begins here, on both sides
            self._ready(self.pair)
        elif self._verifications:
            for request in self._verifications.values():
                self._host.write(verify_request(request))
        else:
            if self._is_secure and (NS_BIDI_FEATURE, "bidi") in offered:
                self._is_bidi = True
                self._host.write(f"<bidi xmlns='{NS_BIDI}'/>")
            self._authenticate(features)

    def _authenticate(self, features: Element) -> None:
        """By our certificate, if the peer takes it; else by dialback (XEP-0178 §3)."""
        mechanisms = features.child(NS_SASL, "mechanisms")
        names = [] if mechanisms is None else [child.text().strip() for child in mechanisms.elements()]
        if self._terms.uses_external and self._is_secure and "EXTERNAL" in names:
            authzid = base64.b64encode(self.pair.sender.encode()).decode()
            self._host.note("authenticating", "by our certificate (SASL EXTERNAL)")
            self._host.write(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{authzid}</auth>")
        elif self._terms.allows_dialback:
            self.authorize(self.pair)
        else:
            self._give_up("it does not accept our certificate (it offers no SASL EXTERNAL)")

    # SASL

    def _on_sasl(self, element: Element) -> None:
        if element.name == "success":
            self._host.note("authenticated", "it accepts our certificate")
            self._is_authenticated = True
            self._restart()
            self._on_element = self._on_features
            self._open()
        elif element.name == "challenge":
            self._host.write(f"<response xmlns='{NS_SASL}'>=</response>")
        else:
            words = element.child_text(NS_SASL, "text")
            name = next((child.name for child in element.elements() if child.name != "text"), "failure")
            self._external_failed = f"{name}: {words}" if words else name
            self._host.note("certificate refused", self._external_failed)
            if self._terms.allows_dialback:
                self.authorize(self.pair)
            else:
                self._give_up(f"it does not accept our certificate ({self._external_failed})")

    @property
    def external_failed(self) -> str:
        """Why the peer refused our certificate, if it did: it may take dialback over another stream."""
        return self._external_failed

    # Dialback: XEP-0220 §2.1

    def authorize(self, pair: Pair) -> bool:
        """Ask to be let send for this pair, too (XEP-0220 §2.6.1); False if the stream takes no more."""
        if self.closed or len(self.pairs) + len(self._asked) >= PAIRS_PER_STREAM:
            return False
        self._asked.add(pair)
        self._host.note("dialback", f"asking to send as {pair.sender}")
        self._host.write(result_request(pair, self._settings.keys.make(pair, self.stream_id)))
        return True

    def _on_dialback(self, element: Element) -> None:
        """Answers that nobody asked for mean nothing (XEP-0220 §3.1)."""
        verified = read_outcome(element)
        if verified is None:
            return
        pair = read_pair(element).reverse
        if element.name == "result" and pair in self._asked:
            self._asked.remove(pair)
            self._answered(pair, verified)
            return
        request = None
        if element.name == "verify":
            request = self._verifications.pop((pair.reverse, element.get("id") or ""), None)
        if request is not None:
            self._host.verified(request, verified)
        else:
            self._host.offended("it answers a dialback question that nobody asked")

    def _answered(self, pair: Pair, verified: Verified) -> None:
        if verified.outcome is Outcome.VALID:
            self._ready(pair)
            return
        is_invalid = verified.outcome is Outcome.INVALID
        said = "our dialback key is invalid" if is_invalid else verified.condition
        reason = f"it refuses dialback: {said}{': ' + verified.words if verified.words else ''}"
        self._host.note("dialback refused", reason)
        self._host.refused(pair, reason, is_invalid)

    def _ready(self, pair: Pair) -> None:
        self.pairs.add(pair)
        self.is_up = True
        self._host.note("ready", f"it takes stanzas from {pair.sender}")
        self._host.ready(pair)

    # All else

    def _negotiate(self, element: Element) -> None:
        if element.namespace == NS_CLIENT and element.name in READERS:
            self._stanza(element)
        elif element.namespace == NS_DIALBACK:
            self._on_dialback(element)
        elif element.namespace == NS_SASL and not self._is_authenticated and not self.is_up:
            self._on_sasl(element)
        elif (element.namespace, element.name) == (NS_SM, "enabled"):
            self._host.counts()
        elif element.namespace == NS_SM:
            self._on_management(element)
        elif (element.namespace, element.name) != (NS_STREAMS, "features"):
            self._otherwise(element)

    def _otherwise(self, element: Element) -> None:
        words = error_words(element)
        if words is not None:
            self._give_up(f"it ends the stream: {words}")
        elif element.namespace == NS_DIALBACK:
            self._on_dialback(element)
        else:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"<{element.name}/> was not expected")

    def _stanza(self, element: Element) -> None:
        """On a stream that carries both directions (XEP-0288 §2.2), for the pairs that it carries."""
        sender, to = read_addresses(element)
        if not self._is_bidi or Pair(to.domain, sender.domain) not in self.pairs:
            raise StreamError(StreamCondition.INVALID_FROM, "this stream does not carry stanzas to us")
        self._give(element, sender)

    def _on_end(self) -> None:
        if not self.is_up:
            self._host.failed("it closed the stream")
        super()._on_end()


def _named(features: Element) -> list[str]:
    """What is offered, in a word each."""
    names = []
    for child in features.elements():
        inside = [each.text() for each in child.elements() if child.name == "mechanisms"]
        names.append(" ".join(inside) if inside else child.name)
    return names
