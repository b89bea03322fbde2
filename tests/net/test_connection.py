"""Connections on real loopback sockets with uvloop; the peers are the ssl module, OpenSSL and plain sockets."""

import asyncio
import functools
import gc
import logging
import math
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from commonroom.config import KeyPair
from commonroom.net.certificates import create_self_signed
from commonroom.net.connection import Connection, ConnectionLimits, Pause
from commonroom.net.tls import TlsContexts

QUICK = ConnectionLimits(linger=0.2, handshake_timeout=0.2)


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test in uvloop; what its loop has to complain about fails it."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        complaints: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
            runner.run(test(*args, **kwargs))
        assert not complaints

    return run


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    folder = tmp_path_factory.mktemp("connection")
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    create_self_signed(*pair, ["example.org"], datetime.now(UTC))
    return TlsContexts({"example.org": pair})


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


class Server:
    """Connections that arrive on a port of the loopback."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.connections: list[Connection] = []
        self.port = 0

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

        listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        return server

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


class Peer:
    """A client on asyncio's streams, in the clear or with the ssl module's TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, server: Server, tls: ssl.SSLContext | None = None) -> "Peer":
        return cls(*await asyncio.open_connection("127.0.0.1", server.port, ssl=tls))

    async def say(self, text: str, expect: str | None = None) -> None:
        self.writer.write(text.encode())
        if expect is not None:
            assert (await self.reader.readexactly(len(expect.encode()))).decode() == expect

    async def end(self) -> str:
        """All that still comes."""
        return (await asyncio.wait_for(self.reader.read(), 5)).decode()

    def close(self) -> None:
        self.writer.transport.abort()


# TLS that fails


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "TLS: the peer spoke HTTP, not TLS"),
        (b"<?xml version='1.0'?><stream:stream to='example.org'>", "TLS: the peer did not speak TLS"),
    ],
)
@in_loop
async def test_plain_text_on_the_direct_tls_port_ends_in_an_alert(
    contexts: TlsContexts, caplog: pytest.LogCaptureFixture, text: bytes, reason: str
) -> None:
    caplog.set_level(logging.INFO)
    server = await Server.start(contexts=contexts)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(text)
    assert (await reader.read())[0] == 0x15  # an alert, then the end
    writer.close()
    assert server.streams == []
    (record,) = caplog.records
    assert (record.message, record.reason, record.address) == ("TLS handshake failed", reason, "127.0.0.1")
    peer = await Peer.connect(server, client_context())
    await peer.say("still here", "still here")
    peer.close()


@in_loop
async def test_a_port_monitor_is_not_worth_a_line_in_the_log(
    contexts: TlsContexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = await Server.start(contexts=contexts)
    plain_socket(server).close()
    await until(lambda: server.connections and server.connections[0]._told_lost)
    assert caplog.records == []


@in_loop
async def test_rfc6120_5_4_3_2_a_failed_starttls_ends_without_a_stream_end(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    await peer.say("<starttls/>", "<proceed/>")
    await peer.say("<stream>this is not a handshake")
    assert (await peer.reader.read())[0] == 0x15
    peer.close()
    assert server.streams[0].events == ["connected", "lost: TLS: the peer did not speak TLS"]
    assert server.streams[0].received == b""


@pytest.mark.parametrize("text", [b"", b"\x16\x03\x01\x02\x00\x01"])
@in_loop
async def test_a_handshake_that_does_not_go_on_is_ended(contexts: TlsContexts, text: bytes) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    await peer.say("<starttls/>", "<proceed/>")
    peer.writer.write(text)
    assert await peer.end() == ""
    peer.close()
    assert server.streams[0].events == ["connected", "lost: the TLS handshake took too long"]


@in_loop
async def test_rfc6120_5_4_3_3_what_came_with_starttls_is_discarded(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    await peer.say("<starttls/><iq>forged</iq>", "<proceed/>")
    await peer.writer.start_tls(client_context())
    await peer.say("<iq>mine</iq>", "<iq>mine</iq>")
    peer.close()
    assert server.streams[0].events == ["connected", "secured"]
    assert server.streams[0].received == b"<iq>mine</iq>"


@in_loop
async def test_rfc6120_5_4_3_3_what_came_after_starttls_never_becomes_xml(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    peer.writer.write(b"<starttls/>")
    stream = await server.stream()
    await until(lambda: stream.connection.tls)
    peer.writer.write(b"<iq>forged</iq>")  # a segment of its own, before the client's first byte of TLS
    await until(lambda: len(stream.events) > 1)
    assert stream.events[1] == "lost: TLS: the peer did not speak TLS"
    assert stream.received == b""
    peer.close()


async def s_client(server: Server, *options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    await until(lambda: server.streams)
    return process


def tell(process: asyncio.subprocess.Process, text: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(text)


@in_loop
async def test_rfc6120_5_3_5_renegotiation_closes_the_connection(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    process = await s_client(server, "-tls1_2")
    tell(process, b"R\n")
    await asyncio.wait_for(process.communicate(), 5)
    assert server.streams[0].events == ["connected", "lost: TLS: the peer attempted renegotiation"]
    assert server.streams[0].received == b""


@in_loop
async def test_rfc8446_4_6_3_a_change_of_keys_is_answered(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    process = await s_client(server, "-tls1_3")
    stream = server.streams[0]
    sent = stream.connection.bytes_sent
    tell(process, b"K\n")
    await until(lambda: stream.connection.bytes_sent > sent)
    tell(process, b"hello\n")
    await until(lambda: stream.received == b"hello\n")
    output, _ = await process.communicate()
    assert output.endswith(b"hello\n")


# How connections end


async def reset(server: Server, stream: Stream, peer: Peer) -> None:
    sock = peer.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def leave(server: Server, stream: Stream, peer: Peer) -> None:
    peer.writer.close()


async def ask_to_close(server: Server, stream: Stream, peer: Peer) -> None:
    await peer.say("<close/>", "<error/></stream>")
    peer.writer.close()


async def be_aborted(server: Server, stream: Stream, peer: Peer) -> None:
    stream.connection.abort()


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (reset, "connection reset by peer"),
        (leave, "closed by the peer"),
        (ask_to_close, "closed"),
        (be_aborted, "aborted"),
    ],
)
@in_loop
async def test_every_end_is_told_once(
    contexts: TlsContexts,
    end: Callable[[Server, Stream, Peer], Awaitable[None]],
    reason: str,
    secure: bool,
) -> None:
    server = await Server.start(contexts=contexts if secure else None)
    peer = await Peer.connect(server, client_context() if secure else None)
    await peer.say("hello", "hello")
    stream = server.streams[0]
    await end(server, stream, peer)
    await until(lambda: len(stream.events) > 1)
    stream.connection.write("to nobody")
    stream.connection.close("to nobody")
    stream.connection.abort()
    stream.connection.pause()
    stream.connection.resume()
    await asyncio.sleep(0.01)
    assert stream.events == ["connected", f"lost: {reason}"]
    peer.close()


def test_a_bug_in_the_handler_ends_its_connection_and_is_reported(contexts: TlsContexts) -> None:
    class Buggy(Stream):
        def receive(self, data: bytes) -> None:
            raise ValueError("a bug")

    async def provoke() -> Stream:
        server = await Server.start(stream=Buggy, contexts=contexts)
        peer = await Peer.connect(server, client_context())
        await peer.say("hello")
        await until(lambda: len(server.streams[0].events) > 1)
        peer.close()
        return server.streams[0]

    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        stream = runner.run(provoke())
    assert stream.events == ["connected", "lost: internal error (ValueError)"]
    assert [type(complaint["exception"]) for complaint in complaints] == [ValueError]


@pytest.mark.parametrize("secure", [False, True])
@in_loop
async def test_rfc6120_4_4_an_error_is_readable_by_a_peer_that_is_still_sending(
    contexts: TlsContexts, secure: bool
) -> None:
    server = await Server.start(contexts=contexts if secure else None, limits=ConnectionLimits(linger=2))
    peer = await Peer.connect(server, client_context() if secure else None)
    peer.writer.write(b"<close/>" + b"x" * 4_000_000)
    assert await peer.end() == "<error/></stream>"
    peer.close()
    await until(lambda: server.streams[0].events == ["connected", "lost: closed"])


@in_loop
async def test_lingering_ends(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts, limits=ConnectionLimits(linger=0.1))
    peer = await Peer.connect(server, client_context())
    started = time.monotonic()
    peer.writer.transport.pause_reading()  # so it sees no end, and does not answer it
    await peer.say("<close/>")
    await until(lambda: server.streams and len(server.streams[0].events) > 1)
    assert 0.1 <= time.monotonic() - started < 1
    peer.close()


@pytest.mark.parametrize("secure", [False, True])
@in_loop
async def test_a_half_closed_peer_gets_its_answers(contexts: TlsContexts, secure: bool) -> None:
    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            sock = client_context().wrap_socket(raw) if secure else raw
            sock.sendall(b"x" * 200_000)
            if isinstance(sock, ssl.SSLSocket):
                rest = b"".join(iter(lambda: sock.recv(65536), b"")) if sock.shutdown(socket.SHUT_WR) else b""
                return rest
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    server = await Server.start(contexts=contexts if secure else None)
    if not secure:
        assert await asyncio.to_thread(talk) == b"x" * 200_000
        assert server.streams[0].events == ["connected", "lost: closed by the peer"]


@in_loop
async def test_rfc8446_6_1_a_close_notify_is_answered(contexts: TlsContexts) -> None:
    def talk() -> None:
        with socket.create_connection(("127.0.0.1", server.port), 3) as raw:
            sock = client_context().wrap_socket(raw)
            sock.sendall(b"bye")
            sock.recv(3)
            assert sock.unwrap().recv(1) == b""  # returns when ours has come

    server = await Server.start(contexts=contexts)
    await asyncio.to_thread(talk)
    assert server.streams[0].events == ["connected", "lost: closed by the peer"]
