"""A running service: what is opened when it starts, and closed, in the reverse order, when it stops."""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial

from commonroom.accounts.stored import StoredAccounts
from commonroom.accounts.throttle import Throttle
from commonroom.admin.archive import keep_rules
from commonroom.admin.lock import StateLock
from commonroom.admin.places import database_url, key_pairs
from commonroom.app.components import build_components, component_limits
from commonroom.app.composition import Core, build_core, stream_settings
from commonroom.app.federation import Federation, build_federation, inside
from commonroom.app.rooms import tidying
from commonroom.app.tasks import Tasks
from commonroom.app.upkeep import look_after_archives, look_after_rooms
from commonroom.config import ListenAddress, Settings
from commonroom.core.surroundings import Surroundings, system_microseconds
from commonroom.federation.overview import Overview
from commonroom.net.c2s import ClientConnection, ClientLimits, ClientService
from commonroom.net.component import ComponentConnection, ComponentService
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.listener import Admission, Listener
from commonroom.net.s2s import IncomingConnection
from commonroom.net.tls import TlsContexts
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.storage.database import Database, open_database
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import AccountStore, Stores
from commonroom.storage.records import AccountState
from commonroom.storage.retention import Retention
from commonroom.storage.stores import sql_stores

log = logging.getLogger(__name__)

# Threads that check PLAIN passwords: milliseconds of CPU each, and hashing lets the loop run meanwhile.
PASSWORD_THREADS = max(1, (os.cpu_count() or 1) - 1)
# How often the service looks whether another process (the command line) changed accounts, in seconds.
WATCH_EVERY = 2.0
# The longest that a TLS handshake may take, in seconds; the login's deadline counts as well.
HANDSHAKE_TIMEOUT = 30.0
# How long a stop waits for what is under way, in seconds.
PATIENCE = 10.0


class Service:
    """Start it, let it run, stop it: nothing that was accepted is lost by a stop.

    `addresses` lists where clients can connect, by kind (`starttls`, `direct tls`, `plain`), once started.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks = Tasks()
        self._open = AsyncExitStack()
        self.addresses: list[tuple[str, ListenAddress]] = []
        self.peers: Overview | None = None  # other servers, if there is any exchange with them

    async def start(self) -> None:
        """Raises StateError, CannotOpen, CertificateError or ListenError; then nothing is left open."""
        async with AsyncExitStack() as opening:
            await self._start(opening)
            self._open = opening.pop_all()

    async def _start(self, opening: AsyncExitStack) -> None:
        settings = self._settings
        tls = TlsContexts(key_pairs(settings), settings.tls.minimum_version)
        opening.enter_context(StateLock(settings.state))
        database = await self._open_database(opening)
        stores = sql_stores(database)
        last_id = max(await stores.archive.last_id(), await stores.offline.last_id())
        core = build_core(settings, stores, self._surroundings(), last_id)
        threads = opening.enter_context(ThreadPoolExecutor(PASSWORD_THREADS, "password"))
        clients = await self._client_service(core, stores, tls, threads)
        opening.push_async_callback(self._tasks.finish, PATIENCE)
        await self._federate(opening, core, stores)
        await self._admit_components(opening, core)
        opening.push_async_callback(self._disconnect, core, clients)
        watch = self._tasks.start(
            self._watch_accounts(core, stores.accounts, await stores.accounts.revision())
        )
        opening.callback(watch.cancel)
        retention = Retention(stores.upkeep, keep_rules(settings), system_microseconds)
        opening.callback(self._tasks.start(look_after_archives(retention)).cancel)
        rooms = tidying(settings, stores, self._surroundings(), core.rooms)
        opening.callback(self._tasks.start(look_after_rooms(rooms)).cancel)
        await self._listen(opening, clients)

    async def stop(self) -> None:
        """Accept nobody, end every stream with system-shutdown (RFC 6120 §4.9.3.20), write everything."""
        await self._open.aclose()

    async def _open_database(self, opening: AsyncExitStack) -> Database:
        settings = self._settings
        loop = asyncio.get_running_loop()
        database = open_database(database_url(settings), settings.state, loop, settings.database.commit_delay)
        opening.push_async_callback(database.close)
        return database

    def _surroundings(self) -> Surroundings:
        loop = asyncio.get_running_loop()
        return Surroundings(
            start=self._tasks.start,
            later=loop.call_later,
            now=lambda: datetime.now().astimezone(),
            random=secrets.token_bytes,
        )

    async def _client_service(
        self, core: Core, stores: Stores, tls: TlsContexts, threads: ThreadPoolExecutor
    ) -> ClientService:
        settings, c2s, sasl = self._settings, self._settings.c2s, self._settings.sasl
        loop = asyncio.get_running_loop()
        fake_secret = await stores.secrets.get_or_create("unknown accounts", partial(secrets.token_bytes, 32))
        off_loop = partial(loop.run_in_executor, threads)
        return ClientService(
            stream_settings=stream_settings(settings, core, fake_secret, secrets.token_bytes),
            limits=ClientLimits(
                c2s.login_timeout,
                c2s.idle_ping_after,
                c2s.idle_ping_timeout,
                c2s.stanzas_per_second,
                c2s.stanza_burst,
            ),
            tls=tls,
            accounts=StoredAccounts(
                core.users.account, stores.accounts, stores.writes, off_loop, fake_secret, sasl.iterations
            ),
            devices=core.devices,
            throttle=Throttle(sasl.delay_first, sasl.delay_longest, time.monotonic),
            sessions=core.sessions,
            bind2=core.bind2,
            resumption=core.resumption,
            questions=core.questions,
            start=self._tasks.start,
            sleep=asyncio.sleep,
            later=loop.call_later,
            clock=loop.time,
        )

    async def _federate(self, opening: AsyncExitStack, core: Core, stores: Stores) -> None:
        """Talk with other servers, if that is wanted."""
        wanted = self._settings.federation
        if not wanted.enabled:
            return
        secret = await stores.secrets.get_or_create("dialback", partial(secrets.token_bytes, 32))
        federation = build_federation(self._settings, inside(core, self._tasks.start), secret)
        core.router.elsewhere = federation.destination
        self.peers = federation.overview
        opening.push_async_callback(self._leave, federation)
        limits = federation.peers.limits.connection
        gate = Admission(wanted.connections, wanted.connections_per_address)
        upgrading = partial(IncomingConnection, federation.peers, False)
        secured = partial(IncomingConnection, federation.peers, True)
        starttls = partial(Connection, upgrading, limits, gate)
        direct = partial(Connection, secured, limits, gate, federation.peers.tls.engine)
        for addresses, accept in ((wanted.listen, starttls), (wanted.listen_direct_tls, direct)):
            for address in addresses:
                await self._listen_on(opening, Listener(address, accept))

    async def _admit_components(self, opening: AsyncExitStack, core: Core) -> None:
        wanted = self._settings.components
        if not wanted.domains:
            return
        components = build_components(self._settings, core, self._tasks.start)
        opening.push_async_callback(self._dismiss, components)
        accept = partial(
            Connection, partial(ComponentConnection, components), component_limits(self._settings)
        )
        for address in wanted.listen:
            await self._listen_on(opening, Listener(address, accept, encrypted=False))

    async def _dismiss(self, components: ComponentService) -> None:
        for connection in tuple(components.connected):
            connection.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
        await self._gone(lambda: not components.connected)

    async def _leave(self, federation: Federation) -> None:
        """Every server hears why, and has as long as clients to read it."""
        federation.end()
        await self._gone(lambda: federation.is_quiet)

    async def _gone(self, is_quiet: Callable[[], bool]) -> None:
        end = time.monotonic() + self._settings.c2s.linger + 0.5
        while not is_quiet() and time.monotonic() < end:  # noqa: ASYNC110 - a set has no event
            await asyncio.sleep(0.02)

    async def _listen(self, opening: AsyncExitStack, clients: ClientService) -> None:
        c2s = self._settings.c2s
        limits = ConnectionLimits(
            linger=c2s.linger,
            handshake_timeout=min(HANDSHAKE_TIMEOUT, c2s.login_timeout),
            bytes_per_second=c2s.bytes_per_second,
            byte_burst=c2s.byte_burst,
            pending_bytes=c2s.pending_bytes,
        )
        gate = Admission(c2s.connections, c2s.connections_per_address)
        upgrading = partial(ClientConnection, clients, True)
        secured = partial(ClientConnection, clients, False)
        starttls = partial(Connection, upgrading, limits, gate)
        direct = partial(Connection, secured, limits, gate, clients.tls.engine)
        plain = partial(Connection, secured, limits, gate)
        await self._accept(opening, "starttls", c2s.listen, starttls)
        await self._accept(opening, "direct tls", c2s.listen_direct_tls, direct)
        await self._accept(opening, "plain", c2s.listen_plain, plain)

    async def _accept(
        self,
        opening: AsyncExitStack,
        kind: str,
        addresses: tuple[ListenAddress, ...],
        accept: Callable[[], Connection],
    ) -> None:
        for address in addresses:
            listener = Listener(address, accept, encrypted=kind != "plain")
            await self._listen_on(opening, listener)
            self.addresses.append((kind, listener.address))

    async def _listen_on(self, opening: AsyncExitStack, listener: Listener) -> None:
        await listener.start()
        opening.callback(listener.stop)

    async def _disconnect(self, core: Core, clients: ClientService) -> None:
        """Every client hears why, and has `linger` seconds to read it; first of all from its rooms."""
        for rooms in core.rooms:
            rooms.shut_down()
        shutdown = StreamError(StreamCondition.SYSTEM_SHUTDOWN)
        for connection in tuple(clients.connected):
            connection.fail(shutdown)
        await self._gone(lambda: not clients.connected)

    async def _watch_accounts(self, core: Core, accounts: AccountStore, revision: int) -> None:
        """End the sessions of accounts that another process removed, disabled or gave another password."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            try:
                changes = await accounts.changed_since(revision)
            except StorageError:
                continue  # the database is out of reach: the writer tells, and it will be back
            for change in changes:
                revision = change.revision
                core.users.outdate(change.jid, revision, _ended(change.state))


def _ended(state: AccountState) -> StreamError:
    """Clients take not-authorized as a hint to ask for the password again (RFC 6120 §4.9.3.12)."""
    words = {
        AccountState.ACTIVE: "the account was changed; please log in again",
        AccountState.DISABLED: "the account is disabled",
        AccountState.REMOVED: "the account was removed",
    }
    return StreamError(StreamCondition.NOT_AUTHORIZED, words[state])
