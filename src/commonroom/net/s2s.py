"""RFC 6120, XEP-0220, XEP-0288: connections with other servers, each of a socket, a stream and the clock."""

import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Protocol

from commonroom.core.arrivals import Arrivals
from commonroom.net.connection import Connection
from commonroom.net.peer import KEEP_ALIVE, REST_AFTER, PeerConnection, PeerService, Present
from commonroom.net.tls import TlsEngine
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.s2s_in import Demand, IncomingStream
from commonroom.protocol.s2s_out import OutgoingStream, Terms

log = logging.getLogger(__name__)

# Seconds in which a peer that connected turns on acknowledgements, before anything is sent to it without.
GRACE = 1.0


class Owner(Protocol):
    """Who opened a connection and wants to hear what becomes of it."""

    def ready(self, connection: "OutgoingConnection", pair: Pair) -> None:
        """The peer takes stanzas of this pair."""

    def refused(self, connection: "OutgoingConnection", pair: Pair, reason: str, is_lasting: bool) -> None:
        """It does not."""

    def verified(self, request: Verification, verified: Verified) -> None:
        """What the authoritative server said."""

    def ended(self, connection: "OutgoingConnection", reason: str) -> None:
        """It is over: the last call."""


class IncomingConnection(PeerConnection):
    """A server connected to us. It has until the deadline to show who it is, whatever it sends."""

    __slots__ = ("_stream", "_turned")
    _stream: IncomingStream

    def __init__(self, service: PeerService, is_secure: bool) -> None:
        super().__init__(service)
        self._turned: list[Pair] = []  # what it will carry from us
        self._stream = IncomingStream(self, service.settings, is_secure)

    def connected(self, connection: Connection) -> None:
        """There is somebody."""
        self._connection = connection
        self._service.incoming.add(self)
        passed = self._service.clock() - connection.connected_at
        self._look_after(max(0.0, self._service.limits.login_timeout - passed))

    def secured(self) -> None:
        """TLS stands; the peer opens its stream anew."""

    def lost(self, reason: str) -> None:
        """It is over."""
        self._stream.lost()
        self._gone()
        self._service.incoming.discard(self)
        self._service.rounds.miss(self)
        self._service.drop(self)
        if self._stream.is_authenticated:
            self._log("server left", domain=" ".join(self.speaks_for), reason=reason)
        self._let_go()

    def start_tls(self) -> None:
        """STARTTLS."""
        self._connection.start_tls(self._service.tls.engine(self._stream.domain))

    def demand(self, domain: str) -> Demand:
        """The operator's word."""
        return self._service.demand(domain)

    def verify(self, request: Verification) -> None:
        """Ask the authoritative server."""
        self._service.verify(request, partial(self._stream.verified, request))

    def authenticated(self, pair: Pair, method: str) -> None:
        """It is whom it claims to be."""
        if len(self.speaks_for) == 1:
            self.known_as(pair.sender)
        self._look_after(self._service.limits.login_timeout)
        self._log("server authenticated", domain=pair.sender, to=pair.to, method=method)

    def refused(self, domain: str, reason: str) -> None:
        """It is not, or could not show it."""
        self._log("server refused", domain=domain, reason=reason)
        self._service.failed(domain, self._connection.address[0], reason)

    def turned_around(self, pair: Pair) -> None:
        """XEP-0288: when the peer has turned on acknowledgements; or sends a stanza without, or nothing for a
        moment."""
        if self._outbox is not None or self._stream.identity is None:
            self._service.carry(pair, self)
        else:
            self._turned.append(pair)
            self._service.later(GRACE, self._carry)

    def managed(self) -> None:
        """What it is sent from now on is counted."""
        super().managed()
        self._carry()

    def _line(self) -> Arrivals:
        """Its first stanza is here: what answers it goes back the same way."""
        self._carry()
        return super()._line()

    def _carry(self) -> None:
        turned, self._turned = self._turned, []
        for pair in turned:
            if not self._stream.closed:
                self._service.carry(pair, self)

    def close(self) -> None:
        """The stream has said its last word: it carries nothing while the peer reads that."""
        super().close()
        self._service.drop(self)

    def left(self, words: str) -> None:
        """It says why it goes."""
        self._log("server left", domain=" ".join(self.speaks_for), reason=words)

    @property
    def speaks_for(self) -> list[str]:
        """Who it is."""
        return self._stream.speaks_for

    @property
    def says(self) -> str:
        """Who it is, or claims to be."""
        return " ".join(self.speaks_for) or self._stream.claimed

    @property
    def ours(self) -> list[str]:
        """Our domain that it connected to."""
        return [self._stream.domain or ""]

    def visit(self) -> None:
        """Before the peer is somebody, the deadline; then a look whether memory can be given back."""
        if not self._stream.is_authenticated:
            if self._stream.domain is not None:
                self._log("server refused", domain=self.says, reason="it did not show in time who it is")
            text = "you did not show in time who you are"
            self._stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, text))
            return
        if self._has_expired():
            self.judge_again()
        if self._service.clock() - self._connection.last_received >= REST_AFTER:
            self._stream.rest()
        self._say_something("")
        self._look_after(KEEP_ALIVE)

    def _log(self, event: str, **facts: str) -> None:
        log.info(event, extra={"address": self._connection.address[0], **facts})


class OutgoingConnection(PeerConnection):
    """A connection that we made to send for a pair of domains, or to have keys verified."""

    __slots__ = ("_direct_tls", "_note", "_owner", "_stream", "failure", "is_over", "not_external")
    _stream: OutgoingStream

    def __init__(
        self,
        service: PeerService,
        pair: Pair,
        terms: Terms,
        direct_tls: bool,
        owner: Owner,
        note: Callable[[str, str], None],
        verifications: tuple[Verification, ...] = (),
        present: Present | None = None,
    ) -> None:
        """`present` judges the peer's certificate in the place of the service's own, as with DANE."""
        super().__init__(service, present)
        self._owner = owner
        self._note = note
        self._direct_tls = direct_tls
        self.failure = ""
        self.is_over = False
        self._stream = OutgoingStream(self, service.settings, pair, terms, direct_tls, verifications)

    def take_over(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Go on with this socket, which is connected and does not block."""
        Connection(lambda: self, self._service.limits.connection).accepted(sock, address)

    def _engine(self) -> TlsEngine:
        return self._service.outgoing_tls.engine(*self._stream.pair, self._direct_tls)

    @property
    def pair(self) -> Pair:
        """What it was opened for."""
        return self._stream.pair

    @property
    def pairs(self) -> set[Pair]:
        """What the peer takes."""
        return self._stream.pairs

    @property
    def speaks_for(self) -> list[str]:
        """Whom we connected to."""
        return [self.pair.to]

    @property
    def ours(self) -> list[str]:
        """Our domains that it carries."""
        return sorted({pair.sender for pair in self.pairs} or {self.pair.sender})

    @property
    def takes_more(self) -> bool:
        """Whether other domains of ours may be tried."""
        return self._stream.takes_more and not self._stream.closed

    @property
    def external_failed(self) -> str:
        """Why our certificate was refused, if it was."""
        return self._stream.external_failed

    def authorize(self, pair: Pair) -> bool:
        """Ask to be let send for another pair."""
        return self._stream.authorize(pair)

    # The connection's handler

    def connected(self, connection: Connection) -> None:
        """The connection stands; of a failed handshake, we want to hear."""
        self._connection = connection
        self._service.outgoing.add(self)
        self._look_after(min(KEEP_ALIVE, self._service.limits.idle_timeout))
        if self._direct_tls:
            self.start_tls()
        else:
            self._stream.start()

    def secured(self) -> None:
        """TLS stands: open the stream, or open it anew (RFC 6120 §5.4.3.3)."""
        assert self._connection.tls is not None
        self._note_tls(self._connection.tls)
        self._stream.start()

    def lost(self, reason: str) -> None:
        """It is over."""
        self._stream.lost()
        self._gone()
        self._service.outgoing.discard(self)
        self._service.rounds.miss(self)
        self._over(reason)
        self._let_go()

    def _over(self, reason: str) -> None:
        if not self.is_over:
            self.is_over = True
            self._owner.ended(self, self.failure or reason)

    # The stream's host

    def start_tls(self) -> None:
        """Direct TLS or STARTTLS."""
        self._connection.start_tls(self._engine())

    def close(self) -> None:
        """The stream has said its last word: nothing can be sent any more."""
        super().close()
        self._over("closed")

    def note(self, event: str, detail: str = "") -> None:
        """A step."""
        self._note(event, detail)

    def ready(self, pair: Pair) -> None:
        """The peer takes stanzas."""
        self.known_as(self.pair.to)
        self._look_after(min(KEEP_ALIVE, self._service.limits.idle_timeout))
        self._owner.ready(self, pair)

    def refused(self, pair: Pair, reason: str, is_lasting: bool) -> None:
        """It does not."""
        self._owner.refused(self, pair, reason, is_lasting)

    def failed(self, reason: str) -> None:
        """Why it will end."""
        self.failure = self.failure or reason

    def end(self, error: StreamError | None = None) -> None:
        """Close the stream."""
        self.failure = self.failure or ("" if error is None else str(error))
        super().end(error)

    def verified(self, request: Verification, verified: Verified) -> None:
        """A key is the authoritative server's, or not."""
        self._owner.verified(request, verified)

    def _note_tls(self, tls: TlsEngine) -> None:
        self._note("encrypted", f"{tls.version}, {tls.cipher}")
        self.distrust(self.pair.to)
        self._note("certificate", str(self._identity))

    def visit(self) -> None:
        """A stream that nobody uses is closed; one that is used little is kept alive."""
        now, longest = self._service.clock(), self._service.limits.idle_timeout
        unused = now - self._used
        if self._has_expired():
            self.judge_again()
        if unused >= longest:
            self.failure = self.failure or "idle"
            self._stream.finish()
            return
        if now - self._connection.last_received >= REST_AFTER:
            self._stream.rest()
        self._say_something(" ")
        self._look_after(min(KEEP_ALIVE, longest - unused))
