"""A client's connection: XML over TLS, which can be cut so that neither side hears of it."""

import asyncio
import ssl
from base64 import b64encode
from collections import deque
from typing import NamedTuple

from commonroom.xml.element import Element
from commonroom.xml.parser import Limits, StreamEnd, StreamHeader, StreamParser, XmlError
from crash import stanzas

LIMITS = Limits(stanza_bytes=10_000_000, depth=50, elements=10_000, attributes=1_000, names=1_000_000)
PIECE = 65_536


class Gone(ConnectionError):  # noqa: N818 - what happened
    """The connection or the stream is no more."""


class Door(NamedTuple):
    """Where clients connect, with TLS from the first byte."""

    host: str
    port: int
    domain: str
    tls: ssl.SSLContext


def trusting() -> ssl.SSLContext:
    """TLS with whoever answers: that is not what is tested here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """Elements in, text out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
        self._reader = reader
        self._writer = writer
        self._domain = domain
        self._parser = StreamParser(LIMITS)
        self._elements: deque[Element] = deque()
        self.is_cut = False

    @classmethod
    async def connect(cls, door: Door) -> "Wire":
        """Raises OSError."""
        reader, writer = await asyncio.open_connection(door.host, door.port, ssl=door.tls)
        return cls(reader, writer, door.domain)

    def write(self, text: str) -> None:
        """Send, as far as there is anybody."""
        if not self.is_cut and not self._writer.is_closing():
            self._writer.write(text.encode())

    def open(self) -> None:
        """Begin a stream, the first one or one after the login."""
        self._parser = StreamParser(LIMITS)
        self._elements.clear()
        self.write(stanzas.header(self._domain))

    async def next(self) -> Element:
        """The next child of the stream; raises OSError, which Gone is."""
        while not self._elements:
            data = await self._reader.read(PIECE)
            if not data:
                raise Gone("connection closed")
            if not self.is_cut:
                self._feed(data)
        return self._elements.popleft()

    def cut(self, patience: float) -> None:
        """From now on nothing passes, either way; the client notices after a while, the server does not."""
        self.is_cut = True
        self._elements.clear()
        asyncio.get_running_loop().call_later(patience, self._reader.set_exception, Gone("no answer"))

    def abort(self) -> None:
        """Drop the connection; of one that was cut, the other side does not hear."""
        if not self.is_cut:
            self._writer.transport.abort()

    def bury(self) -> None:
        """Close a connection that was cut, when the run is over."""
        self._writer.transport.abort()

    def _feed(self, data: bytes) -> None:
        for event in self._parser.feed(data):
            if isinstance(event, Element):
                self._elements.append(event)
            elif isinstance(event, XmlError):
                raise Gone(f"bad XML: {event}")
            elif isinstance(event, StreamEnd):
                self._writer.transport.abort()
            else:
                assert isinstance(event, StreamHeader)


async def login(door: Door, user: str, password: str) -> tuple[Wire, Element]:
    """A stream that is authenticated, and its features; raises OSError."""
    wire = await Wire.connect(door)
    try:
        wire.open()
        await wire.next()
        wire.write(stanzas.plain(b64encode(f"\0{user}\0{password}".encode()).decode()))
        answer = await wire.next()
        if (answer.namespace, answer.name) != (stanzas.NS_SASL, "success"):
            raise Gone(f"login refused: {answer!r}")
        wire.open()
        return wire, await wire.next()
    except BaseException:
        wire.abort()
        raise
