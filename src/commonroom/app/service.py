"""A running service: what is opened when it starts, and closed, in the reverse order, when it stops."""

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial

from commonroom.accounts.bounded import Bounded
from commonroom.accounts.chain import Checked
from commonroom.accounts.directory import Directory
from commonroom.accounts.throttle import Throttle
from commonroom.admin.account_files import read_status
from commonroom.admin.archive import keep_rules
from commonroom.admin.lock import StateLock
from commonroom.admin.places import database_url
from commonroom.admin.upgrade import upgrade_at_start
from commonroom.app.account_files import AccountFilesWatch, erase_departed
from commonroom.app.account_parts import chain_accounts, domains_of_files
from commonroom.app.account_watch import AccountWatch
from commonroom.app.administration import Administration, Operated
from commonroom.app.client_tls import client_contexts
from commonroom.app.composition import Core, build_core, stream_settings
from commonroom.app.entrance import Entrance, client_limits
from commonroom.app.measured import Beside, Queues
from commonroom.app.neighbours import Neighbours
from commonroom.app.revocations import RevocationWatch
from commonroom.app.role_files import in_default_thread
from commonroom.app.rooms import tidying
from commonroom.app.tasks import Tasks
from commonroom.app.upkeep import look_after_archives, look_after_rooms
from commonroom.app.witness import Witnessed
from commonroom.config import ListenAddress, Settings
from commonroom.core.surroundings import Surroundings, system_microseconds
from commonroom.net.c2s import ClientService
from commonroom.net.client_certificates import Authorities
from commonroom.net.tls import TlsContexts
from commonroom.protocol.c2s import StreamSettings
from commonroom.storage.database import Database, open_database
from commonroom.storage.errors import OldTables
from commonroom.storage.interfaces import Stores
from commonroom.storage.retention import Retention
from commonroom.storage.stores import sql_stores

log = logging.getLogger(__name__)

# Threads that check PLAIN passwords: milliseconds of CPU each, and hashing lets the loop run meanwhile.
PASSWORD_THREADS = max(1, (os.cpu_count() or 1) - 1)
# How long a stop waits for what is under way, in seconds.
PATIENCE = 10.0


class Service:
    """Start it, let it run, stop it: nothing that was accepted is lost by a stop.

    `addresses` lists where clients can connect, by kind (`starttls`, `direct tls`, `plain`), once started.
    """

    def __init__(
        self,
        settings: Settings,
        reread: Callable[[], Settings] | None = None,
        ended: asyncio.Event | None = None,
    ) -> None:
        """`reread` reads the configuration again, if it came from a file; operators end it by `ended`."""
        self._settings = settings
        self._tasks = Tasks()
        self._open = AsyncExitStack()
        self._reread = reread
        self._ended = ended or asyncio.Event()
        self.addresses: list[tuple[str, ListenAddress]] = []

    async def start(self) -> None:
        """Raises StateError, AdminError, CannotOpen, CertificateError or ListenError; nothing is open then.

        Tables of an older version are brought up to date, after a backup (docs/operations.md, Upgrade).
        """
        async with AsyncExitStack() as opening:
            await self._start(opening)
            self._open = opening.pop_all()

    async def _start(self, opening: AsyncExitStack) -> None:
        settings = self._settings
        directory = Directory(time.time, b"")
        authorities = self._authorities(directory)
        tls = client_contexts(settings)
        opening.enter_context(StateLock(settings.state))
        database = await self._open_database(opening)
        stores = sql_stores(database)
        core, fake_secret = await self._core(opening, stores, directory)
        threads = opening.enter_context(ThreadPoolExecutor(PASSWORD_THREADS, "password", give_way))
        clients = self._client_service(core, stores, tls, threads, fake_secret)
        if authorities is not None:
            clients.certified = authorities.certified
        opening.push_async_callback(self._tasks.finish, PATIENCE)
        if authorities is not None:
            await self._watch_revocations(opening, authorities, clients)
        if settings.accounts.files:
            await self._watch_files(opening, core, stores)
        neighbours = Neighbours(settings, core, stores, self._tasks.start)
        await neighbours.open(opening)
        await self._open_doors(opening, core, stores, clients, database, neighbours)

    async def _core(
        self, opening: AsyncExitStack, stores: Stores, directory: Directory
    ) -> tuple[Core, bytes]:
        kept = (stores.archive, stores.offline, stores.outbound)
        last_id = max([await store.last_id() for store in kept])
        fake_secret = await stores.secrets.get_or_create("unknown accounts", partial(secrets.token_bytes, 32))
        directory.begin(fake_secret, domains_of_files(self._settings))
        opening.callback(directory.close)
        return build_core(self._settings, stores, self._surroundings(), last_id, directory), fake_secret

    async def _open_doors(
        self,
        opening: AsyncExitStack,
        core: Core,
        stores: Stores,
        clients: ClientService,
        database: Database,
        neighbours: Neighbours,
    ) -> None:
        """For clients and operators; and what looks after the service meanwhile."""
        settings = self._settings
        entrance = Entrance(clients, settings)
        self.addresses = entrance.addresses
        opening.push_async_callback(self._disconnect, core, entrance)
        watch = AccountWatch(core.users, stores.accounts, await stores.accounts.revision())
        opening.callback(self._tasks.start(watch.run()).cancel)
        retention = Retention(stores.upkeep, keep_rules(settings), system_microseconds)
        opening.callback(self._tasks.start(look_after_archives(retention)).cancel)
        rooms = tidying(settings, stores, self._surroundings(), core.rooms)
        opening.callback(self._tasks.start(look_after_rooms(rooms)).cancel)
        opening.callback(entrance.shut)
        await entrance.open()
        operated = self._operated(core, stores, database, entrance, watch, retention, neighbours)
        self._administration = Administration(operated)
        await self._administration.open(opening)

    def _operated(
        self,
        core: Core,
        stores: Stores,
        database: Database,
        entrance: Entrance,
        watch: AccountWatch,
        retention: Retention,
        neighbours: Neighbours,
    ) -> Operated:
        clients = entrance.clients
        return Operated(
            self._settings,
            self._reread,
            core,
            stores,
            entrance,
            database.writer,
            watch,
            retention,
            Witnessed(core, clients),
            partial(self._stream_settings, core, clients.stream_settings.fake_secret),
            neighbours.use_certificates,
            self._accounts.use,
            self._tasks.start,
            self._ended.set,
            neighbours.overview,
            self._beside(core, database, neighbours),
        )

    def _beside(self, core: Core, database: Database, neighbours: Neighbours) -> Beside:
        """What Prometheus is told beside the numbers of clients."""
        settings = self._settings
        queues: Queues = {
            "writes": lambda: database.writer.behind,
            "reads": lambda: database.reader.waiting,
            "password checks": lambda: self._passwords.waiting,
        }
        files = partial(read_status, settings) if settings.accounts.files else lambda: None
        return Beside(neighbours.overview, neighbours.components, core.rooms, files, queues)

    def reload(self, begun: Callable[[], None], done: Callable[[], None]) -> None:
        """Have the configuration read again; `done` is called however it goes."""
        begun()
        task = self._tasks.start(self._administration.reload_by_signal())
        task.add_done_callback(lambda _: done())

    async def stop(self) -> None:
        """Accept nobody, end every stream with system-shutdown (RFC 6120 §4.9.3.20), write everything."""
        await self._open.aclose()

    async def _open_database(self, opening: AsyncExitStack) -> Database:
        settings = self._settings
        loop = asyncio.get_running_loop()
        opened = partial(
            open_database, database_url(settings), settings.state, loop, settings.database.commit_delay
        )
        try:
            database = opened()
        except OldTables:
            await asyncio.to_thread(upgrade_at_start, settings, datetime.now(UTC))
            database = opened()
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

    def _stream_settings(self, core: Core, fake_secret: bytes, settings: Settings) -> StreamSettings:
        return stream_settings(settings, core, fake_secret, secrets.token_bytes)

    def _client_service(
        self, core: Core, stores: Stores, tls: TlsContexts, threads: ThreadPoolExecutor, fake_secret: bytes
    ) -> ClientService:
        settings, sasl = self._settings, self._settings.sasl
        loop = asyncio.get_running_loop()
        self._passwords = Bounded[Checked](partial(loop.run_in_executor, threads))
        self._accounts = chain_accounts(settings, stores, core.accounts, self._passwords, fake_secret)
        return ClientService(
            stream_settings=self._stream_settings(core, fake_secret, settings),
            limits=client_limits(settings),
            tls=tls,
            accounts=self._accounts,
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

    def _authorities(self, directory: Directory) -> Authorities | None:
        path = self._settings.accounts.authorities
        return None if path is None else Authorities(path, directory.certified)

    async def _watch_revocations(
        self, opening: AsyncExitStack, authorities: Authorities, clients: ClientService
    ) -> None:
        paths = self._settings.accounts.revocations
        if paths:
            watch = RevocationWatch(paths, authorities, clients.connected, in_default_thread)
            await watch.open()
            opening.callback(self._tasks.start(watch.watch()).cancel)

    async def _watch_files(self, opening: AsyncExitStack, core: Core, stores: Stores) -> None:
        loop = asyncio.get_running_loop()
        thread = opening.enter_context(ThreadPoolExecutor(1, "account-files", give_way))
        watch = AccountFilesWatch(self._settings, core, stores.writes, partial(loop.run_in_executor, thread))
        await watch.open()
        opening.callback(self._tasks.start(watch.watch()).cancel)
        opening.callback(self._tasks.start(erase_departed(core.lifecycle)).cancel)

    async def _disconnect(self, core: Core, entrance: Entrance) -> None:
        """Every client hears why; first of all from its rooms."""
        for rooms in core.rooms:
            rooms.shut_down()
        await entrance.empty()


def give_way() -> None:
    """This thread runs when the loop's does not want to: where cores are few, messages go first."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
