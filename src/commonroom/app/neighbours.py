"""Who else connects: other servers, and the components of this one."""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self

from commonroom.app.components import build_components, component_limits
from commonroom.app.composition import Core
from commonroom.app.federation import Federation, build_federation, inside, use_certificates
from commonroom.app.keeping import build_keeping
from commonroom.config import Settings
from commonroom.federation.overview import Overview
from commonroom.net.component import ComponentConnection, ComponentService
from commonroom.net.connection import Connection
from commonroom.net.listener import Admission, Listener, Share
from commonroom.net.s2s import IncomingConnection
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.storage.interfaces import Stores

Start = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]


class Neighbours:
    """Opens the ways for them, as far as the settings want any. When it closes, all of them hear why, and
    have as long as clients to read it."""

    def __init__(self, settings: Settings, core: Core, stores: Stores, start: Start) -> None:
        self._settings = settings
        self._core = core
        self._stores = stores
        self._start = start
        self._federation: Federation | None = None  # if there is any exchange with other servers
        self._components: ComponentService | None = None  # if there are any

    async def open(self, opening: AsyncExitStack) -> Self:
        """Raises CertificateError or ListenError."""
        await self._federate(opening)
        await self._admit_components(opening)
        return self

    async def _federate(self, opening: AsyncExitStack) -> None:
        wanted = self._settings.federation
        if not wanted.enabled:
            return
        secret = await self._stores.secrets.get_or_create("dialback", partial(secrets.token_bytes, 32))
        keeping = build_keeping(self._settings, self._core, self._stores)
        around = inside(self._core, self._stores, keeping, self._start)
        federation = build_federation(self._settings, around, secret)
        federation.outgoing.begin(await keeping.load())
        self._core.router.elsewhere = federation.destination
        self._core.accounts.erasure.reach(federation.outgoing.forget)
        self._federation = federation
        opening.push_async_callback(self._leave, federation)
        limits = federation.peers.limits.connection
        rate, burst = wanted.new_connections_per_second, wanted.new_connection_burst
        gate = Admission(Share(wanted.connections, wanted.connections_per_address, rate, burst))
        upgrading = partial(IncomingConnection, federation.peers, False)
        secured = partial(IncomingConnection, federation.peers, True)
        starttls = partial(Connection, upgrading, limits, gate)
        direct = partial(Connection, secured, limits, gate, lambda: federation.peers.tls.engine())
        for addresses, accept in ((wanted.listen, starttls), (wanted.listen_direct_tls, direct)):
            for address in addresses:
                await _listen(opening, Listener(address, accept))

    @property
    def overview(self) -> Overview | None:
        """Of other servers, if there is any exchange with them."""
        return None if self._federation is None else self._federation.overview

    def components(self) -> dict[str, int]:
        """How many connections each component's domain has."""
        domains = {} if self._components is None else self._components.domains
        return {name: len(domain.connections) for name, domain in domains.items()}

    def use_certificates(self, settings: Settings) -> None:
        """Show these to other servers from now on; raises CertificateError, and then nothing has changed."""
        if self._federation is not None:
            use_certificates(self._federation, settings)

    async def _admit_components(self, opening: AsyncExitStack) -> None:
        wanted = self._settings.components
        if not wanted.domains:
            return
        later = asyncio.get_running_loop().call_later
        components = self._components = build_components(
            self._settings, self._core, self._start, later, secrets.token_bytes
        )
        opening.push_async_callback(self._dismiss, components)
        limits = component_limits(self._settings)
        rate, burst = wanted.new_connections_per_second, wanted.new_connection_burst
        gate = Admission(Share(wanted.connections, wanted.connections, rate, burst))
        accept = partial(Connection, partial(ComponentConnection, components), limits, gate)
        for address in wanted.listen:
            await _listen(opening, Listener(address, accept, encrypted=False))

    async def _dismiss(self, components: ComponentService) -> None:
        for connection in tuple(components.connected):
            connection.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
        await self._gone(lambda: not components.connected, self._settings.c2s.linger)

    async def _leave(self, federation: Federation) -> None:
        federation.outgoing.save()
        await self._gone(lambda: federation.outgoing.is_acknowledged, 0.0)
        federation.end()
        await self._gone(lambda: federation.is_quiet, self._settings.c2s.linger)

    async def _gone(self, is_quiet: Callable[[], bool], longest: float) -> None:
        end = time.monotonic() + longest + 0.5
        while not is_quiet() and time.monotonic() < end:  # noqa: ASYNC110 - a set has no event
            await asyncio.sleep(0.02)


async def _listen(opening: AsyncExitStack, listener: Listener) -> None:
    await listener.start()
    opening.callback(listener.stop)
