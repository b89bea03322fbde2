"""To another server is written at most so often while there is more and more to write."""

import asyncio
from dataclasses import replace

import pytest

from commonroom.net.limits import LARGE_PORTION, PORTION
from commonroom.net.tls import TlsContexts

from .loopback import QUICK, Peer, Server, Stream, client_context, in_loop, until

BEAT = 0.2
PACED = replace(QUICK, beat=BEAT)
SOON = BEAT / 4


@in_loop
async def test_what_comes_alone_goes_out_at_once() -> None:
    server = await Server.start(limits=PACED)
    peer = await Peer.connect(server)
    stream = await server.stream()
    stream.connection.write("one")
    await asyncio.wait_for(peer.hear("one"), SOON)
    peer.close()


@in_loop
async def test_what_follows_goes_out_together_a_beat_later() -> None:
    server = await Server.start(limits=PACED)
    peer = await Peer.connect(server)
    stream = await server.stream()
    for word in ("one", "two", "three"):
        stream.connection.write(word)
        await asyncio.sleep(SOON / 4)
    assert stream.connection.bytes_sent == len("one")
    await peer.hear("onetwothree")
    stream.connection.write("four")
    await asyncio.sleep(SOON)
    assert stream.connection.bytes_sent == len("onetwothree")
    await peer.hear("four")
    peer.close()


@in_loop
async def test_the_end_does_not_wait() -> None:
    server = await Server.start(limits=PACED)
    peer = await Peer.connect(server)
    stream = await server.stream()
    stream.connection.write("one")
    await asyncio.sleep(SOON / 4)
    stream.connection.write("two")
    stream.connection.close("three")
    assert await asyncio.wait_for(peer.end(), SOON) == b"onetwothree"
    peer.close()
    await until(lambda: stream.events == ["connected", "lost: closed"])


@in_loop
async def test_what_waits_for_its_beat_when_the_connection_is_cut_is_lost() -> None:
    server = await Server.start(limits=PACED)
    peer = await Peer.connect(server)
    stream = await server.stream()
    stream.connection.write("one")
    await peer.hear("one")
    stream.connection.write("two")
    stream.connection.abort()
    await asyncio.sleep(BEAT + SOON)
    assert stream.events == ["connected", "lost: aborted"]
    peer.close()


class Counting(Stream):
    reads = 0

    def receive(self, data: bytes) -> None:
        self.reads += 1
        super().receive(data)


@pytest.mark.parametrize(("portion", "reads"), [(PORTION, 4), (LARGE_PORTION, 1)])
@in_loop
async def test_a_server_is_read_by_the_record(contexts: TlsContexts, portion: int, reads: int) -> None:
    limits = replace(QUICK, portion=portion)
    server = await Server.start(limits=limits, contexts=contexts, stream=Counting)
    peer = await Peer.connect(server, client_context())
    stream = await server.stream()
    peer.say("x" * LARGE_PORTION)
    await until(lambda: len(stream.received) == LARGE_PORTION)
    assert isinstance(stream, Counting)
    assert stream.reads == reads
    peer.close()
