"""The composition root: puts the parts together. Nobody else is handed more than what it uses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from commonroom.accounts.devices import Devices, TokenPolicy
from commonroom.accounts.directory import Directory
from commonroom.admin.ad_hoc import AdminCommands
from commonroom.app.account_parts import AccountParts, account_parts, domains_by_password, lifecycle
from commonroom.app.component_parts import ComponentParts, component_parts
from commonroom.app.rooms import make_declared, room_services
from commonroom.audit.log import AuditLog
from commonroom.audit.statistics import Statistics
from commonroom.audit.tags import OPTIONS, Source
from commonroom.catalog import Parts, features
from commonroom.config import Settings
from commonroom.core.bind2 import Bind2
from commonroom.core.clients import Clients
from commonroom.core.delegations import DelegatingIqs
from commonroom.core.feature import Feature, Tables, compile_features
from commonroom.core.handlers import Handlers
from commonroom.core.iq import IqHandlers
from commonroom.core.lifecycle import Lifecycle
from commonroom.core.local import LocalDomain
from commonroom.core.nowhere import Nowhere
from commonroom.core.presence import Presences
from commonroom.core.questions import Questions
from commonroom.core.redelivery import Redelivery
from commonroom.core.resumption import Resumption
from commonroom.core.rosters import Rosters
from commonroom.core.router import Router
from commonroom.core.sessions import ConflictPolicy, SessionPolicy, Sessions
from commonroom.core.signs import SignsOfLife
from commonroom.core.spread import Spread
from commonroom.core.subscription import Subscriptions
from commonroom.core.surroundings import Surroundings
from commonroom.core.users import Users
from commonroom.features.muc.service import RoomService
from commonroom.protocol.c2s import StreamSettings
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.ids import Ids
from commonroom.storage.interfaces import Stores
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND
from commonroom.xml.parser import Limits


@dataclass(frozen=True, slots=True)
class Core:
    """What connections are joined to."""

    router: Router
    users: Users
    sessions: Sessions
    bind2: Bind2
    clients: Clients
    commands: AdminCommands
    audit: AuditLog
    statistics: Statistics
    devices: Devices
    resumption: Resumption
    questions: Questions
    tables: Tables
    stream_features: tuple[Element, ...]
    rooms: tuple[RoomService, ...]
    accounts: AccountParts
    lifecycle: Lifecycle
    next_id: Callable[[], int]  # ids that rise, and are times
    components: ComponentParts | None


LOST = StreamError(StreamCondition.INTERNAL_SERVER_ERROR, "a change could not be stored; please reconnect")


class _Ground(NamedTuple):
    """What the parts stand on: none of it knows a feature. `components` is None where there are none."""

    settings: Settings
    stores: Stores
    around: Surroundings
    next_id: Callable[[], int]
    router: Router
    audit: AuditLog
    accounts: AccountParts
    presences: Presences
    spread: Spread
    questions: Questions
    components: ComponentParts | None


def build_core(
    settings: Settings, stores: Stores, around: Surroundings, last_id: int = 0, files: Directory | None = None
) -> Core:
    """Everything between the streams and the stores; `files` are those of the accounts that are in files.

    `last_id` is the greatest id of a message on the disk: none is used twice, whatever became of the clock.
    """
    ground = _ground(settings, stores, around, last_id, files)
    commands = AdminCommands()
    parts = _parts(ground, commands)
    declared = features(parts)
    tables = compile_features(declared)
    handlers = Handlers(_iqs(tables, ground, parts), ground.questions, ground.presences, parts.subscriptions)
    sessions = _connect(ground, parts, tables, handlers)
    make_declared(settings, parts.rooms, around)
    return Core(
        router=ground.router,
        users=ground.accounts.users,
        sessions=sessions,
        bind2=Bind2(ground.accounts.users, sessions, tables, parts.clients, around.start),
        clients=parts.clients,
        commands=commands,
        audit=ground.audit,
        statistics=parts.statistics,
        devices=parts.devices,
        resumption=parts.resumption,
        questions=ground.questions,
        tables=tables,
        stream_features=_announced(declared),
        rooms=parts.rooms,
        accounts=ground.accounts,
        lifecycle=lifecycle(settings, ground.accounts, parts),
        next_id=ground.next_id,
        components=ground.components,
    )


def _ground(
    settings: Settings, stores: Stores, around: Surroundings, last_id: int, files: Directory | None
) -> _Ground:
    router = Router(Nowhere(), stores.writes, around.start)
    audit = AuditLog(stores.audit, recorded(settings), around.microseconds)
    accounts = account_parts(settings, stores, around, router, audit, files)
    find = accounts.users.find
    questions = Questions(around.later)
    return _Ground(
        settings,
        stores,
        around,
        Ids(around.microseconds, last_id).next,
        router,
        audit,
        accounts,
        Presences(router.route, router.tell, find, frozenset(settings.domains).__contains__),
        Spread(find, router.tell),
        questions,
        component_parts(settings, accounts.users, router, questions, around),
    )


def _parts(ground: _Ground, commands: AdminCommands) -> Parts:
    settings, stores, around = ground.settings, ground.stores, ground.around
    router, users, questions = ground.router, ground.accounts.users, ground.questions
    components = ground.components
    rosters = Rosters(stores.rosters, stores.writes, partial(users.drop, error=LOST))
    return Parts(
        settings=settings,
        stores=stores,
        questions=questions,
        rosters=rosters,
        subscriptions=Subscriptions(rosters, ground.presences, router.route, settings.roster.items),
        signs=SignsOfLife(questions, around.later),
        resumption=Resumption(
            stores.writes, around.later, offered=settings.stream_management.resume_within > 0
        ),
        mail_comes=users.mail_comes,
        around=around,
        next_id=ground.next_id,
        find=users.find,
        route=router.route,
        devices=Devices(stores.devices, stores.writes, _token_policy(settings), around.now, around.random),
        clients=Clients(),
        commands=commands,
        audit=ground.audit,
        statistics=Statistics(
            stores.statistics, stores.secrets, around.microseconds, around.random, days(settings)
        ),
        rooms=room_services(
            settings, stores, around, router, questions, ground.next_id, users.find, ground.spread
        ),
        of_components=() if components is None else components.features,
        delegations=None if components is None else components.delegations,
    )


def _iqs(tables: Tables, ground: _Ground, parts: Parts) -> IqHandlers:
    route = ground.router.route
    if parts.delegations is None:
        return IqHandlers(tables.iq, route)
    return DelegatingIqs(tables.iq, route, parts.delegations, parts.rosters.interested)


def _connect(ground: _Ground, parts: Parts, tables: Tables, handlers: Handlers) -> Sessions:
    """Those that know each other in a circle; gives what opens sessions."""
    router, resumption = ground.router, parts.resumption
    ground.spread.connect(tables.rooms)
    router.connect(handlers, tables)
    domains = _domains(ground, handlers, tables)
    router.domains.update(domains)
    if ground.components is not None:
        _let_in(ground.components, parts, handlers, domains)
    sessions = Sessions(
        ground.accounts.users,
        handlers,
        tables,
        router.submit,
        ground.around,
        _session_policy(ground.settings),
        resumption,
        parts.signs,
        Redelivery(router, domains, ground.around.now).hand_on,
    )
    resumption.connect(sessions.close, tables.session)
    return sessions


def _let_in(
    beside: ComponentParts, parts: Parts, handlers: Handlers, domains: dict[str, LocalDomain]
) -> None:
    """Components have to do with accounts as far as they may."""
    beside.entities.connect(handlers.iqs)
    parts.rosters.also_told = beside.entities.push
    for name, domain in domains.items():
        if beside.presence.watches(name):
            domain.watch = beside.presence.see


def _announced(declared: Sequence[Feature]) -> tuple[Element, ...]:
    """What streams announce to those who have logged in."""
    return (Element(NS_BIND, "bind"), *(element for f in declared for element in f.stream_features()))


def _domains(ground: _Ground, handlers: Handlers, tables: Tables) -> dict[str, LocalDomain]:
    users, alias = ground.accounts.users, ground.accounts.directory.alias
    return {
        name: LocalDomain(JID.of(None, name), users, handlers, tables, ground.stores.writes, alias)
        for name in ground.settings.domains
    }


def days(settings: Settings) -> int:
    """How long statistics are kept."""
    return int(settings.records.statistics // 86_400)


def recorded(settings: Settings) -> list[Source]:
    """Of what the configuration wants records."""
    return [source for source, option in OPTIONS.items() if getattr(settings.records, option) > 0]


def _token_policy(settings: Settings) -> TokenPolicy:
    wanted = settings.devices
    return TokenPolicy(
        timedelta(seconds=wanted.token_lifetime), timedelta(seconds=wanted.token_rotation), wanted.known
    )


def _session_policy(settings: Settings) -> SessionPolicy:
    c2s = settings.c2s
    return SessionPolicy(ConflictPolicy(c2s.resource_conflict.value), c2s.sessions_per_account)


def parser_limits(settings: Settings) -> Limits:
    """What a stream may ask of the parser once it is known whose it is."""
    limits = settings.limits
    return Limits(limits.stanza_bytes, limits.depth, limits.elements, limits.attributes, limits.names)


def stream_settings(
    settings: Settings, core: Core, fake_secret: bytes, random: Callable[[int], bytes]
) -> StreamSettings:
    """What clients' streams need of all that."""
    after = parser_limits(settings)
    return StreamSettings(
        domains=settings.domains,
        limits_before_login=replace(after, stanza_bytes=settings.limits.stanza_bytes_before_login),
        limits=after,
        mechanisms=tuple(mechanism.value for mechanism in settings.sasl.mechanisms),
        tries=settings.sasl.tries_per_stream,
        iterations=settings.sasl.iterations,
        fake_secret=fake_secret,
        features=core.stream_features,
        registration_closed=settings.registration.instructions,
        inline=tuple(sorted({namespace for namespace, _ in core.tables.bind})),
        with_tokens=settings.devices.token_lifetime > 0,
        idle_seconds=int(settings.c2s.idle_ping_after),
        random=random,
        resolve=core.accounts.directory.resolve if settings.accounts.files else None,
        with_certificates=settings.accounts.authorities is not None,
        by_password=domains_by_password(settings),
    )
