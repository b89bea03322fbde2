"""A client's connection: joins the socket, the stream and the session, and watches the clock."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from commonroom.accounts.devices import Devices
from commonroom.accounts.interfaces import Accounts
from commonroom.accounts.throttle import Throttle
from commonroom.core.bind2 import Bind2
from commonroom.core.questions import NoAnswer, Questions, Timer
from commonroom.core.resumption import Resumption
from commonroom.core.session import Session
from commonroom.core.sessions import Sessions
from commonroom.net.channel_bindings import channel_bindings
from commonroom.net.connection import Connection
from commonroom.net.limits import Pause
from commonroom.net.login import Desk
from commonroom.net.rounds import NONE, Rounds
from commonroom.net.seen import Event, Seen, Witness, unseen
from commonroom.net.tls import TlsContexts, TlsEngine
from commonroom.protocol.bind2 import BindRequest
from commonroom.protocol.c2s import Bound, ServerStream, StreamSettings
from commonroom.protocol.c2s_host import Resumed
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq
from commonroom.protocol.stream_management import Resume
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element

log = logging.getLogger(__name__)

# After so many seconds of silence a connection gives up what it can do without.
REST_AFTER = 1.0
# Appointments may be kept by so many seconds too late.
GRAIN = 1.0
# So many reads after the login, and after a rest, leave no parser behind: what is freed between blocks that
# stay is of use to nobody (docs/decisions/0016-idle-memory.md).
READS_AFTER_LOGIN = 8
READS_AFTER_REST = 2


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Times in seconds; see `[c2s]` in docs/configuration.md."""

    login_timeout: float
    idle_ping_after: float
    idle_ping_timeout: float
    stanzas_per_second: float
    stanza_burst: float


@dataclass(slots=True)
class ClientService:
    """What all client connections share.

    `start` runs a coroutine under an owner; `later` calls a function after so many seconds of `clock`.
    """

    stream_settings: StreamSettings
    limits: ClientLimits
    tls: TlsContexts
    accounts: Accounts
    devices: Devices
    throttle: Throttle
    sessions: Sessions
    bind2: Bind2
    resumption: Resumption
    questions: Questions
    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
    sleep: Callable[[float], Awaitable[None]]
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    witness: Witness = unseen
    certified: Callable[[TlsEngine | None, str], tuple[JID, ...]] | None = None
    connected: set["ClientConnection"] = field(default_factory=set)
    rounds: Rounds["ClientConnection"] = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(self.later, GRAIN, ClientConnection.visit)


class ClientConnection:
    """The handler of one client's `Connection`, the host of its stream, and the stream of its session."""

    __slots__ = (
        "_allowance",
        "_connection",
        "_fleeting",
        "_refilled",
        "_service",
        "_session",
        "_stream",
        "appointment",
        "desk",
    )
    _connection: Connection
    desk: Desk  # until there is a session

    def __init__(self, service: ClientService, needs_tls: bool) -> None:
        self._service = service
        self._stream = ServerStream(self, service.stream_settings, needs_tls)
        self._session: Session | None = None
        self._allowance = service.limits.stanza_burst
        self._refilled = service.clock()
        self._fleeting = 0  # reads to come that leave no parser behind
        self.appointment = NONE

    # The connection's handler

    def connected(self, connection: Connection) -> None:
        """The client is there, and has until the deadline to log in, whatever it sends.

        The time runs from the first packet: a handshake of direct TLS is part of it.
        """
        self._connection = connection
        self._service.connected.add(self)
        deadline = connection.connected_at + self._service.limits.login_timeout
        domain = self._service.stream_settings.domains[0]
        self.desk = Desk(self._service, self._stream, self.write, connection.address[0], deadline, domain)
        now = self._service.clock()
        self._service.rounds.meet(self, now, deadline - now)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        session = self._session
        if session is not None and session.outbox is not None:
            session.heard()
        elements = self._stream.receive(data)
        self._allowance -= elements
        if self._allowance < 0:
            self._slow_down(elements)
        if self._fleeting:
            self._read_in_passing()

    def secured(self) -> None:
        """TLS stands; the client opens its stream anew (RFC 6120 §5.4.3.3)."""

    def lost(self, reason: str) -> None:
        """The connection is gone, however it went."""
        self._stream.lost()
        self._service.connected.discard(self)
        self._service.rounds.miss(self)
        session, self._session = self._session, None
        if session is not None:
            self._service.resumption.lost(session)
            event = Event.SESSION_ENDED if session.closed else Event.SESSION_WAITS
            self._log(event, session.jid, reason=reason)
        self._stream.let_go()
        self._leave_desk()

    # The stream's host

    def write(self, text: str) -> None:
        """Send to the client; one that is cut off is not listened to any more either."""
        if not self._connection.write(text):
            self._stream.lost()

    def start_tls(self) -> None:
        """STARTTLS."""
        self._connection.start_tls(self._service.tls.engine(self._stream.domain))

    def close(self) -> None:
        """The stream has said its last word. Reading goes on, or the client might not get to see it."""
        self._connection.close()
        self._connection.resume(Pause.STANZAS)
        self._end_session("closed")

    def channel_bindings(self) -> Mapping[str, Callable[[], bytes]]:
        """The types for which this connection has data (XEP-0440 §2)."""
        tls = self._connection.tls
        return {} if tls is None else channel_bindings(tls)

    def certified(self, domain: str) -> tuple[JID, ...]:
        """The accounts that the client's certificate names, if one of our authorities signed it."""
        certified = self._service.certified
        return () if certified is None else certified(self._connection.tls, domain)

    def resume_session(self, account: JID, wish: Resume, answer: Resumed) -> None:
        """Go on with the session of a former stream."""

        def resumed(outcome: Session | StanzaError | StreamError, handled: int | None) -> None:
            if isinstance(outcome, Session):
                self._log(Event.SESSION_RESUMED, outcome.jid)
                self._bound(outcome, lambda session: answer(session, handled))
            else:
                answer(outcome, handled)

        self._service.resumption.resume(account, wish, self, resumed)

    def bind(self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]) -> None:
        """Bind a resource; at once, if the account is in memory, as after a login it should be."""
        try:
            session = self._service.sessions.open_now(account, self.desk.revision, resource, self)
        except StanzaError as error:
            answer(error)
            return
        if session is None:
            self._service.start(self._bind_later(account, resource, answer))
        else:
            self._bound(session, answer)

    def bind_inline(
        self,
        account: JID,
        request: BindRequest,
        answer: Callable[[Bound | StanzaError, tuple[Element, ...]], None],
    ) -> None:
        """Bind a resource with what its session needs."""

        def bound(outcome: Session | StanzaError, told: tuple[Element, ...]) -> None:
            if isinstance(outcome, Session):
                self._bound(outcome, lambda session: answer(session, told))
            else:
                answer(outcome, told)

        self._service.bind2.bind(account, self.desk.revision, request, self, bound)

    async def _bind_later(
        self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]
    ) -> None:
        try:
            session = await self._service.sessions.open(account, self.desk.revision, resource, self)
        except StanzaError as error:
            answer(error)
            return
        except StorageError:
            self.fail(StreamError(StreamCondition.INTERNAL_SERVER_ERROR, "the account cannot be read now"))
            return
        self._bound(session, answer)

    def _bound(self, session: Session, answer: Callable[[Bound | StanzaError], None]) -> None:
        self._session = session
        self._leave_desk()
        self._connection.come_in()
        if self._stream.closed:  # the client left meanwhile
            self._end_session("closed")
            return
        self._rest(READS_AFTER_LOGIN)
        self._look_after(REST_AFTER)
        answer(session)

    def _leave_desk(self) -> None:
        """Nothing of the login is left, and no circle."""
        if hasattr(self, "desk"):
            del self.desk

    # What the session asks as well

    @property
    def closed(self) -> bool:
        """Whether nothing that is written arrives any more."""
        return self._stream.closed

    def fail(self, error: StreamError) -> None:
        """End the stream with an error; the session ends at once, not when the socket is closed."""
        self._stream.fail(error)

    def give_up(self) -> None:
        """The client came back over another connection (XEP-0198 §5)."""
        self._session = None
        self._stream.fail(StreamError(StreamCondition.CONFLICT, "resumed over another connection"))

    def pause(self) -> None:
        """The session or the stream is behind: read nothing more for now."""
        self._connection.pause(Pause.PARKED)

    def resume(self) -> None:
        """It has caught up."""
        self._connection.resume(Pause.PARKED)

    def _end_session(self, reason: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._service.sessions.close(session)
            self._log(Event.SESSION_ENDED, session.jid, reason=reason)

    def _log(self, event: Event, account: JID | None, **facts: str) -> None:
        address = self._connection.address[0]
        self._service.witness(event, account, address, facts)
        log.info(event.value, extra={"jid": account, "address": address, **facts})

    @property
    def tls(self) -> TlsEngine | None:
        """What protects the connection."""
        return self._connection.tls

    def seen(self) -> Seen:
        """What operators see."""
        it = self._connection
        tls = None if it.tls is None else it.tls.version
        return Seen(self._session, it.address[0], tls, it.connected_at, it.last_received)

    # The clock

    def visit(self) -> None:
        """The appointment: before the login it is the deadline, later a look whether anything still comes."""
        if self._session is None:
            self._stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "the login took too long"))
            return
        patience = self._service.limits.idle_ping_after
        silent = self._service.clock() - self._connection.last_received
        if silent >= patience:
            self._ask_whether_alive()
        elif silent >= REST_AFTER:
            self._rest(READS_AFTER_REST)
            self._look_after(patience - silent)
        else:
            self._look_after(min(REST_AFTER, patience) - silent)

    def _look_after(self, delay: float) -> None:
        self._service.rounds.meet(self, self._service.clock(), delay)

    def _read_in_passing(self) -> None:
        """The first bytes after a rest: if more come soon, memory is kept from then on."""
        if self._fleeting == READS_AFTER_REST:
            self._look_after(REST_AFTER)
        self._fleeting -= 1
        if self._fleeting:
            self._stream.rest()

    def _rest(self, fleeting: int) -> None:
        self._fleeting = fleeting
        self._stream.rest()

    def _ask_whether_alive(self) -> None:
        if self._session is None:
            return
        patience = self._service.limits.idle_ping_timeout
        try:
            self._service.questions.ask_whether_alive(self._session, self._heard, patience)
        except StanzaError:  # it owes us too many answers already: look again when they are overdue
            self._look_after(patience)

    def _heard(self, answer: Iq | NoAnswer) -> None:
        """Any byte is a sign of life, not only the answer (RFC 6120 §4.6.1)."""
        if answer is NoAnswer.CLOSED:
            return
        silent = self._service.clock() - self._connection.last_received
        if answer is NoAnswer.SILENT and silent >= self._service.limits.idle_ping_timeout:
            if self._session is not None and self._session.management is not None:
                self._connection.abort("no answer to a ping")  # it may come back (XEP-0198 §7)
                return
            self._stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "no answer to a ping"))
        else:
            self.visit()

    def _slow_down(self, last: int) -> None:
        """More stanzas than allowed: read on when the allowance has grown again.

        It grows only now, which costs nothing before: a burst after silence can be twice `stanza_burst`.
        """
        limits = self._service.limits
        now = self._service.clock()
        grown = (now - self._refilled) * limits.stanzas_per_second
        self._allowance = min(limits.stanza_burst, self._allowance + last + grown) - last
        self._refilled = now
        if self._allowance < 0 and not self._stream.closed:
            self._connection.pause(Pause.STANZAS)
            delay = -self._allowance / limits.stanzas_per_second
            self._service.later(delay, partial(self._connection.resume, Pause.STANZAS))
