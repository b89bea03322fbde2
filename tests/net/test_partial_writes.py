"""A system that takes nothing just now, at every point at which something is to be sent."""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import pytest

from commonroom.net.connection import EARLY, Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.tls import TlsContexts
from tests.net.loopback import ByHand, Server, Stream, in_loop, plain_socket, until

PATIENT = ConnectionLimits(linger=3, handshake_timeout=3)

Result = TypeVar("Result")


async def aside(function: Callable[..., Result], *arguments: object) -> Result:
    """What blocks, while the server goes on."""
    return await asyncio.to_thread(function, *arguments)


class Stuffed:
    """A client whose socket is full of what does not belong to the stream, until it is cleared away.

    The socket is none of the network's: what that has taken, it goes on to move for a while.
    """

    def __init__(self, limits: ConnectionLimits, stream: Stream, contexts: TlsContexts | None) -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.settimeout(3)
        self.near, self.client = near, ByHand(far)
        self.stream = stream
        self.connection = Connection(
            lambda: stream, limits, direct_tls=None if contexts is None else contexts.engine
        )
        self.connection.accepted(near, ("127.0.0.1", 1))
        self.waste = 0

    def stuff(self) -> None:
        self._take_tickets()
        try:
            while True:
                self.waste += self.near.send(bytes(1024))
        except BlockingIOError:
            return

    def _take_tickets(self) -> None:
        """What the handshake left on the way."""
        ready, _, _ = select.select([self.client.sock], [], [], 0)
        if ready:
            self.client.incoming.write(self.client.sock.recv(65536))

    async def waits(self) -> None:
        await until(lambda: self.connection._writing)

    async def is_over(self) -> None:
        await until(lambda: self.connection._told_lost)

    def clear(self) -> None:
        while self.waste:
            data = self.client.sock.recv(min(self.waste, 1 << 20))
            assert data, "it ended"
            self.waste -= len(data)

    def say(self, data: bytes) -> None:
        self.client.sock.sendall(self.client.sealed(data))

    def hear(self, count: int) -> bytes:
        """So many bytes of the stream; fewer if it ends as it should."""
        heard, data = b"", b"more"
        while data and len(heard) < count:
            try:
                data = self.client.tls.read(65536)  # nothing, after a close_notify
                heard += data
            except ssl.SSLWantReadError:
                came = self.client.sock.recv(65536)
                assert came, "it ended without a close_notify"
                self.client.incoming.write(came)
        return heard


@contextmanager
def stuffed(
    contexts: TlsContexts | None, limits: ConnectionLimits = PATIENT, stream: Stream | None = None
) -> Iterator[Stuffed]:
    """One that is closed in the end; with contexts it speaks TLS from the first byte."""
    client = Stuffed(limits, stream or Stream(), contexts)
    with closing(client.client.sock):
        yield client
        client.connection.abort()


@in_loop
async def test_a_handshake_goes_on_when_the_system_takes_more(contexts: TlsContexts) -> None:
    with stuffed(contexts) as client:
        client.stuff()
        with pytest.raises(ssl.SSLWantReadError):
            client.client.tls.do_handshake()
        client.client.sock.sendall(client.client.outgoing.read())
        await client.waits()
        await aside(client.clear)
        client.client.incoming.write(await aside(client.client.sock.recv, 65536))
        await aside(client.client.handshake)
        client.say(b"hello")
        assert await aside(client.hear, 5) == b"hello"


@in_loop
async def test_rfc6120_5_4_2_3_the_handshake_waits_until_proceed_is_out(contexts: TlsContexts) -> None:
    with stuffed(None, stream=Stream(contexts)) as client:
        client.stuff()
        client.client.sock.sendall(b"<starttls/>")
        await client.waits()
        await aside(client.clear)
        assert await aside(client.client.sock.recv, 65536) == b"<proceed/>"
        await aside(client.client.handshake)
        client.say(b"hello")
        assert await aside(client.hear, 5) == b"hello"
        assert client.stream.events == ["connected", "secured"]


@pytest.mark.parametrize("size", [1, EARLY - 1, EARLY + 1, 1_000_000])
@in_loop
async def test_rfc6120_4_4_all_is_said_before_the_end(contexts: TlsContexts, size: int) -> None:
    """What was written first is cut somewhere; more follows it, and close_notify comes behind."""
    with stuffed(contexts) as client:
        await aside(client.client.handshake)
        await until(lambda: client.stream.events)
        client.stuff()
        client.connection.write("x" * size)
        await client.waits()
        client.connection.write("yes")
        client.connection.close("</stream>")
        await aside(client.clear)
        assert await aside(client.hear, 1 << 30) == b"x" * size + b"yes</stream>"


@in_loop
async def test_rfc8446_6_1_close_notify_waits_too(contexts: TlsContexts) -> None:
    with stuffed(contexts) as client:
        await aside(client.client.handshake)
        await until(lambda: client.stream.events)
        client.stuff()
        client.connection.close()
        await client.waits()
        await aside(client.clear)
        assert await aside(client.hear, 1) == b""


@in_loop
async def test_who_reads_nothing_is_left_when_lingering_ends(contexts: TlsContexts) -> None:
    with stuffed(contexts, ConnectionLimits(linger=0.1)) as client:
        await aside(client.client.handshake)
        await until(lambda: client.stream.events)
        client.stuff()
        client.connection.close("</stream>")
        await client.is_over()
        assert client.stream.events == ["connected", "lost: closed"]


@pytest.mark.parametrize("secure", [False, True])
@in_loop
async def test_nothing_to_say_is_no_failure(contexts: TlsContexts, secure: bool) -> None:
    with stuffed(contexts if secure else None) as client:
        if secure:
            await aside(client.client.handshake)
            await until(lambda: client.stream.events)
        client.connection.write("")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.connection.write("x" * (EARLY + 1))
        client.connection.close()
        if secure:
            assert await aside(client.hear, 1 << 30) == b"x" * (EARLY + 1)
        assert client.stream.events == ["connected"]


@in_loop
async def test_a_reset_while_something_waits_ends_it() -> None:
    server = await Server.start(ConnectionLimits(pending_bytes=16_000_000))
    sock = plain_socket(server)
    stream = await server.stream()
    stream.connection.write("x" * 8_000_000)
    assert stream.connection._writing
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    await until(lambda: len(stream.events) == 2)
    assert stream.events[1].startswith("lost: connection reset")
