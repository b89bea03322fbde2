"""RFC 6120 §10.4: what all connections with other servers share, whoever opened them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from cryptography import x509

from commonroom.core.arrivals import Arrivals, Enter, Spawn
from commonroom.core.outbox import Outbox
from commonroom.core.questions import Timer
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits, Pause
from commonroom.net.rounds import NONE, Rounds
from commonroom.net.tls import TlsContexts
from commonroom.net.tls_outgoing import OutgoingContexts
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.errors import StreamError
from commonroom.protocol.s2s import PeerSettings, PeerStream
from commonroom.protocol.s2s_in import Demand
from commonroom.protocol.stanza import Stanza
from commonroom.protocol.stream_management import REQUEST, counted_too_many
from commonroom.protocol.stream_management import answer as acknowledgement

log = logging.getLogger(__name__)

# Seconds: appointments may be kept so late; after so long a silence memory is given back; so often a blank
# is sent over a stream that says nothing (RFC 6120 §4.6.4), so that nobody in between forgets it.
GRAIN = 1.0
REST_AFTER = 1.0
KEEP_ALIVE = 300.0
# Bytes that a peer has not taken yet; while there are more, its stanzas wait in their queue.
CONGESTED = 256 * 1024
# Of a connection, so many offences are in the log.
OFFENCES_LOGGED = 3
# Stanzas that it has not acknowledged yet (XEP-0198); the same.
UNACKNOWLEDGED = 2000


class Identity(Protocol):
    """What a peer's certificate is worth."""

    def distrust(self, domain: str) -> str | None:
        """Why it does not prove that the peer is this domain; None if it does."""


Present = Callable[[Sequence[x509.Certificate]], Identity]


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """Times in seconds; see `[federation]` in docs/configuration.md."""

    login_timeout: float
    idle_timeout: float
    stanzas_per_second: float
    stanza_burst: float
    connection: ConnectionLimits


class Facts(NamedTuple):
    """Of a connection; the times are when it began, and when the last stanza went over it."""

    address: str
    tls: str
    sent: int
    received: int
    began: float
    used: float


class Carrier(Protocol):
    """What carries stanzas to another server."""

    @property
    def is_congested(self) -> bool:
        """Whether the peer reads too slowly to be sent more now."""

    def send(self, stanza: Stanza) -> None:
        """Send it."""

    def end(self, error: StreamError | None = None) -> None:
        """Close the stream, with this error if there is one."""

    def abort(self, reason: str) -> None:
        """End the connection at once."""

    def unacknowledged(self) -> tuple[Stanza, ...]:
        """What the peer may not have got."""

    def facts(self) -> "Facts":
        """What an operator wants to know of it."""


@dataclass(slots=True)
class PeerService:
    """What all connections with other servers share.

    `present` judges what a peer presented. `enter` brings a stanza to its destination, `route` an answer of
    ours. `verify` asks an authoritative server, and calls back. `carry` hears of an incoming stream over
    which we may send for a pair of domains, `drop` when it cannot any more. `failed` hears of those who could
    not prove who they are: the domain, their address, the reason.
    """

    settings: PeerSettings
    limits: PeerLimits
    tls: TlsContexts
    outgoing_tls: OutgoingContexts
    present: Present
    demand: Callable[[str], Demand]
    enter: Enter
    route: Callable[[Stanza], Awaitable[None] | None]
    verify: Callable[[Verification, Callable[[Verified], None]], None]
    carry: Callable[[Pair, Carrier], None]
    drop: Callable[[Carrier], None]
    failed: Callable[[str, str, str], None]
    spawn: Spawn
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    incoming: set["PeerConnection"] = field(default_factory=set)
    outgoing: set["PeerConnection"] = field(default_factory=set)
    rounds: Rounds["PeerConnection"] = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(self.later, GRAIN, lambda connection: connection.visit())


class PeerConnection:
    """What both directions have in common: a `Connection`'s handler and a stream's host."""

    __slots__ = (
        "_allowance",
        "_arrivals",
        "_connection",
        "_counted_from",
        "_has_asked",
        "_identity",
        "_offences",
        "_outbox",
        "_present",
        "_refilled",
        "_service",
        "_told",
        "_used",
        "appointment",
        "began",
        "received",
        "sent",
    )
    _connection: Connection
    _stream: PeerStream

    def __init__(self, service: PeerService, present: Present | None = None) -> None:
        self._service = service
        self._present = present or service.present
        self._arrivals: Arrivals | None = None
        self._identity: Identity | None = None
        self._offences = 0
        self._allowance = service.limits.stanza_burst
        self._refilled = self._used = self.began = service.clock()
        self.appointment = NONE
        self._counted_from: int | None = None  # how many had come when the peer asked for acknowledgements
        self._told: int | None = None  # how many it was told last
        self._outbox: Outbox | None = None
        self._has_asked = False
        self.received = self.sent = 0  # stanzas

    # The connection's handler

    def receive(self, data: bytes) -> None:
        """Bytes from the peer."""
        self._allowance -= self._stream.receive(data)
        if self._allowance < 0:
            self._slow_down()

    # The stream's host

    def write(self, text: str) -> None:
        """Send to the peer."""
        if not self._connection.write(text):
            self._stream.lost()

    def close(self) -> None:
        """The stream has said its last word. Reading goes on, or the peer might not get to see it."""
        self._connection.close()
        self._connection.resume(Pause.STANZAS)
        self._connection.resume(Pause.PARKED)

    def distrust(self, domain: str) -> str | None:
        """What the certificate is worth; there is one at most in a connection's life."""
        if self._identity is None:
            tls = self._connection.tls
            self._identity = self._present([] if tls is None else tls.peer_chain)
        return self._identity.distrust(domain)

    def take(self, stanza: Stanza) -> None:
        """From the peer, to one of ours."""
        self.received += 1
        self._used = self._service.clock()
        self._line().take(stanza)

    def _line(self) -> Arrivals:
        if self._arrivals is None:
            pause = partial(self._connection.pause, Pause.PARKED)
            resume = partial(self._connection.resume, Pause.PARKED)
            self._arrivals = Arrivals(
                self._service.enter, self._service.spawn, pause, resume, self._caught_up
            )
        return self._arrivals

    def answer(self, answer: Stanza | None) -> None:
        """What the peer sent cannot be read as the stanza that it is to be; it counts all the same."""
        self._line().taken += 1
        waiting = None if answer is None else self._service.route(answer)
        if waiting is not None:
            self._service.spawn(_finish(waiting))

    def offended(self, reason: str) -> None:
        """The peer does what it may not. Of one connection, the log has no more than the first few."""
        self._offences += 1
        if self._offences <= OFFENCES_LOGGED:
            facts = {"address": self._connection.address[0], "domain": self.says, "reason": reason}
            log.info("server misbehaves", extra=facts)

    @property
    def says(self) -> str:
        """Who it is, as far as it has said."""
        return " ".join(self.speaks_for)

    # XEP-0198 between servers: what was not acknowledged when a stream ends is sent again over the next

    def counts(self) -> None:
        """The peer asked for acknowledgements of what it sends from now on."""
        self._counted_from = 0 if self._arrivals is None else self._arrivals.taken

    def managed(self) -> None:
        """So did we."""
        self._outbox = Outbox()

    def unmanaged(self) -> None:
        """The peer acknowledges nothing."""
        self._outbox = None

    def asked(self) -> None:
        """Say how many are done, with all that they caused on disk."""
        if self._counted_from is not None:
            handled = 0 if self._arrivals is None else self._arrivals.handled - self._counted_from
            self._told = handled
            self.write(acknowledgement(handled))

    def _caught_up(self) -> None:
        """What the last answer could not count yet is done."""
        if self._told is not None and not self._stream.closed:
            assert self._arrivals is not None and self._counted_from is not None
            if self._told != self._arrivals.handled - self._counted_from:
                self.asked()

    def acknowledged(self, handled: int) -> None:
        """The peer has them; the next question may be asked. Raises StreamError for more than were sent."""
        outbox = self._outbox
        if outbox is None:
            return
        through = outbox.place(handled)
        if through > outbox.sent:
            raise counted_too_many(handled, outbox.sent)
        if through > outbox.confirmed:
            outbox.confirm(through)
        self._has_asked = False

    def unacknowledged(self) -> tuple[Stanza, ...]:
        """What the peer may not have got, of what it was to acknowledge."""
        return () if self._outbox is None else self._outbox.remaining()

    # What carries stanzas

    @property
    def is_congested(self) -> bool:
        """Whether the peer takes less than it is sent, or acknowledges less."""
        return self._connection.unsent > CONGESTED or (
            self._outbox is not None and len(self._outbox) >= UNACKNOWLEDGED
        )

    def send(self, stanza: Stanza) -> None:
        """Send it."""
        self.sent += 1
        self._used = self._service.clock()
        outbox = self._outbox
        if outbox is None:
            self.write(stanza.xml())
            return
        outbox.add(stanza)
        self.write(stanza.xml() if self._has_asked else stanza.xml() + REQUEST)
        self._has_asked = True

    def end(self, error: StreamError | None = None) -> None:
        """Close the stream."""
        if error is None:
            self._stream.finish()
        else:
            self._stream.fail(error)

    def abort(self, reason: str) -> None:
        """End the connection at once."""
        self._connection.abort(reason)

    def facts(self) -> Facts:
        """As it is now."""
        tls = self._connection.tls
        words = "none" if tls is None else f"{tls.version} {tls.cipher or ''}".strip()
        address = self._connection.address[0]
        return Facts(address, words, self.sent, self.received, self.began, self._used)

    @property
    def speaks_for(self) -> list[str]:
        """Whom the peer has proved to be, or was connected to as."""
        raise NotImplementedError

    @property
    def ours(self) -> list[str]:
        """Our domains that it is about."""
        raise NotImplementedError

    # The clock

    def visit(self) -> None:
        """The appointment."""
        raise NotImplementedError

    def _look_after(self, delay: float) -> None:
        self._service.rounds.meet(self, self._service.clock(), delay)

    def _slow_down(self) -> None:
        """More elements than allowed: read on when the allowance has grown again."""
        limits, now = self._service.limits, self._service.clock()
        grown = (now - self._refilled) * limits.stanzas_per_second
        self._allowance = min(limits.stanza_burst, self._allowance + grown)
        self._refilled = now
        if self._allowance < 0 and not self._stream.closed:
            self._connection.pause(Pause.STANZAS)
            delay = -self._allowance / limits.stanzas_per_second
            self._service.later(delay, partial(self._connection.resume, Pause.STANZAS))


async def _finish(waiting: Awaitable[None]) -> None:
    await waiting
