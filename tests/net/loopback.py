"""What the tests of connections share: a loop, a server, and its peers, on the loopback."""

import asyncio
import functools
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvloop

from commonroom.config import ListenAddress
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.listener import Listener
from commonroom.net.tls import TlsContexts

Test = Callable[..., Coroutine[Any, Any, None]]

QUICK = ConnectionLimits(linger=0.2, handshake_timeout=0.2)


@contextmanager
def new_runner() -> Iterator[tuple[asyncio.Runner, list[dict[str, Any]]]]:
    """A uvloop and the list of what it complains about."""
    complaints: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        # uvloop warns of what a failed test left open, and never ends if that warning is an error.
        warnings.simplefilter("ignore", ResourceWarning)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
            try:
                yield runner, complaints
            finally:
                runner.run(stop_all())


def expecting_bugs(count: int) -> Callable[[Test], Callable[..., None]]:
    """Run the test in uvloop, which has so many bugs of ours to complain about."""

    def decorate(test: Test) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            with new_runner() as (runner, complaints):
                runner.run(test(*args, **kwargs))
            assert len(complaints) == count, complaints

        return run

    return decorate


in_loop = expecting_bugs(0)


class Stream:
    """A handler that notes what happens and echoes what comes, unless told otherwise."""

    def __init__(self, contexts: TlsContexts | None = None, echo: bool = True) -> None:
        self.contexts = contexts
        self.echo = echo
        self.events: list[str] = []
        self.received = bytearray()
        self.connection: Connection

    def connected(self, connection: Connection) -> None:
        self.connection = connection
        self.events.append("connected")

    def receive(self, data: bytes) -> None:
        self.received += data
        if self.contexts and not self.connection.secure and b"<starttls/>" in data:
            self.received.clear()
            self.connection.write("<proceed/>")
            self.connection.start_tls(self.contexts.engine())
        elif b"<close/>" in data:
            self.connection.close("<error/></stream>")
        elif self.echo:
            self.connection.write(data.decode())

    def secured(self) -> None:
        self.events.append("secured")

    def lost(self, reason: str) -> None:
        self.events.append(f"lost: {reason}")


running: list["Server"] = []


async def stop_all() -> None:
    """Uvloop would end what it owns; sockets are ours to close."""
    for server in running:
        server.stop()
    running.clear()
    await asyncio.sleep(0)


class Server:
    """Connections that arrive on a port of the loopback."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.connections: list[Connection] = []
        self.port = 0
        self.listener: Listener

    @classmethod
    async def start(
        cls,
        limits: ConnectionLimits = QUICK,
        stream: Callable[[], Stream] = Stream,
        contexts: TlsContexts | None = None,
    ) -> "Server":
        server = cls()

        def handler() -> Stream:
            server.streams.append(stream())
            return server.streams[-1]

        def protocol() -> Connection:
            connection = Connection(handler, limits, direct_tls=contexts.engine if contexts else None)
            server.connections.append(connection)
            return connection

        server.listener = Listener(ListenAddress("127.0.0.1", 0), protocol)
        await server.listener.start()
        server.port = server.listener.address.port
        running.append(server)
        return server

    def stop(self) -> None:
        self.listener.stop()
        for connection in self.connections:
            connection.abort()

    async def stream(self) -> Stream:
        await until(lambda: self.streams)
        return self.streams[-1]


async def until(condition: Callable[[], object], seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.002)


def plain_socket(server: Server) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.setblocking(False)
    return sock


def client_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


class Peer(asyncio.Protocol):
    """A client, in the clear or with the ssl module's TLS."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False

    @classmethod
    async def connect(cls, server: Server, tls: ssl.SSLContext | None = None) -> "Peer":
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(cls, "127.0.0.1", server.port, ssl=tls)
        return peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True

    async def start_tls(self) -> None:
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self.transport, self, client_context())
        assert transport is not None
        self.transport = transport

    def say(self, text: str) -> None:
        self.transport.write(text.encode())

    async def hear(self, text: str) -> None:
        """Exactly this is the next that comes."""
        await until(lambda: len(self.received) >= len(text) or self.ended)
        assert self.received.decode() == text
        self.received.clear()

    async def end(self) -> bytes:
        """All that still comes."""
        await until(lambda: self.ended)
        return bytes(self.received)

    def close(self) -> None:
        self.transport.abort()


class ByHand:
    """A TLS client that decides what goes into one packet; its socket blocks."""

    def __init__(self, end: Server | socket.socket) -> None:
        if isinstance(end, Server):
            end = socket.create_connection(("127.0.0.1", end.port), 3)
        self.sock = end
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context().wrap_bio(self.incoming, self.outgoing)

    def handshake(self, with_the_end: bytes = b"") -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                self.incoming.write(self.sock.recv(65536))
        self.sock.sendall(self.outgoing.read() + self.sealed(with_the_end))

    def sealed(self, data: bytes) -> bytes:
        if data:
            self.tls.write(data)
        return self.outgoing.read()
