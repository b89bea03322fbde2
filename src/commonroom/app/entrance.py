"""Where clients come in: the listeners, and what they grant, which can change while they are open."""

import asyncio
import logging
from collections.abc import Callable

from commonroom.config import ListenAddress, Settings
from commonroom.net.c2s import ClientConnection, ClientLimits, ClientService
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.listener import Admission, Listener, Share
from commonroom.protocol.errors import StreamCondition, StreamError

log = logging.getLogger(__name__)

# The longest that a TLS handshake may take, in seconds; the login's deadline counts as well.
HANDSHAKE_TIMEOUT = 30.0
SHUTDOWN = StreamError(StreamCondition.SYSTEM_SHUTDOWN)
# When clients are sent away one after the other: so many steps a second.
STEPS_PER_SECOND = 5


class Entrance:
    """`addresses` lists where clients can connect, by kind (`starttls`, `direct tls`, `plain`)."""

    def __init__(self, clients: ClientService, settings: Settings) -> None:
        self.clients = clients
        self.gate = Admission(_share(settings))
        self.addresses: list[tuple[str, ListenAddress]] = []
        self._settings = settings
        self._listeners: list[Listener] = []
        self.change(settings)

    @property
    def is_open(self) -> bool:
        """Whether anybody new is let in."""
        return bool(self._listeners)

    def change(self, settings: Settings) -> None:
        """Grant this from now on to those who come, and as far as possible to those who are here."""
        self._settings = settings
        self._limits = connection_limits(settings)
        self.clients.limits = client_limits(settings)
        self.gate.change(_share(settings))

    async def open(self) -> None:
        """Let clients in; raises ListenError, and then some doors may be open."""
        c2s = self._settings.c2s
        await self._accept("starttls", c2s.listen, self._starttls)
        await self._accept("direct tls", c2s.listen_direct_tls, self._direct)
        await self._accept("plain", c2s.listen_plain, self._plain)

    def shut(self) -> None:
        """Let nobody new in; those who are here stay."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()

    async def empty(self) -> None:
        """Everybody goes: each client hears why (RFC 6120 §4.9.3.20), and has `linger` seconds to read it."""
        for connection in tuple(self.clients.connected):
            connection.fail(SHUTDOWN)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.c2s.linger + 0.5
        while self.clients.connected and loop.time() < end:  # noqa: ASYNC110 - a set has no event
            await asyncio.sleep(0.02)

    async def empty_slowly(self, seconds: float) -> None:
        """Everybody goes, evenly spread over so many seconds, so that the next service is not overrun."""
        steps = max(1, round(seconds * STEPS_PER_SECOND))
        for left in range(steps, 0, -1):
            here = tuple(self.clients.connected)
            for connection in here[: -(-len(here) // left)]:
                connection.fail(SHUTDOWN)
            if left > 1:
                await asyncio.sleep(1 / STEPS_PER_SECOND)

    def _starttls(self) -> Connection:
        return Connection(lambda: ClientConnection(self.clients, True), self._limits, self.gate, waits=True)

    def _direct(self) -> Connection:
        return Connection(self._secured, self._limits, self.gate, self.clients.tls.engine, waits=True)

    def _plain(self) -> Connection:
        return Connection(self._secured, self._limits, self.gate, waits=True)

    def _secured(self) -> ClientConnection:
        return ClientConnection(self.clients, False)

    async def _accept(
        self, kind: str, addresses: tuple[ListenAddress, ...], accept: Callable[[], Connection]
    ) -> None:
        for address in addresses:
            listener = Listener(address, accept, encrypted=kind != "plain")
            await listener.start()
            self._listeners.append(listener)
            self.addresses.append((kind, listener.address))


def _share(settings: Settings) -> Share:
    c2s = settings.c2s
    return Share(
        c2s.connections, c2s.connections_per_address, c2s.new_connections_per_second, c2s.new_connection_burst
    )


def connection_limits(settings: Settings) -> ConnectionLimits:
    """What one connection may use."""
    c2s = settings.c2s
    return ConnectionLimits(
        linger=c2s.linger,
        handshake_timeout=min(HANDSHAKE_TIMEOUT, c2s.login_timeout),
        bytes_per_second=c2s.bytes_per_second,
        byte_burst=c2s.byte_burst,
        pending_bytes=c2s.pending_bytes,
    )


def client_limits(settings: Settings) -> ClientLimits:
    """What one client may do."""
    c2s = settings.c2s
    return ClientLimits(
        c2s.login_timeout,
        c2s.idle_ping_after,
        c2s.idle_ping_timeout,
        c2s.stanzas_per_second,
        c2s.stanza_burst,
    )
