"""The composition root: puts the parts together. Nobody else is handed more than what it uses."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

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
from commonroom.core.session import Session
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


def build_core(
    settings: Settings, stores: Stores, around: Surroundings, last_id: int = 0, files: Directory | None = None
) -> Core:
    """Everything between the streams and the stores; `files` are those of the accounts that are in files.

    `last_id` is the greatest id of a message on the disk: none is used twice, whatever became of the clock.
    """
    router = Router(Nowhere(), stores.writes, around.start)
    audit = AuditLog(stores.audit, recorded(settings), around.microseconds)
    accounts = account_parts(settings, stores, around, router, audit, files)
    users = accounts.users
    presences = Presences(router.route, router.tell, users.find, frozenset(settings.domains).__contains__)
    spread = Spread(users.find, router.tell)
    commands = AdminCommands()
    questions = Questions(around.later)
    near = component_parts(settings, users, router, questions, around)
    parts = _parts(
        settings, stores, around, last_id, router, users, presences, spread, commands, audit, questions, near
    )
    declared = features(parts)
    tables = compile_features(declared)
    spread.connect(tables.rooms)
    handlers = Handlers(_iqs(tables, router, parts), questions, presences, parts.subscriptions)
    router.connect(handlers, tables)
    domains = _domains(settings, accounts, handlers, tables, stores)
    router.domains.update(domains)
    if near is not None:
        _let_in(near, parts, handlers, domains)
    hand_on = Redelivery(router, domains, around.now).hand_on
    sessions = _sessions(settings, users, handlers, tables, router, around, parts, hand_on)
    parts.resumption.connect(sessions.close, tables.session)
    make_declared(settings, parts.rooms, around)
    bind2 = Bind2(users, sessions, tables, parts.clients, around.start)
    life = lifecycle(settings, accounts, parts)
    announced = _announced(declared)
    return _core(parts, commands, router, accounts, life, sessions, bind2, tables, announced, near)


def _iqs(tables: Tables, router: Router, parts: Parts) -> IqHandlers:
    if parts.delegations is None:
        return IqHandlers(tables.iq, router.route)
    return DelegatingIqs(tables.iq, router.route, parts.delegations, parts.rosters.interested)


def _let_in(
    beside: ComponentParts, parts: Parts, handlers: Handlers, domains: dict[str, LocalDomain]
) -> None:
    """Components have to do with accounts as far as they may."""
    beside.entities.connect(handlers.iqs)
    parts.rosters.also_told = beside.entities.push
    for name, domain in domains.items():
        if beside.presence.watches(name):
            domain.watch = beside.presence.see


def _core(
    parts: Parts,
    commands: AdminCommands,
    router: Router,
    accounts: AccountParts,
    life: Lifecycle,
    sessions: Sessions,
    bind2: Bind2,
    tables: Tables,
    announced: tuple[Element, ...],
    beside: ComponentParts | None,
) -> Core:
    return Core(
        router,
        accounts.users,
        sessions,
        bind2,
        parts.clients,
        commands,
        parts.audit,
        parts.statistics,
        parts.devices,
        parts.resumption,
        parts.questions,
        tables,
        announced,
        parts.rooms,
        accounts,
        life,
        parts.next_id,
        beside,
    )


def _announced(declared: Sequence[Feature]) -> tuple[Element, ...]:
    """What streams announce to those who have logged in."""
    return (Element(NS_BIND, "bind"), *(element for f in declared for element in f.stream_features()))


def _domains(
    settings: Settings, accounts: AccountParts, handlers: Handlers, tables: Tables, stores: Stores
) -> dict[str, LocalDomain]:
    users, alias = accounts.users, accounts.directory.alias
    return {
        name: LocalDomain(JID.of(None, name), users, handlers, tables, stores.writes, alias)
        for name in settings.domains
    }


def _sessions(
    settings: Settings,
    users: Users,
    handlers: Handlers,
    tables: Tables,
    router: Router,
    around: Surroundings,
    parts: Parts,
    hand_on: Callable[[Session], Awaitable[None] | None],
) -> Sessions:
    policy = _session_policy(settings)
    resumption, signs = parts.resumption, parts.signs
    return Sessions(users, handlers, tables, router.submit, around, policy, resumption, signs, hand_on)


def _parts(
    settings: Settings,
    stores: Stores,
    around: Surroundings,
    last_id: int,
    router: Router,
    users: Users,
    presences: Presences,
    spread: Spread,
    commands: AdminCommands,
    audit: AuditLog,
    questions: Questions,
    beside: ComponentParts | None,
) -> Parts:
    ids = Ids(around.microseconds, last_id)
    rooms = room_services(settings, stores, around, router, questions, ids.next, users.find, spread)
    rosters = Rosters(stores.rosters, stores.writes, partial(users.drop, error=LOST))
    return Parts(
        settings,
        stores,
        questions,
        rosters,
        Subscriptions(rosters, presences, router.route, settings.roster.items),
        SignsOfLife(questions, around.later),
        Resumption(stores.writes, around.later, offered=settings.stream_management.resume_within > 0),
        users.mail_comes,
        around,
        ids.next,
        users.find,
        router.route,
        Devices(stores.devices, stores.writes, _token_policy(settings), around.now, around.random),
        Clients(),
        commands,
        audit,
        Statistics(stores.statistics, stores.secrets, around.microseconds, around.random, days(settings)),
        rooms,
        () if beside is None else beside.features,
        None if beside is None else beside.delegations,
    )


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
