"""Federation put together: what connects the core with other servers, and the addresses where they arrive."""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from commonroom.admin.places import server_key_pairs
from commonroom.app.composition import Core, parser_limits
from commonroom.config import Settings
from commonroom.core.questions import Timer
from commonroom.core.router import Destination
from commonroom.federation.certificates import Authorities, Presented
from commonroom.federation.dane import DaneIdentity, Published
from commonroom.federation.destination import Elsewhere
from commonroom.federation.dialing import Dialer
from commonroom.federation.failures import Failures
from commonroom.federation.keeping import Keeping
from commonroom.federation.lookup import Dns, Memory
from commonroom.federation.outgoing import Around, Outgoing, QueueLimits
from commonroom.federation.overview import Overview
from commonroom.federation.policy import Policies, fixed_targets, rate_of
from commonroom.federation.resolver import Resolver
from commonroom.federation.verifying import Verifier
from commonroom.net.limits import BEAT, LARGE_PORTION, ConnectionLimits
from commonroom.net.peer import PeerLimits, PeerService, Present
from commonroom.net.tls import TlsContexts
from commonroom.net.tls_outgoing import ALPN_SERVER, OutgoingContexts
from commonroom.protocol.dialback import DialbackKeys
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.s2s import PeerSettings
from commonroom.protocol.stanza import Stanza
from commonroom.storage.interfaces import Stores, Writes

log = logging.getLogger(__name__)

# Seconds between two certificates that are judged again.
JUDGING = 0.002

Start = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Inside:
    """What federation needs of the service that it is for."""

    is_ours: Callable[[str], bool]
    enter: Callable[[Stanza], Awaitable[None] | None]
    route: Callable[[Stanza], Awaitable[None] | None]
    start: Start
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    keeping: Keeping
    writes: Writes


@dataclass(frozen=True, slots=True)
class Federation:
    """What there is of it while the service runs."""

    destination: Destination
    peers: PeerService
    outgoing: Outgoing
    dialer: Dialer
    resolver: Resolver
    policies: Policies
    overview: Overview
    authorities: Authorities
    later: Callable[[float, Callable[[], None]], Timer]

    def end(self) -> None:
        """Every server hears why (RFC 6120 §4.9.3.20)."""
        shutdown = StreamError(StreamCondition.SYSTEM_SHUTDOWN)
        self.outgoing.end(shutdown)
        for connection in (*self.peers.incoming, *self.peers.outgoing):
            connection.end(shutdown)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is connected any more."""
        return not self.peers.incoming and not self.peers.outgoing


def inside(core: Core, stores: Stores, keeping: Keeping, start: Start) -> Inside:
    """The running service's part."""
    loop = asyncio.get_running_loop()
    router = core.router
    return Inside(
        router.domains.__contains__,
        router.enter,
        router.route,
        start,
        loop.call_later,
        loop.time,
        lambda: datetime.now().astimezone(),
        keeping,
        stores.writes,
    )


def build_federation(settings: Settings, around: Inside, secret: bytes) -> Federation:
    """Put it together. Raises CertificateError, UnansweredError."""
    wanted = settings.federation
    failures = Failures()
    policies = Policies(wanted)
    chance = random.SystemRandom().random
    memory = Memory(Dns(wanted.nameservers, wanted.dnssec), around.clock, around.start)
    resolver = Resolver(memory, chance, fixed_targets(wanted))
    outgoing = Outgoing(
        policies,
        QueueLimits(
            wanted.queue_stanzas,
            wanted.queue_bytes,
            wanted.connect_timeout,
            wanted.retry_first,
            wanted.retry_longest,
        ),
        Around(around.start, around.later, around.clock, around.now, chance),
        around.keeping,
        failures,
    )
    verifier = Verifier(wanted.connect_timeout, around.start, around.clock)
    authorities = Authorities(wanted.authorities)
    peers = _peers(settings, around, secret, policies, failures, outgoing, verifier, authorities)
    dialer = Dialer(peers, resolver, policies, partial(_present_dane, authorities), wanted.connect_timeout)
    outgoing.connect(dialer)
    verifier.connect(dialer)
    elsewhere = Elsewhere(outgoing, policies, around.keeping, around.is_ours)
    overview = Overview(peers, outgoing, failures, around.clock)
    return Federation(
        elsewhere, peers, outgoing, dialer, resolver, policies, overview, authorities, around.later
    )


def use_certificates(federation: Federation, settings: Settings) -> None:
    """Show these to other servers from now on, and trust those authorities that the file names now; raises
    CertificateError, and then nothing has changed."""
    pairs, minimum = server_key_pairs(settings), settings.tls.minimum_version
    incoming = TlsContexts(pairs, minimum, ALPN_SERVER, request_certificate=True)
    outgoing = OutgoingContexts(pairs, minimum)
    if federation.authorities.reload():
        for number, connection in enumerate((*federation.peers.incoming, *federation.peers.outgoing)):
            federation.later(number * JUDGING, connection.judge_again)
    federation.peers.outgoing_tls = outgoing
    federation.peers.tls = incoming


def _peers(
    settings: Settings,
    around: Inside,
    secret: bytes,
    policies: Policies,
    failures: Failures,
    outgoing: Outgoing,
    verifier: Verifier,
    authorities: Authorities,
) -> PeerService:
    pairs = server_key_pairs(settings)
    minimum = settings.tls.minimum_version
    after = parser_limits(settings)
    before = replace(after, stanza_bytes=settings.limits.stanza_bytes_before_login)
    return PeerService(
        settings=PeerSettings(around.is_ours, before, after, DialbackKeys(secret), secrets.token_bytes),
        limits=_limits(settings),
        tls=TlsContexts(pairs, minimum, ALPN_SERVER, request_certificate=True),
        outgoing_tls=OutgoingContexts(pairs, minimum),
        present=lambda chain: Presented(authorities, chain),
        demand=policies.of,
        enter=around.enter,
        route=around.route,
        when_flushed=around.writes.when_flushed,
        verify=verifier.verify,
        carry=outgoing.carry,
        drop=outgoing.drop,
        failed=lambda domain, _, reason: _note(failures, domain, reason, around.now()),
        spawn=around.start,
        later=around.later,
        clock=around.clock,
        now=around.now,
        rate=lambda domain: policies.of(domain).rate,
    )


def _present_dane(authorities: Authorities, published: Published) -> Present:
    return lambda chain: DaneIdentity(Presented(authorities, chain), published)


def _note(failures: Failures, domain: str, reason: str, now: datetime) -> None:
    failures.add(domain, "in", now, reason)


def _limits(settings: Settings) -> PeerLimits:
    wanted = settings.federation
    connection = ConnectionLimits(
        linger=settings.c2s.linger,
        handshake_timeout=wanted.login_timeout,
        pending_bytes=settings.c2s.pending_bytes,
        portion=LARGE_PORTION,
        beat=BEAT,
    )
    return PeerLimits(
        wanted.login_timeout,
        wanted.idle_timeout,
        rate_of(wanted),
        connection,
    )
