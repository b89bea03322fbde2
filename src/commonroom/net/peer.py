"""RFC 6120 §10.4: what all connections with other servers share, whoever opened them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from cryptography import x509

from commonroom.core.arrivals import Arrivals, Enter, Spawn
from commonroom.core.outbox import Outbox
from commonroom.core.questions import Timer
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits, Pause
from commonroom.net.rates import Allowance, Allowances, Rate
from commonroom.net.rounds import NONE, Rounds
from commonroom.net.tls import TlsContexts
from commonroom.net.tls_outgoing import OutgoingContexts
from commonroom.protocol.debts import Owed
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.s2s import PeerSettings, PeerStream
from commonroom.protocol.s2s_in import Demand
from commonroom.protocol.stanza import Message, Stanza
from commonroom.protocol.stream_management import REQUEST, counted_too_many
from commonroom.protocol.stream_management import answer as acknowledgement
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Told

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
# Of what it sent, and no client may have got yet, so much stays in memory.
LARGEST_DEBT = 1000
# Messages at the beginning of a stream that may have come over a former one.
DOUBTFUL = 500
# Seconds in which clients may acknowledge what a server sent, so that it need not be written before that is
# told. Shorter than what its own clients wait (`features/stream_management.py`).
MOMENT = 0.05


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
    stranger: Rate  # of a connection until it is known whose it is
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
    ours. `when_flushed` calls when what was written so far is on disk. `verify` asks an authoritative
    server, and calls back. `carry` hears of an incoming stream over which we may send for a pair of domains,
    `drop` when it cannot any more. `failed` hears of those who could not prove who they are: the domain,
    their address, the reason. `rate` says how much a domain may send; `now` gives an aware datetime.
    """

    settings: PeerSettings
    limits: PeerLimits
    tls: TlsContexts
    outgoing_tls: OutgoingContexts
    present: Present
    demand: Callable[[str], Demand]
    enter: Enter
    route: Callable[[Stanza], Awaitable[None] | None]
    when_flushed: Callable[[Told], None]
    verify: Callable[[Verification, Callable[[Verified], None]], None]
    carry: Callable[[Pair, Carrier], None]
    drop: Callable[[Carrier], None]
    failed: Callable[[str, str, str], None]
    spawn: Spawn
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    rate: Callable[[str], Rate]
    incoming: set["PeerConnection"] = field(default_factory=set)
    outgoing: set["PeerConnection"] = field(default_factory=set)
    rounds: Rounds["PeerConnection"] = field(init=False)
    allowances: Allowances = field(init=False)

    def __post_init__(self) -> None:
        self.allowances = Allowances(self.rate, self.clock)
        self.rounds = Rounds(self.later, GRAIN, lambda connection: connection.visit())


class PeerConnection:
    """What both directions have in common: a `Connection`'s handler and a stream's host."""

    __slots__ = (
        "_allowance",
        "_arrivals",
        "_asked_again",
        "_connection",
        "_counted_from",
        "_ends",
        "_has_asked",
        "_identity",
        "_is_answering",
        "_offences",
        "_outbox",
        "_owed",
        "_present",
        "_service",
        "_told",
        "_trusted",
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
        self._used = self.began = service.clock()
        self._allowance = Allowance(service.limits.stranger, self.began)
        self._trusted: tuple[str, ...] = ()  # domains that its certificate proves it to be
        self._ends: datetime | None = None  # of the certificate that ends first
        self.appointment = NONE
        self._counted_from: int | None = None  # how many had come when the peer asked for acknowledgements
        self._told: int | None = None  # how many it was told last
        self._owed: Owed | None = None  # what it sent since, and nobody may have got yet
        self._is_answering = self._asked_again = False
        self._outbox: Outbox | None = None
        self._has_asked = False
        self.received = self.sent = 0  # stanzas

    # The connection's handler

    def receive(self, data: bytes) -> None:
        """Bytes from the peer."""
        allowance = self._allowance
        allowance.size -= len(data)
        allowance.stanzas -= self._stream.receive(data)
        if allowance.stanzas < 0 or allowance.size < 0:
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
        fault = self._identity.distrust(domain)
        if fault is None and domain not in self._trusted:
            self._trusted += (domain,)
            self._ends = self._next_end()
        return fault

    def _next_end(self) -> datetime | None:
        """When the next of the peer's certificates expires (RFC 6120 §13.7.2.3)."""
        now, tls = self._service.now(), self._connection.tls
        ends = [] if tls is None else [each.not_valid_after_utc for each in tls.peer_chain]
        return min((end for end in ends if end > now), default=None)

    def judge_again(self) -> None:
        """Time has passed, or others are trusted: close the stream if its certificate proves no more what it
        did (RFC 6120 §13.7.2.3). Whoever needs one makes a new one."""
        tls = self._connection.tls
        if not self._trusted or self._stream.closed or tls is None:
            return
        self._identity = self._present(tls.peer_chain)
        for domain in self._trusted:
            fault = self._identity.distrust(domain)
            if fault is not None:
                facts = {"domain": domain, "address": self._connection.address[0], "reason": fault}
                log.warning("certificate of an open stream counts no more", extra=facts)
                self.end(StreamError(StreamCondition.RESET, f"your certificate counts no more: {fault}"))
                return
        self._ends = self._next_end()

    def _has_expired(self) -> bool:
        return self._ends is not None and self._service.now() > self._ends

    def take(self, stanza: Stanza) -> None:
        """From the peer, to one of ours."""
        self.received += 1
        self._used = self._connection.last_received
        if self._owed is not None and type(stanza) is Message:
            stanza.owed = self._owed
        (self._arrivals or self._line()).take(stanza)

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
        """What the peer sends from now on is acknowledged."""
        if self._owed is not None:
            return
        self._counted_from = 0 if self._arrivals is None else self._arrivals.taken
        self._owed = Owed(LARGEST_DEBT, DOUBTFUL, is_client=False)

    def managed(self) -> None:
        """So is what it is sent."""
        self._outbox = Outbox()

    def unmanaged(self) -> None:
        """The peer acknowledges nothing: what was written has to do."""
        outbox, self._outbox = self._outbox, None
        for stanza in () if outbox is None else outbox.stanzas:
            _arrived(stanza)

    def asked(self) -> None:
        """Say how many are done, with all that they caused on disk; what may arrive yet has a moment to."""
        if self._owed is None or self._is_answering:
            self._asked_again = True
            return
        self._is_answering, self._asked_again = True, False
        handled, through = self._handled, self._owed.last()
        if through is None:
            self._service.when_flushed(partial(self._answer, handled))
        else:
            self._service.later(MOMENT, partial(self._after_a_moment, handled, through))

    @property
    def _handled(self) -> int:
        return 0 if self._arrivals is None else self._arrivals.handled - (self._counted_from or 0)

    def _after_a_moment(self, handled: int, through: int) -> None:
        assert self._owed is not None
        self._owed.secure(through)
        self._service.when_flushed(partial(self._answer, handled))

    def _answer(self, handled: int, _: StorageError | None) -> None:
        """Those whose stanzas could not be written were told."""
        self._is_answering = False
        if self._stream.closed:
            return
        self._told = handled
        self.write(acknowledgement(handled))
        if self._asked_again:
            self.asked()
        else:
            self._caught_up()

    def _caught_up(self) -> None:
        """What the last answer could not count yet is done."""
        if self._told is not None and self._told != self._handled and not self._stream.closed:
            self.asked()

    def acknowledged(self, handled: int) -> None:
        """The peer has them; the next question may be asked. Raises StreamError for more than were sent."""
        outbox = self._outbox
        if outbox is None:
            return
        through = outbox.place(handled)
        if through > outbox.sent:
            raise counted_too_many(handled, outbox.sent)
        self._has_asked = False
        if through > outbox.confirmed:
            for stanza in outbox.confirm(through):
                if stanza.held is not None:
                    stanza.held.arrived()
            if (
                outbox.stanzas and not self._stream.closed
            ):  # sent behind the question, perhaps the last for long
                self.write(REQUEST)
                self._has_asked = True

    def unacknowledged(self) -> tuple[Stanza, ...]:
        """What the peer may not have got, of what it was to acknowledge."""
        return () if self._outbox is None else self._outbox.remaining()

    # What carries stanzas

    @property
    def is_congested(self) -> bool:
        """Whether the peer takes less than it is sent, or acknowledges less."""
        return self._connection.unsent > CONGESTED or (
            self._outbox is not None and len(self._outbox.stanzas) >= UNACKNOWLEDGED
        )

    def send(self, stanza: Stanza) -> None:
        """Send it."""
        self.sent += 1
        self._used = self._service.clock()
        outbox, xml = self._outbox, stanza.xml()
        if outbox is None:
            self.write(xml)
            _arrived(stanza)
            return
        outbox.add(stanza)
        self.write(xml if self._has_asked else xml + REQUEST)
        self._has_asked = True

    def _let_go(self) -> None:
        """Nothing is left to the garbage collector: certificates, and what TLS takes, are large."""
        self._stream.let_go()
        self._arrivals = None

    def _gone(self) -> None:
        """What it sent, and nobody may have, is kept; it will ask no more."""
        if self._owed is not None:
            self._owed.secure()

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
        if self._ends is not None:
            left = (self._ends - self._service.now()).total_seconds()
            delay = min(delay, max(0.0, left) + GRAIN)
        self._service.rounds.meet(self, self._service.clock(), delay)

    def _say_something(self, otherwise: str) -> None:
        """Ask once more for what was not acknowledged: it would be sent again when the stream ends."""
        text = REQUEST if self._outbox else otherwise
        if text and not self._stream.closed:
            self._connection.write(text)

    def known_as(self, domain: str) -> None:
        """From now on, what it may send is shared with the other streams of this domain."""
        self._allowance = self._service.allowances.of(domain)

    def _slow_down(self) -> None:
        """More than allowed: read on when that has grown again."""
        wait = self._allowance.wait(self._service.clock())
        if wait > 0 and not self._stream.closed:
            self._connection.pause(Pause.STANZAS)
            self._service.later(wait, partial(self._connection.resume, Pause.STANZAS))


def _arrived(stanza: Stanza) -> None:
    if stanza.held is not None:
        stanza.held.arrived()


async def _finish(waiting: Awaitable[None]) -> None:
    await waiting
