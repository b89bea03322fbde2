"""How connections end, what they may use, and what they cost; on real loopback sockets."""

import asyncio
import gc
import socket
import struct
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import closing
from types import FrameType

import pytest

from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits, Pause
from commonroom.net.tls import TlsContexts, TlsEngine
from tests.net.loopback import (
    Peer,
    Server,
    Stream,
    client_context,
    in_loop,
    new_runner,
    plain_socket,
    until,
)

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
        assert 0.09 < time.monotonic() - started < 5
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
    assert 0.19 < time.monotonic() - started < 5
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


@pytest.mark.parametrize("paused", [False, True])
@in_loop
async def test_a_reset_is_found_behind_what_was_not_read(paused: bool) -> None:
    server = await Server.start(stream=lambda: Stream(echo=False))
    sock = plain_socket(server)
    stream = await server.stream()
    if paused:
        stream.connection.pause()
    sock.send(b"x" * 20_000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    await until(lambda: len(stream.events) > 1)
    assert stream.events == ["connected", "lost: connection reset by peer"]


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
            ("net/connection.py", "net/channel.py", "net/sockets.py", "net/tls.py")
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
    gc.collect()
    others = {id(one) for one in _connections()}  # that other tests may have left
    server = await Server.start(ConnectionLimits(linger=0.2), contexts=contexts)
    await come_and_go(server, 100)
    tracemalloc.start()
    try:
        await come_and_go(server, 50)
        before = tracemalloc.get_traced_memory()[0]
        await come_and_go(server, 1000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000  # bytes
    finally:
        tracemalloc.stop()
    assert {id(one) for one in _connections()} <= others


def _connections() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, Connection | Stream | TlsEngine)]
