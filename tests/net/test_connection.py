"""Connections on real loopback sockets; the peers are the ssl module, openssl s_client and plain sockets."""

import asyncio
import functools
import gc
import logging
import socket
import ssl
import struct
import sys
import time
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, cast

import pytest
import uvloop

from commonroom.config import KeyPair
from commonroom.net.certificates import create_self_signed
from commonroom.net.connection import Connection, ConnectionLimits, Pause
from commonroom.net.tls import TlsContexts, TlsEngine

UNEXPECTED_MESSAGE = b"\x15\x03\x03\x00\x02\x02\x0a"  # an alert
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
            yield runner, complaints


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test in uvloop; what its loop has to complain about fails it."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with new_runner() as (runner, complaints):
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


# TLS that fails


@pytest.mark.parametrize(
    ("text", "reason", "alert"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "TLS: the peer spoke HTTP, not TLS", b""),
        (b"<?xml version='1.0'?><stream:stream>", "TLS: the peer did not speak TLS", b""),
        (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "TLS: unexpected message", UNEXPECTED_MESSAGE),
    ],
)
@in_loop
async def test_what_is_not_tls_on_the_direct_tls_port_ends_the_connection(
    contexts: TlsContexts, caplog: pytest.LogCaptureFixture, text: bytes, reason: str, alert: bytes
) -> None:
    caplog.set_level(logging.INFO)
    server = await Server.start(contexts=contexts)
    peer = await Peer.connect(server)
    peer.transport.write(text)
    assert await peer.end() == alert
    assert server.streams == []
    (record,) = caplog.records
    facts = vars(record)
    assert (facts["message"], facts["reason"], facts["address"]) == (
        "TLS handshake failed",
        reason,
        "127.0.0.1",
    )
    peer = await Peer.connect(server, client_context())
    peer.say("still here")
    await peer.hear("still here")
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
    peer.say("<starttls/>")
    await peer.hear("<proceed/>")
    peer.say("<stream>this is not a handshake")
    assert await peer.end() == b""
    peer.close()
    assert server.streams[0].events == ["connected", "lost: TLS: the peer did not speak TLS"]
    assert server.streams[0].received == b""


@pytest.mark.parametrize("text", [b"", b"\x16\x03\x01\x02\x00\x01"])
@in_loop
async def test_a_handshake_that_does_not_go_on_is_ended(contexts: TlsContexts, text: bytes) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    peer.say("<starttls/>")
    await peer.hear("<proceed/>")
    peer.transport.write(text)
    assert await peer.end() == b""
    peer.close()
    assert server.streams[0].events == ["connected", "lost: the TLS handshake took too long"]


@in_loop
async def test_rfc6120_5_4_3_3_what_came_with_starttls_is_discarded(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    peer.say("<starttls/><iq>forged</iq>")
    await peer.hear("<proceed/>")
    await peer.start_tls()
    peer.say("<iq>mine</iq>")
    await peer.hear("<iq>mine</iq>")
    peer.close()
    assert server.streams[0].events == ["connected", "secured"]
    assert server.streams[0].received == b"<iq>mine</iq>"


@in_loop
async def test_rfc6120_5_4_3_3_what_came_after_starttls_never_becomes_xml(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    peer.transport.write(b"<starttls/>")
    stream = await server.stream()
    await until(lambda: stream.connection.tls)
    peer.transport.write(b"<iq>forged</iq>")  # a segment of its own, before the client's first byte of TLS
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
async def test_rfc8446_4_6_3_a_change_of_keys_is_followed(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts, stream=lambda: Stream(echo=False))
    process = await s_client(server, "-tls1_3")
    stream = server.streams[0]
    tell(process, b"K\n")  # asks for new keys, with the next data
    assert process.stderr is not None
    await process.stderr.readuntil(b"KEYUPDATE")
    tell(process, b"hello\n")
    await until(lambda: stream.received == b"hello\n")
    stream.connection.write("with new keys")
    stream.connection.close()
    output, _ = await process.communicate()
    assert b"with new keys" in output


class ByHand:
    """A TLS client that decides what goes into one packet; its socket blocks."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), 3)
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


@in_loop
async def test_data_in_the_handshakes_last_packet_comes_after_connected(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    client = ByHand(server)
    with closing(client.sock):
        await asyncio.to_thread(client.handshake, b"early")
        stream = await server.stream()
        await until(lambda: stream.received == b"early")


@in_loop
async def test_a_stream_that_ends_when_it_is_connected_receives_nothing(contexts: TlsContexts) -> None:
    class Full(Stream):
        def connected(self, connection: Connection) -> None:
            super().connected(connection)
            connection.close("<resource-constraint/>")

    server = await Server.start(stream=Full, contexts=contexts)
    client = ByHand(server)
    with closing(client.sock):
        await asyncio.to_thread(client.handshake, b"early")
        stream = await server.stream()
        await asyncio.to_thread(lambda: list(iter(lambda: client.sock.recv(65536), b"")))
    await until(lambda: len(stream.events) > 1)
    assert stream.events == ["connected", "lost: closed"]
    assert stream.received == b""


@in_loop
async def test_what_arrived_intact_before_a_forged_record_is_received(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    client = ByHand(server)
    with closing(client.sock):
        await asyncio.to_thread(client.handshake)
        client.sock.sendall(client.sealed(b"last words") + b"\x17\x03\x03\x00\x20" + bytes(32))
        stream = await server.stream()
        await until(lambda: len(stream.events) > 1)
    assert stream.received == b"last words"
    assert "bad record mac" in stream.events[1]


@in_loop
async def test_what_is_written_during_the_handshake_waits_for_its_end(contexts: TlsContexts) -> None:
    server = await Server.start(stream=lambda: Stream(contexts))
    peer = await Peer.connect(server)
    peer.say("<starttls/>")
    await peer.hear("<proceed/>")
    (await server.stream()).connection.write("secret")
    await asyncio.sleep(0.01)
    assert peer.received == b""
    await peer.start_tls()
    await peer.hear("secret")
    peer.close()


@pytest.mark.parametrize("direct", [False, True])
@in_loop
async def test_the_handshakes_deadline_ends_with_it(contexts: TlsContexts, direct: bool) -> None:
    limits = ConnectionLimits(handshake_timeout=0.05)
    server = await Server.start(limits, lambda: Stream(contexts), contexts if direct else None)
    peer = await Peer.connect(server, client_context() if direct else None)
    if not direct:
        peer.say("<starttls/>")
        await peer.hear("<proceed/>")
        await peer.start_tls()
    await asyncio.sleep(0.1)
    peer.say("still here")
    await peer.hear("still here")
    peer.close()


# How connections end


async def reset(server: Server, stream: Stream, peer: Peer) -> None:
    sock = peer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def leave(server: Server, stream: Stream, peer: Peer) -> None:
    peer.transport.close()


async def ask_to_close(server: Server, stream: Stream, peer: Peer) -> None:
    peer.say("<close/>")
    await peer.hear("<error/></stream>")
    peer.transport.close()


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
    peer.say("hello")
    await peer.hear("hello")
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
        peer.say("hello")
        stream = await server.stream()
        await until(lambda: len(stream.events) > 1)
        peer.close()
        return stream

    with new_runner() as (runner, complaints):
        stream = runner.run(provoke())
    assert stream.events == ["connected", "lost: internal error (ValueError)"]
    assert [type(complaint["exception"]) for complaint in complaints] == [ValueError]


def test_what_cannot_be_encoded_ends_the_stream_rather_than_leave_a_gap() -> None:
    async def provoke() -> tuple[Stream, bytes]:
        server = await Server.start()
        peer = await Peer.connect(server)
        stream = await server.stream()
        stream.connection.write("one")
        stream.connection.write("\ud800")
        return stream, await peer.end()

    with new_runner() as (runner, complaints):
        stream, heard = runner.run(provoke())
    assert (stream.events, heard) == (["connected", "lost: internal error"], b"")
    assert [type(complaint["exception"]) for complaint in complaints] == [UnicodeEncodeError]


@pytest.mark.parametrize("secure", [False, True])
@in_loop
async def test_rfc6120_4_4_an_error_is_readable_by_a_peer_that_is_still_sending(
    contexts: TlsContexts, secure: bool
) -> None:
    server = await Server.start(contexts=contexts if secure else None, limits=ConnectionLimits(linger=2))
    peer = await Peer.connect(server, client_context() if secure else None)
    peer.transport.write(b"<close/>" + b"x" * 4_000_000)
    assert await peer.end() == b"<error/></stream>"
    peer.close()
    await until(lambda: server.streams[0].events == ["connected", "lost: closed"])


@in_loop
async def test_lingering_ends() -> None:
    server = await Server.start(limits=ConnectionLimits(linger=0.1))
    with closing(plain_socket(server)) as sock:
        started = time.monotonic()
        sock.send(b"<close/>")  # and then nothing, not even an end
        stream = await server.stream()
        await until(lambda: len(stream.events) > 1)
        assert 0.09 < time.monotonic() - started < 1
        assert sock.recv(100) == b"<error/></stream>"


@in_loop
async def test_a_half_closed_peer_gets_its_answers() -> None:
    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), 3) as sock:
            sock.sendall(b"x" * 200_000)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    server = await Server.start()
    assert await asyncio.to_thread(talk) == b"x" * 200_000
    assert server.streams[0].events == ["connected", "lost: closed by the peer"]


@in_loop
async def test_rfc8446_6_1_a_close_notify_is_followed(contexts: TlsContexts) -> None:
    def talk() -> None:
        with socket.create_connection(("127.0.0.1", server.port), 3) as raw:
            sock = client_context().wrap_socket(raw)
            sock.sendall(b"bye")
            sock.recv(3)
            assert sock.unwrap().recv(1) == b""  # returns when ours has come

    server = await Server.start(contexts=contexts)
    await asyncio.to_thread(talk)
    assert server.streams[0].events == ["connected", "lost: closed by the peer"]


# Limits


@pytest.mark.parametrize("secure", [False, True])
@in_loop
async def test_a_slow_reader_costs_only_itself(contexts: TlsContexts, secure: bool) -> None:
    def connect() -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", server.port))
        return client_context().wrap_socket(raw) if secure else raw

    limits = ConnectionLimits(pending_bytes=300_000)
    server = await Server.start(limits, contexts=contexts if secure else None)
    peer = await Peer.connect(server, client_context() if secure else None)
    with closing(await asyncio.to_thread(connect)):  # and never reads
        await until(lambda: len(server.streams) == 2)
        slow = server.streams[1]
        while len(slow.events) == 1:
            slow.connection.write("x" * 100_000)
            peer.say("hello")
            await peer.hear("hello")
    assert slow.events == ["connected", "lost: slow reader"]
    assert slow.connection.bytes_sent < 20_000_000  # what the system holds, and a little more
    assert server.streams[0].events == ["connected"]
    peer.close()


@in_loop
async def test_a_slow_reader_may_be_found_out_at_the_end() -> None:
    server = await Server.start(ConnectionLimits(pending_bytes=300_000))
    with closing(plain_socket(server)):
        stream = await server.stream()
        stream.connection.write("x" * 20_000_000)
        stream.connection.close("</stream>")
        await until(lambda: len(stream.events) > 1)
    assert stream.events == ["connected", "lost: slow reader"]


@in_loop
async def test_rfc6120_13_12_a_fast_sender_is_slowed_down_and_loses_nothing() -> None:
    limits = ConnectionLimits(bytes_per_second=200_000, byte_burst=20_000)
    server = await Server.start(limits, stream=lambda: Stream(echo=False))
    peer = await Peer.connect(server)
    stream = await server.stream()
    started = time.monotonic()
    peer.say("x" * 60_000)
    await until(lambda: len(stream.received) == 60_000)
    peer.say("y" * 1000)
    await until(lambda: len(stream.received) == 61_000)
    assert 0.19 < time.monotonic() - started < 0.5
    assert stream.received == b"x" * 60_000 + b"y" * 1000
    peer.close()


@in_loop
async def test_each_reason_to_pause_counts_for_itself() -> None:
    server = await Server.start()
    peer = await Peer.connect(server)
    stream = await server.stream()
    stream.connection.pause()
    stream.connection.pause()
    stream.connection.pause(Pause.RATE)
    peer.say("hello")
    for reason in (Pause.PARKED, Pause.PARKED):
        stream.connection.resume(reason)
        await asyncio.sleep(0.01)
        assert stream.received == b""
    stream.connection.resume(Pause.RATE)
    await peer.hear("hello")
    peer.close()


@in_loop
async def test_a_parked_connection_can_still_be_closed_readably() -> None:
    server = await Server.start(ConnectionLimits(linger=30))
    peer = await Peer.connect(server)
    stream = await server.stream()
    stream.connection.pause()
    peer.say("x" * 1_000_000)
    await asyncio.sleep(0.01)
    stream.connection.close("</stream>")
    assert await peer.end() == b"</stream>"
    await until(lambda: stream.events == ["connected", "lost: closed"])  # as soon as all is read


# What it costs


@in_loop
async def test_rfc8446_5_1_what_is_written_in_one_turn_is_one_record(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    peer = await Peer.connect(server, client_context())
    connection = (await server.stream()).connection
    sent = connection.bytes_sent
    for text in ("a", "b", "c"):
        connection.write(text)
    await peer.hear("abc")
    assert connection.bytes_sent - sent == len("abc") + 22
    assert connection.address == peer.transport.get_extra_info("sockname")
    assert connection.bytes_received > 0
    peer.say("later")
    await peer.hear("later")
    assert connection.last_received > connection.connected_at
    peer.close()


@in_loop
async def test_a_message_costs_few_calls(contexts: TlsContexts) -> None:
    """Every call that `connection.py` and `tls.py` make or get for one message there and one back."""
    server = await Server.start(contexts=contexts)
    peer = await Peer.connect(server, client_context())
    peer.say("hello")
    await peer.hear("hello")
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event in ("call", "c_call") and frame.f_code.co_filename.endswith(
            ("net/connection.py", "net/tls.py")
        ):
            calls += 1

    sys.setprofile(count)
    try:
        peer.say("hello")
        await peer.hear("hello")
    finally:
        sys.setprofile(None)
    assert calls <= 26
    peer.close()


async def come_and_go(server: Server, count: int) -> None:
    async def visit() -> None:
        peer = await Peer.connect(server, client_context())
        peer.say("hello")
        await peer.hear("hello")
        peer.close()

    for _ in range(0, count, 50):
        await asyncio.gather(*[visit() for _ in range(50)])
    await until(lambda: all(len(stream.events) == 2 for stream in server.streams))
    server.streams.clear()
    server.connections.clear()
    await asyncio.sleep(0.01)  # the loop has still to forget them
    gc.collect()


@in_loop
async def test_a_thousand_connections_leave_nothing_behind(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    await come_and_go(server, 100)
    tracemalloc.start()
    try:
        await come_and_go(server, 50)
        before = tracemalloc.get_traced_memory()[0]
        await come_and_go(server, 1000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000  # bytes
    finally:
        tracemalloc.stop()
    assert not [one for one in gc.get_objects() if isinstance(one, Connection | Stream | TlsEngine)]
