"""How a running service is operated: the desk, the doors to it, and what is done for operators by itself."""

import asyncio
import grp
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from commonroom.admin import service as service_operations
from commonroom.admin.accounts import Eraser
from commonroom.admin.api import AdminApi
from commonroom.admin.archive import keep_rules
from commonroom.admin.audit import keep
from commonroom.admin.desk import Caller, Desk, Way
from commonroom.admin.errors import AdminError
from commonroom.admin.live import Live
from commonroom.admin.operations import operations
from commonroom.admin.places import SOCKET_FILE
from commonroom.admin.privacy import for_accounts
from commonroom.admin.registry import Registry, hash_names, registry
from commonroom.admin.reload import Control, Reloaded
from commonroom.admin.roles import Roles
from commonroom.admin.rooms import RoomAdmin
from commonroom.admin.scopes import EVERYTHING, Scope
from commonroom.app.account_watch import AccountWatch
from commonroom.app.certificates import expiries, warn_of_expiry
from commonroom.app.composition import Core, days, recorded
from commonroom.app.doing import Doing
from commonroom.app.entrance import Entrance
from commonroom.app.measured import Beside
from commonroom.app.reloading import Changeable, Reloading
from commonroom.app.role_files import RoleFiles, in_default_thread
from commonroom.app.upkeep import count_days, keep_records, look_after_records
from commonroom.app.witness import Witnessed
from commonroom.audit.tags import Tag
from commonroom.config import Settings
from commonroom.config.records import Records
from commonroom.core.surroundings import system_microseconds
from commonroom.federation.overview import Overview
from commonroom.net.http.exchange import HttpLimits, Peer, Response
from commonroom.net.http.server import HttpServer
from commonroom.net.listener import ListenError
from commonroom.protocol.c2s import StreamSettings
from commonroom.storage.interfaces import Stores
from commonroom.storage.retention import KeepRules, Retention
from commonroom.storage.writer import Writer

log = logging.getLogger(__name__)

# Whoever may open the socket is trusted with time; some operations take long before they answer.
SOCKET_LIMITS = HttpLimits(body_bytes=16 * 1024 * 1024, idle=600.0)
# Seconds: whoever asked for the end hears that it comes.
LAST_ANSWER = 0.5
# Seconds between two looks at the files of certificates.
CERTIFICATES_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Operated:
    """The parts of a service that operators see and change. `end` ends it; `start` runs a coroutine.

    `show_peers` has other servers see the certificates of a configuration from now on, `derive` has keys made
    for these hashes.
    """

    settings: Settings
    reread: Callable[[], Settings] | None
    core: Core
    stores: Stores
    entrance: Entrance
    writer: Writer
    watch: AccountWatch
    retention: Retention
    witnessed: Witnessed
    stream_settings: Callable[[Settings], StreamSettings]
    show_peers: Callable[[Settings], None]
    derive: Callable[[tuple[str, ...]], None]
    start: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]
    end: Callable[[], None]
    servers: Overview | None
    beside: Beside


class Administration:
    """Open to operators from `open` on."""

    def __init__(self, parts: Operated) -> None:
        self._parts = parts
        settings, core, clients = parts.settings, parts.core, parts.entrance.clients
        self._registry = registry(settings, parts.stores, core.accounts.directory)
        self.roles = Roles(settings)
        self._doing = Doing(
            core.router,
            parts.writer,
            parts.witnessed,
            lambda: parts.entrance.is_open,
            self._expiries,
            parts.beside.collect,
        )
        live = Live(core.users, core.clients, clients.connected, clients.clock, lambda: datetime.now(UTC))
        self._subjects: dict[type[Any], Any] = {
            Registry: self._registry,
            Settings: settings,
            Live: live,
            Eraser: Eraser(core.accounts.erasure.erase),
            KeepRules: keep_rules(settings),
            RoomAdmin: RoomAdmin({each.domain.domain: each for each in core.rooms}, parts.stores),
            Control: self,
            service_operations.Doing: self._doing,
        }
        if parts.servers is not None:
            self._subjects[Overview] = parts.servers
        after = {Scope.ACCOUNTS_WRITE: parts.watch.look}
        self.desk = Desk(operations(), self._subjects, partial(keep, self._registry), after)
        core.commands.connect(self.desk, self.roles, for_accounts(lambda: self._reloading.settings))
        self._reloading = Reloading(settings, parts.reread, self._changeable())
        pages = {"/metrics": (Scope.METRICS_READ, self._doing.metrics)}
        api = AdminApi(self.desk, self._registry, self._public(), pages, self._refused, asyncio.sleep)
        self._local = HttpServer(api.answer, SOCKET_LIMITS)
        self._remote = HttpServer(api.answer, HttpLimits())

    def _changeable(self) -> Changeable:
        parts = self._parts
        others = (self.roles.use, self._use_records, self._use_mechanisms)
        return Changeable(
            parts.entrance,
            parts.retention,
            self._subjects,
            parts.stream_settings,
            parts.show_peers,
            others,
        )

    def _use_records(self, settings: Settings) -> None:
        self._parts.core.audit.keep(recorded(settings))
        self._parts.core.statistics.days = days(settings)

    def _use_mechanisms(self, settings: Settings) -> None:
        self._parts.derive(hash_names(settings.sasl.mechanisms))

    def _records(self) -> Records:
        return self._reloading.settings.records

    def _expiries(self) -> dict[str, float]:
        return expiries(self._reloading.settings)

    def _public(self) -> Mapping[str, Callable[[], Response]]:
        return {"/health": lambda: Response(200, b"alive\n"), "/ready": self._ready}

    async def open(self, opening: AsyncExitStack) -> None:
        """Until the stack is closed; raises ListenError."""
        parts = self._parts
        role_files = RoleFiles(lambda: self._reloading.settings, self.roles, in_default_thread)
        work = (
            look_after_records(parts.stores.audit, self._records, system_microseconds),
            count_days(parts.core.statistics, parts.witnessed.counters, parts.witnessed.levels),
            self._watch_certificates(),
            self._doing.probe(),
            keep_records(parts.core.audit),
            warn_of_expiry(lambda: self._reloading.settings),
            role_files.watch(),
        )
        await role_files.open()
        opening.callback(parts.core.audit.flush)
        for each in work:
            opening.callback(parts.start(each).cancel)
        settings = parts.settings
        opening.push_async_callback(self._local.close)
        opening.push_async_callback(self._remote.close)
        group = settings.admin.socket_group
        mode = 0o600 if group is None else 0o660
        await self._local.listen_unix(settings.state / SOCKET_FILE, mode, _group_number(group))
        for address in settings.api.listen:
            await self._remote.listen(address)

    # Control

    async def reload(self) -> Reloaded:
        """See `Control`."""
        reloaded = self._reloading.reload()
        log.info("configuration reloaded", extra={"changed": ", ".join(reloaded.changed) or "nothing"})
        if reloaded.after_restart:
            waits = ", ".join(reloaded.after_restart)
            log.warning("these options count after a restart", extra={"options": waits})
        return reloaded

    def drain(self, seconds: float, stop: bool) -> int:
        """See `Control`."""
        parts = self._parts
        parts.entrance.shut()
        here = len(parts.entrance.clients.connected)
        log.info("draining", extra={"connections": here, "seconds": seconds})
        parts.start(self._drain(seconds, stop))
        return here

    async def _drain(self, seconds: float, stop: bool) -> None:
        await asyncio.sleep(LAST_ANSWER)
        await self._parts.entrance.empty_slowly(seconds)
        if stop:
            await asyncio.sleep(LAST_ANSWER)
            self._parts.end()

    async def reload_by_signal(self) -> None:
        """SIGHUP: as `commonroom reload`; a failure is in the log."""
        caller = Caller(Way.SIGNAL, "SIGHUP", EVERYTHING)
        try:
            await self.desk.call("reload", {}, caller)
        except AdminError as error:
            log.error("the configuration was not reloaded", extra={"reason": str(error)})

    async def _watch_certificates(self) -> None:
        """What cannot be used is told once for each change of the files."""
        told = ""
        while True:
            await asyncio.sleep(CERTIFICATES_EVERY)
            try:
                for file in self._reloading.look_at_certificates():
                    log.info("certificate swapped", extra={"file": file})
                told = ""
            except AdminError as error:
                if str(error) != told:
                    log.warning("a certificate cannot be used", extra={"reason": str(error)})
                told = str(error)

    def _ready(self) -> Response:
        """Whether new clients are let in."""
        if not self._parts.entrance.is_open:
            return Response(503, b"draining\n")
        return Response(200, b"ready\n")

    def _refused(self, peer: Peer) -> None:
        self._parts.core.audit.record(Tag.TOKEN_REFUSED, address=peer.address)
        log.warning("a token that does not count", extra={"address": peer.address})


def _group_number(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ListenError(f"admin.socket_group: the system has no group {name}; make it first") from None
