"""The composition root: puts the parts together. Nobody else is handed more than what it uses."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from commonroom.catalog import Parts, features
from commonroom.config import Settings
from commonroom.core.feature import Tables, compile_features
from commonroom.core.iq import IqHandlers
from commonroom.core.local import LocalDomain
from commonroom.core.nowhere import Nowhere
from commonroom.core.presence import Presences
from commonroom.core.questions import Questions, Timer
from commonroom.core.rosters import Rosters
from commonroom.core.router import Router
from commonroom.core.sessions import ConflictPolicy, SessionPolicy, Sessions
from commonroom.core.subscription import Subscriptions
from commonroom.core.users import Users
from commonroom.protocol.c2s import StreamSettings
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND
from commonroom.xml.parser import Limits


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, randomness and concurrency, which everything below is handed.

    `start` runs a coroutine under an owner and gives what many can await. `later` calls a function after
    so many seconds. `now` gives an aware datetime in the server's time zone.
    """

    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
    later: Callable[[float, Callable[[], None]], Timer]
    now: Callable[[], datetime]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Core:
    """What connections are joined to."""

    router: Router
    users: Users
    sessions: Sessions
    questions: Questions
    tables: Tables
    stream_features: tuple[Element, ...]


def build_core(settings: Settings, stores: Stores, around: Surroundings) -> Core:
    """Everything between the streams and the stores."""
    local = frozenset(settings.domains)
    router = Router(Nowhere())
    users = Users(stores.users, stores.writes, around.start)
    questions = Questions(around.later)
    presences = Presences(router.route, users.find, local.__contains__)
    lost = StreamError(
        StreamCondition.INTERNAL_SERVER_ERROR, "a change could not be stored; please reconnect"
    )
    rosters = Rosters(stores.rosters, stores.writes, lambda account: users.drop(account, lost))
    subscriptions = Subscriptions(rosters, presences, router.route, settings.roster.items)
    declared = features(Parts(settings, stores, questions, rosters, subscriptions, around.now))
    tables = compile_features(declared)
    iqs = IqHandlers(tables.iq, router.route)
    router.connect(iqs, presences, subscriptions, tables)
    for name in settings.domains:
        domain = JID.of(None, name)
        router.domains[name] = LocalDomain(
            domain, users, iqs, questions, presences, subscriptions, tables.received
        )
    policy = SessionPolicy(
        ConflictPolicy(settings.c2s.resource_conflict.value), settings.c2s.sessions_per_account
    )
    sessions = Sessions(
        users,
        presences,
        questions,
        tables.session,
        router.submit,
        around.start,
        policy,
        lambda: around.random(12).hex(),
    )
    announced = (Element(NS_BIND, "bind"), *(element for f in declared for element in f.stream_features()))
    return Core(router, users, sessions, questions, tables, announced)


def stream_settings(
    settings: Settings, core: Core, fake_secret: bytes, random: Callable[[int], bytes]
) -> StreamSettings:
    """What clients' streams need of all that."""
    limits = settings.limits
    after = Limits(limits.stanza_bytes, limits.depth, limits.elements, limits.attributes, limits.names)
    return StreamSettings(
        domains=settings.domains,
        limits_before_login=replace(after, stanza_bytes=limits.stanza_bytes_before_login),
        limits=after,
        mechanisms=tuple(mechanism.value for mechanism in settings.sasl.mechanisms),
        tries=settings.sasl.tries_per_stream,
        iterations=settings.sasl.iterations,
        fake_secret=fake_secret,
        features=core.stream_features,
        registration_closed=settings.registration.instructions,
        random=random,
    )
