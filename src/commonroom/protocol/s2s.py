"""RFC 6120 §4, §8: what the two directions of a server's stream have in common, without any I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from commonroom.protocol.dialback import DialbackKeys
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import READERS, Stanza, unread
from commonroom.protocol.stream import STREAM_END, stream_error
from commonroom.protocol.stream_management import read_count
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SERVER, NS_STREAM_ERRORS, NS_STREAMS
from commonroom.xml.parser import Limits, StreamHeader, StreamParser, XmlError

NS_BIDI = "urn:xmpp:bidi"
NS_BIDI_FEATURE = "urn:xmpp:features:bidi"

# How many pairs of domains one stream may carry (XEP-0220 §2.5, resource-constraint).
PAIRS_PER_STREAM = 100


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What all streams with other servers share. `is_ours` tells whether a domain is served here."""

    is_ours: Callable[[str], bool]
    limits_before: Limits  # the peer is nobody yet
    limits: Limits
    keys: DialbackKeys
    random: Callable[[int], bytes]


class PeerHost(Protocol):
    """What a stream asks of those around it."""

    def write(self, text: str) -> None:
        """Send to the peer."""

    def start_tls(self) -> None:
        """Everything written goes out in clear, then TLS begins."""

    def close(self) -> None:
        """Send what was written, then close the connection so that the peer can read it."""

    def take(self, stanza: Stanza) -> None:
        """A stanza whose `sender` is of a domain that the peer may speak for, and `to` of one of ours."""

    def answer(self, answer: Stanza | None) -> None:
        """What the peer sent cannot be read; this, if anything, goes to whom it claimed to come from."""

    def asked(self) -> None:
        """The peer wants to know how many stanzas are handled (XEP-0198 §4)."""

    def acknowledged(self, handled: int) -> None:
        """The peer has handled so many. Raises StreamError if it cannot have."""

    def unmanaged(self) -> None:
        """The peer does not acknowledge after all (XEP-0198 §3)."""

    def offended(self, reason: str) -> None:
        """The peer does what it may not: the stream ends for that, or it means nothing. For the log."""


class PeerStream:
    """One server's stream. What to do with the next element is the method in `_on_element`."""

    __slots__ = ("_host", "_is_open", "_limits", "_on_element", "_parser", "closed")
    _on_element: Callable[[Element], None]
    content_namespace = NS_SERVER

    def __init__(self, host: PeerHost, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self.closed = False
        self._begin_stream()

    def _begin_stream(self) -> None:
        self._parser = StreamParser(self._limits, self.content_namespace)
        self._is_open = False

    def _restart(self) -> None:
        """The next bytes begin a new stream; what was buffered is gone (RFC 6120 §4.3.3, §5.4.3.3)."""
        self._parser.close()
        self._begin_stream()

    def _allow(self, limits: Limits) -> None:
        """The peer has shown who it is."""
        self._limits = limits
        self._parser.set_limits(limits)

    # Bytes in

    def receive(self, data: bytes) -> int:
        """Take bytes from the peer; returns how many elements they completed."""
        parser = self._parser
        events = parser.feed(data)
        for event in events:
            if self.closed or self._parser is not parser:
                break
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
                self._host.offended(str(error))
                self.fail(error)
        return len(events)

    def _give(self, element: Element, sender: JID) -> None:
        """Hand the stanza on, with its sender."""
        try:
            stanza = READERS[element.name](element)
        except StanzaError as error:
            answer = unread(element, error)
            if answer is not None:
                answer.to = sender
            self._host.answer(answer)
            return
        stanza.sender = sender
        self._host.take(stanza)

    def _on_management(self, element: Element) -> None:
        """XEP-0198 §4, between servers."""
        if element.name == "r":
            self._host.asked()
        elif element.name == "failed":
            self._host.unmanaged()
        elif element.name == "a":
            try:
                handled = read_count(element)
            except StanzaError as error:
                raise StreamError(StreamCondition.POLICY_VIOLATION, error.text) from None
            self._host.acknowledged(handled)

    def _on_header(self, raw: StreamHeader) -> None:
        raise NotImplementedError

    def _open(self) -> None:
        """Write our header, if it is not out yet."""
        raise NotImplementedError

    def rest(self) -> None:
        """Nothing came for a while: give back what the parser holds."""
        self._parser.rest()

    # The end

    def _on_end(self) -> None:
        """The peer closes its stream, so we close ours (RFC 6120 §4.4)."""
        self._finish(STREAM_END)

    def finish(self) -> None:
        """We have no more to say."""
        self._finish(STREAM_END)

    def fail(self, error: StreamError) -> None:
        """Tell the peer why, and close (RFC 6120 §4.9.1.1)."""
        self._finish(error.xml() + STREAM_END)

    def lost(self) -> None:
        """The connection is gone: nothing is read or written any more."""
        self.closed = True
        self._parser.close()

    def let_go(self) -> None:
        """Nobody hears of this stream again: no circle is left to the garbage collector."""
        self.lost()
        for name in ("_host", "_on_element"):
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


def read_addresses(element: Element) -> tuple[JID, JID]:
    """`from` and `to`, which a stanza between servers must have (RFC 6120 §8.1.1.2, §8.1.2.2)."""
    try:
        return JID.parse(element.attributes["from"]), JID.parse(element.attributes["to"])
    except KeyError as missing:
        text = f"a stanza between servers has '{missing.args[0]}'"
    except InvalidJID as error:
        text = str(error)
    raise StreamError(StreamCondition.IMPROPER_ADDRESSING, text)


def is_stanza(element: Element) -> bool:
    """RFC 6120 §8; the content namespace was translated."""
    return element.namespace == NS_CLIENT and element.name in READERS


def error_words(element: Element) -> str | None:
    """What a stream error says, for the log; None if this is none (RFC 6120 §4.9.2)."""
    if (element.namespace, element.name) != (NS_STREAMS, "error"):
        return None
    names = [child.name for child in element.elements() if child.namespace == NS_STREAM_ERRORS]
    condition = next((name for name in names if name != "text"), "undefined-condition")
    text = element.child_text(NS_STREAM_ERRORS, "text")
    return f"{condition}: {text}" if text else condition
