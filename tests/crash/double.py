"""A server that follows a script: what the harness's own client does is tested with it."""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.site import Population, make_site
from commonroom.xml.element import Element
from commonroom.xml.parser import StreamHeader, StreamParser
from crash.stanzas import NS_BIND, NS_MANAGEMENT, NS_SASL, NS_STREAMS
from crash.wire import LIMITS, Door, trusting

HEADER = (
    f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{NS_STREAMS}'"
    " from='here' version='1.0'>"
)
FEATURES = f"<stream:features><bind xmlns='{NS_BIND}'/><sm xmlns='{NS_MANAGEMENT}'/></stream:features>"


class Peer:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = StreamParser(LIMITS)
        self._elements: deque[Element | StreamHeader] = deque()

    async def next(self) -> Element | StreamHeader:
        """What the client sends next; raises EOFError."""
        while not self._elements:
            data = await self._reader.read(65_536)
            if not data:
                raise EOFError
            for event in self._parser.feed(data):
                assert isinstance(event, Element | StreamHeader), event
                self._elements.append(event)
        return self._elements.popleft()

    async def element(self, name: str) -> Element:
        """The next element of that name. The client asks for acknowledgements and writes when it wants."""
        while True:
            event = await self.next()
            assert isinstance(event, Element)
            if event.name == name:
                return event
            assert event.name == "r" or (name, event.name) == ("a", "message"), event

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    def close(self) -> None:
        self._writer.transport.abort()

    async def let_in(self) -> None:
        """Up to the features after the login."""
        await self.next()
        self.send(HEADER + "<stream:features/>")
        await self.element("auth")
        self.send(f"<success xmlns='{NS_SASL}'/>")
        self._parser = StreamParser(LIMITS)
        await self.next()
        self.send(HEADER + FEATURES)

    async def bind(self) -> None:
        """A new session, with 0198."""
        iq = await self.element("iq")
        self.send(f"<iq type='result' id='{iq.get('id')}'/>")
        await self.element("enable")
        self.send(f"<enabled xmlns='{NS_MANAGEMENT}' resume='true' id='stream-1'/>")
        await self.element("presence")


Script = Callable[[Peer], Awaitable[None]]


class Double:
    """Plays a script for each connection, one after the other."""

    def __init__(self, folder: Path, *scripts: Script) -> None:
        self._scripts = deque(scripts)
        self._unfinished = len(scripts)
        self._site = make_site(folder, Population(0))
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> Door:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._site.certificate, self._site.key)
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0, ssl=context)
        port = self._server.sockets[0].getsockname()[1]
        return Door("127.0.0.1", port, "here", trusting())

    async def finished(self) -> None:
        """All scripts were played to their end; raises what is wrong in one."""
        async with asyncio.timeout(20):
            await self._done

    async def close(self) -> None:
        """When the client is gone."""
        self._server.close()
        await asyncio.sleep(0.05)  # connections that were dropped are closed by the loop's next turns

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        if not self._scripts or self._done.done():
            peer.close()
            return
        try:
            await self._scripts.popleft()(peer)
        except (AssertionError, EOFError) as wrong:
            if not self._done.done():
                self._done.set_exception(wrong)
        else:
            self._unfinished -= 1
            if not self._unfinished and not self._done.done():
                self._done.set_result(None)
        peer.close()
