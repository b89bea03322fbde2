"""Streams between servers, driven by bytes: hosts that write down what they are asked."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from commonroom.protocol.dialback import DialbackKeys, Outcome, Pair, Verification, Verified
from commonroom.protocol.s2s import PeerSettings
from commonroom.protocol.s2s_in import IncomingStream
from commonroom.protocol.s2s_out import OutgoingStream, Terms
from commonroom.protocol.stanza import Stanza
from commonroom.xml.element import Element
from commonroom.xml.parser import Limits, StreamHeader, StreamParser

OURS, ALSO_OURS, THEIRS = "example.org", "rooms.example.org", "example.net"
LIMITS = Limits(100_000, depth=64, elements=1000, attributes=64, names=1000)
BEFORE = Limits(10_000, depth=64, elements=1000, attributes=64, names=1000)
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback'"
    " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'{more}>"
)
FEATURES = "<stream:features>{}</stream:features>"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
EXTERNAL = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
BIDI = "<bidi xmlns='urn:xmpp:features:bidi'/>"
VALID = Verified(Outcome.VALID)
NO_LIMITS = Limits(10**9, depth=200, elements=10**6, attributes=1000, names=10**6, tag_bytes=10**9)


@dataclass
class Demanded:
    refused: str | None = None
    needs_tls: bool = True
    allows_dialback: bool = True
    needs_certificate: bool = False


def settings(random: Callable[[int], bytes] = lambda size: b"\7" * size) -> PeerSettings:
    keys = DialbackKeys(b"our secret")
    return PeerSettings({OURS, ALSO_OURS}.__contains__, BEFORE, LIMITS, keys, random)


@dataclass
class Told:
    """What both kinds of hosts are told."""

    bytes: str = ""
    closed: bool = False
    tls_started: int = 0
    stanzas: list[Stanza] = field(default_factory=list)
    answers: list[Stanza] = field(default_factory=list)
    management: list[str] = field(default_factory=list)
    offences: list[str] = field(default_factory=list)
    proven: set[str] = field(default_factory=set)  # by the peer's certificate
    _parser: StreamParser = field(default_factory=lambda: StreamParser(NO_LIMITS))
    header: StreamHeader | None = None

    def write(self, text: str) -> None:
        assert not self.closed
        self.bytes += text

    def start_tls(self) -> None:
        self.tls_started += 1

    def close(self) -> None:
        self.closed = True

    def take(self, stanza: Stanza) -> None:
        self.stanzas.append(stanza)

    def answer(self, answer: Stanza | None) -> None:
        if answer is not None:
            self.answers.append(answer)

    def asked(self) -> None:
        self.management.append("asked")

    def acknowledged(self, handled: int) -> None:
        self.management.append(f"acknowledged {handled}")

    def offended(self, reason: str) -> None:
        self.offences.append(reason)

    def unmanaged(self) -> None:
        self.management.append("unmanaged")

    def managed(self) -> None:
        self.management.append("managed")

    def counts(self) -> None:
        self.management.append("counts")

    def distrust(self, domain: str) -> str | None:
        return None if domain in self.proven else "it is for somebody else"

    def said(self) -> list[Element]:
        """The elements that were written since the last look."""
        text, self.bytes = self.bytes, ""
        found: list[Element] = []
        for part in re.split(r"(?=<\?xml)", text):
            if part.startswith("<?xml"):
                self._parser = StreamParser(NO_LIMITS)
            for event in self._parser.feed(part.encode()):
                assert not isinstance(event, Exception), event
                if isinstance(event, StreamHeader):
                    self.header = event
                elif isinstance(event, Element):
                    found.append(event)
        return found

    def one(self) -> Element:
        (element,) = self.said()
        return element


@dataclass
class IncomingHost(Told):
    demanded: dict[str, Demanded] = field(default_factory=dict)
    verifications: list[Verification] = field(default_factory=list)
    authenticated_as: list[tuple[Pair, str]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    turned: list[Pair] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def demand(self, domain: str) -> Demanded:
        return self.demanded.get(domain, Demanded())

    def verify(self, request: Verification) -> None:
        self.verifications.append(request)

    def authenticated(self, pair: Pair, method: str) -> None:
        self.authenticated_as.append((pair, method))

    def refused(self, domain: str, reason: str) -> None:
        self.refusals.append((domain, reason))

    def turned_around(self, pair: Pair) -> None:
        self.turned.append(pair)

    def left(self, words: str) -> None:
        self.words.append(words)


class Incoming(IncomingHost):
    """A peer that connected to us, seen from its side."""

    def __init__(self, *proven: str, secure: bool = True) -> None:
        super().__init__()
        self.proven = set(proven)
        self.stream = IncomingStream(self, settings(), secure)
        self.opening: list[Element] = []

    def send(self, text: str) -> None:
        self.stream.receive(text.encode())

    def open(self, sender: str | None = THEIRS, to: str | None = OURS) -> list[str]:
        """Open a stream; gives what is offered."""
        more = (f" from='{sender}'" if sender else "") + (f" to='{to}'" if to else "")
        self.send(HEADER.format(more=more))
        self.opening = self.said()
        return [child.name for child in self.opening[0].elements()]

    def external(self, authzid: str = "=") -> Element:
        xmlns = "urn:ietf:params:xml:ns:xmpp-sasl"
        self.send(f"<auth xmlns='{xmlns}' mechanism='EXTERNAL'>{authzid}</auth>")
        return self.one()

    def authenticated_by_certificate(self) -> "Incoming":
        self.proven.add(THEIRS)
        self.open()
        assert self.external().name == "success"
        self.open()
        return self

    def result(self, sender: str = THEIRS, to: str = OURS, key: str = "key") -> None:
        self.send(f"<db:result from='{sender}' to='{to}'>{key}</db:result>")

    def authenticated_by_dialback(self) -> "Incoming":
        self.open()
        self.result()
        self.stream.verified(self.verifications[-1], VALID)
        self.said()
        return self


@dataclass
class OutgoingHost(Told):
    up: list[Pair] = field(default_factory=list)
    refusals: list[tuple[Pair, str, bool]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answered: list[tuple[Verification, Verified]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, event: str, detail: str = "") -> None:
        self.notes.append(event)

    def ready(self, pair: Pair) -> None:
        self.up.append(pair)

    def refused(self, pair: Pair, reason: str, is_lasting: bool) -> None:
        self.refusals.append((pair, reason, is_lasting))

    def failed(self, reason: str) -> None:
        self.failures.append(reason)

    def verified(self, request: Verification, verified: Verified) -> None:
        self.answered.append((request, verified))


STRICT = Terms(needs_tls=True, needs_certificate=True, allows_dialback=False)
USUAL = Terms(needs_tls=True, needs_certificate=True, allows_dialback=True)
CONTENT = Terms(needs_tls=True, needs_certificate=False, allows_dialback=True)
CLEAR = Terms(needs_tls=False, needs_certificate=False, allows_dialback=True)
PAIR = Pair(OURS, THEIRS)


class Outgoing(OutgoingHost):
    """A server that we connected to, seen from its side."""

    def __init__(
        self,
        *proven: str,
        terms: Terms = USUAL,
        secure: bool = True,
        verifications: tuple[Verification, ...] = (),
    ) -> None:
        super().__init__()
        self.proven = set(proven)
        self.stream = OutgoingStream(self, settings(), PAIR, terms, secure, verifications)
        self.stream.start()

    def send(self, text: str) -> None:
        self.stream.receive(text.encode())

    def offer(self, *features: str, sender: str = THEIRS, id: str = "D60000229F") -> list[Element]:
        """Answer the header with these features; gives what follows."""
        self.said()
        more = f" from='{sender}' to='{OURS}' id='{id}'"
        self.send(HEADER.format(more=more) + FEATURES.format("".join(features)))
        return self.said()
