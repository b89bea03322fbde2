"""TLS on connections: what fails, and what a handshake changes; the peers are `ssl` and openssl s_client."""

import asyncio
import logging
from contextlib import closing

import pytest

from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.tls import TlsContexts
from tests.net.loopback import (
    ByHand,
    Peer,
    Server,
    Stream,
    client_context,
    in_loop,
    plain_socket,
    until,
)

UNEXPECTED_MESSAGE = b"\x15\x03\x03\x00\x02\x02\x0a"  # an alert


# What fails


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
    caplog.clear()
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
    caplog.clear()
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


@in_loop
async def test_data_in_the_handshakes_last_packet_comes_after_connected(contexts: TlsContexts) -> None:
    server = await Server.start(contexts=contexts)
    client = ByHand(server)
    with closing(client.sock):
        await asyncio.to_thread(client.handshake, b"early")
        stream = await server.stream()
        await until(lambda: stream.received == b"early")


@in_loop
async def test_data_in_the_handshakes_last_packet_takes_no_turn_of_its_own(contexts: TlsContexts) -> None:
    class Early(Stream):
        def connected(self, connection: Connection) -> None:
            super().connected(connection)
            asyncio.get_running_loop().call_soon(self.events.append, "the next turn")

        def receive(self, data: bytes) -> None:
            self.events.append("received")

    server = await Server.start(stream=Early, contexts=contexts)
    client = ByHand(server)
    with closing(client.sock):
        await asyncio.to_thread(client.handshake, b"early")
        stream = await server.stream()
        await until(lambda: len(stream.events) > 2)
    assert stream.events[:3] == ["connected", "received", "the next turn"]


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
