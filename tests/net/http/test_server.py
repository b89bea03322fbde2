"""The HTTP server, over real sockets: hostile requests first."""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from commonroom.config import ListenAddress
from commonroom.net.http.exchange import HttpLimits, Request, Response
from commonroom.net.http.server import HttpServer
from commonroom.net.listener import ListenError
from tests.cli.operated import free_ports

QUICK = HttpLimits(header_bytes=2000, body_bytes=1000, patience=0.2, idle=0.3, connections=2)
GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


async def echo(request: Request) -> Response:
    peer = f"uid {request.peer.uid}" if request.peer.is_local else request.peer.address
    return Response(200, f"{request.method} {request.path} {request.query} {peer} ".encode() + request.body)


def talk(folder: Path, conversation: Talk, limits: HttpLimits = QUICK) -> bytes:
    """What a conversation over the socket gives."""

    async def run() -> bytes:
        server = HttpServer(echo, limits)
        await server.listen_unix(folder / "s.socket", 0o600)
        try:
            streams = await asyncio.open_unix_connection(folder / "s.socket")
            try:
                return await conversation(*streams)
            finally:
                streams[1].close()
        finally:
            await server.close()

    return asyncio.run(run())


def sent(folder: Path, *parts: bytes, limits: HttpLimits = QUICK, pause: float = 0.0) -> bytes:
    """All that comes in answer to this."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        return await reader.read()

    return talk(folder, conversation, limits)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"400"),
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 5000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: cow\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"a" * 5000, b"413"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"100\r\n" + b"a" * 256 + b"\r\n" + (b"300\r\n" + b"a" * 768 + b"\r\n") * 2,
            b"413",
        ),
    ],
)  # fmt: skip
def test_what_is_not_http_or_too_large_is_refused(tmp_path: Path, data: bytes, status: bytes) -> None:
    answer = sent(tmp_path, data)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer.lower()


def test_a_request_that_trickles_is_cut_off(tmp_path: Path) -> None:
    answer = sent(tmp_path, *(bytes((byte,)) for byte in GET[:8]), pause=0.05)
    assert answer.startswith(b"HTTP/1.1 408")


def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    assert sent(tmp_path) == b""


def test_more_connections_than_there_may_be_are_closed(tmp_path: Path) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        others = [await asyncio.open_unix_connection(tmp_path / "s.socket") for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await others[1][0].read()
        for _, other in others:
            other.close()
        writer.write(GET)
        return refused + await reader.readuntil(b"\r\n")

    assert talk(tmp_path, conversation).startswith(b"HTTP/1.1 200")


def test_who_left_before_it_was_greeted_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        server = HttpServer(echo, QUICK)
        (port,) = free_ports(1)
        await server.listen(ListenAddress("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        await asyncio.sleep(0.05)
        await server.close()

    uvloop.run(run())
    assert caplog.text == ""


def test_requests_come_one_after_the_other_or_in_one_packet(tmp_path: Path) -> None:
    answer = sent(tmp_path, GET + GET, GET)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"GET /a b=c uid ") == 3


def test_a_client_may_ask_for_the_end(tmp_path: Path) -> None:
    data = b"POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    assert sent(tmp_path, data).endswith(f"POST /p  uid {os.getuid()} hi".encode())


def test_who_waits_to_be_told_to_continue_is_told(tmp_path: Path) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        told = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hi")
        return told + await reader.readuntil(b" hi")

    answer = talk(tmp_path, conversation)
    assert answer.startswith(b"HTTP/1.1 100")
    assert b"HTTP/1.1 200" in answer


def test_the_socket_is_its_owners_alone_and_goes_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "s.socket"

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.05)  # until it is accepted
        return oct(stat.S_IMODE(path.stat().st_mode)).encode()

    assert talk(tmp_path, conversation) == b"0o600"
    assert not path.exists()


def test_a_socket_that_a_dead_process_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)  # beyond what the system takes as an address
    deep.mkdir()

    async def twice() -> None:
        first, second = HttpServer(echo, QUICK), HttpServer(echo, QUICK)
        await first.listen_unix(deep / "s.socket", 0o600)
        await second.listen_unix(deep / "s.socket", 0o600)
        await first.close()
        await second.close()
        (deep / "s.socket").write_text("mine")
        with pytest.raises(ListenError, match=r"s\.socket: "):
            await first.listen_unix(deep / "s.socket", 0o600)

    asyncio.run(twice())
    assert (deep / "s.socket").read_text() == "mine"


def test_an_address_that_is_taken_is_told() -> None:
    async def twice() -> None:
        server = HttpServer(echo, QUICK)
        taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: another program listens there"):
            await server.listen(ListenAddress("127.0.0.1", port))
        taken.close()
        await server.close()

    asyncio.run(twice())
