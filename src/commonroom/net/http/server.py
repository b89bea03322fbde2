"""A server for HTTP/1.1: h11 does the framing, this the sockets, the clock and the bounds."""

import asyncio
import logging
import os
import socket
import stat
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import h11

from commonroom.config import ListenAddress
from commonroom.net.http.exchange import Handler, HttpLimits, Peer, Request, Response
from commonroom.net.listener import ADVICE, ListenError

log = logging.getLogger(__name__)

PORTION = 64 * 1024
BACKLOG = 64
LINGER = 1.0  # seconds
CREDENTIALS = struct.Struct("3i")
FAULTS = (OSError, TimeoutError, h11.RemoteProtocolError, h11.LocalProtocolError)
# From 3.13 on, Python looks for a socket where it was bound, to remove it one day: the folder's number in
# that path is another file's by then.
OURS_TO_REMOVE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class HttpServer:
    """Answers requests by one handler, on any number of sockets; a task for each connection."""

    def __init__(self, handle: Handler, limits: HttpLimits) -> None:
        self._handle = handle
        self._limits = limits
        self._servers: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, address: ListenAddress) -> None:
        """Raises ListenError."""
        try:
            server = await asyncio.start_server(self._arrived, address.host, address.port, backlog=BACKLOG)
        except OSError as error:
            advice = ADVICE.get(error.errno or 0, os.strerror(error.errno or 0))
            raise ListenError(f"{address}: {advice}") from None
        self._servers.append(server)

    async def listen_unix(self, path: Path, mode: int, group: int | None = None) -> None:
        """On a socket in a folder of ours; what is there from a process that died goes. Raises ListenError.

        The address is short, however deep the folder lies: the system takes no more than 107 bytes.
        """
        try:
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            try:
                sock = _bound(f"/proc/self/fd/{folder}/{path.name}", path, mode, group)
            finally:
                os.close(folder)
            self._paths.append(path)
            server = await asyncio.start_unix_server(
                self._arrived, sock=sock, backlog=BACKLOG, **OURS_TO_REMOVE
            )
            self._servers.append(server)
        except OSError as error:
            raise ListenError(
                f"{path}: {os.strerror(error.errno or 0)}; give the folder to the service's user"
            ) from None

    async def close(self) -> None:
        """Take nobody new, and let those go who are here."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for path in self._paths:
            path.unlink(missing_ok=True)

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= self._limits.connections:
            await _let_go(writer)
            return
        self._tasks.add(task)
        try:
            await _Conversation(reader, writer, self._handle, self._limits).run()
        except FAULTS as error:
            log.debug("an HTTP connection ended", extra={"reason": str(error) or type(error).__name__})
        except asyncio.CancelledError:
            pass  # by `close`; asyncio would log it
        finally:
            await _let_go(writer)
            self._tasks.discard(task)


class _Conversation:
    """One connection: requests one after the other, each within its bounds."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler, limits: HttpLimits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._limits = limits
        self._peer = _peer(writer)
        self._framing = h11.Connection(h11.SERVER, limits.header_bytes)

    async def run(self) -> None:
        for _ in range(self._limits.requests):
            try:
                request = await self._request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint, "this is not HTTP/1.1")
                return
            except TimeoutError:
                if self._framing.their_state is not h11.IDLE or self._framing.trailing_data[0]:
                    await self._refuse(408, "this took too long")
                return
            if request is None:
                return
            if isinstance(request, Response):
                await self._refuse(request.status, request.body.decode())
                return
            await self._answer(await self._handle(request))
            if self._framing.our_state is not h11.DONE or self._framing.their_state is not h11.DONE:
                return
            self._framing.start_next_cycle()

    async def _request(self) -> Request | Response | None:
        """The next request; a response if it is refused, None if nothing more comes."""
        if not await self._begun():
            return None
        async with asyncio.timeout(self._limits.patience):
            event = await self._event()
            if not isinstance(event, h11.Request):
                return None
            body = await self._body()
            return Response(413, b"this is too large") if body is None else self._made(event, body)

    async def _begun(self) -> bool:
        """Wait for the first bytes: between two requests a connection may idle longer than inside of one."""
        if not self._framing.trailing_data[0]:
            async with asyncio.timeout(self._limits.idle):
                data = await self._reader.read(PORTION)
            if not data:
                return False
            self._framing.receive_data(data)
        return True

    async def _event(self) -> object:
        while (event := self._framing.next_event()) is h11.NEED_DATA:
            if self._framing.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._framing.receive_data(await self._reader.read(PORTION))
        return event

    async def _body(self) -> bytes | None:
        """None, if it is larger than allowed."""
        parts, size = [], 0
        while isinstance(event := await self._event(), h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > self._limits.body_bytes:
                return None
        return b"".join(parts)

    def _made(self, event: h11.Request, body: bytes) -> Request:
        path, _, query = event.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        return Request(event.method.decode("latin-1"), path, query, headers, body, self._peer)

    async def _answer(self, response: Response) -> None:
        headers = [
            ("content-type", response.content_type),
            ("content-length", str(len(response.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            *response.headers.items(),
        ]
        await self._send(h11.Response(status_code=response.status, headers=headers))
        await self._send(h11.Data(data=response.body))
        await self._send(h11.EndOfMessage())

    async def _refuse(self, status: int, text: str) -> None:
        """Answer what cannot be read, and be done; the peer may still be sending."""
        if self._framing.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._answer(Response(status, f"{text}\n".encode(), headers={"connection": "close"}))
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(PORTION):
                    pass

    async def _send(self, event: h11.Event) -> None:
        data = self._framing.send(event)
        if data:
            self._writer.write(data)
            async with asyncio.timeout(self._limits.patience):
                await self._writer.drain()


async def _let_go(writer: asyncio.StreamWriter) -> None:
    """Close, and do not wait for a peer that reads nothing."""
    writer.close()
    try:
        async with asyncio.timeout(LINGER):
            await writer.wait_closed()
    except OSError:  # a TimeoutError is one
        writer.transport.abort()


def _peer(writer: asyncio.StreamWriter) -> Peer:
    sock: socket.socket = writer.get_extra_info("socket")
    if sock.family == socket.AF_UNIX:
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        return Peer("", *CREDENTIALS.unpack(data))
    if (name := writer.get_extra_info("peername")) is None:
        raise ConnectionResetError("it left before it was greeted")
    return Peer(str(name[0]))


def _bound(short: str, path: Path, mode: int, group: int | None) -> socket.socket:
    """Nobody can connect before the permissions are as they should be: only then does it listen."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(short)
        path.chmod(mode)
        if group is not None:
            os.chown(path, -1, group)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
