"""A client's connection: joins the socket, the stream and the session, and watches the clock."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from commonroom.accounts.interfaces import Accounts
from commonroom.accounts.throttle import Throttle
from commonroom.core.questions import NoAnswer, Questions, Timer
from commonroom.core.resumption import Resumption
from commonroom.core.session import Session
from commonroom.core.sessions import Sessions
from commonroom.net.connection import Connection, Pause
from commonroom.net.listener import origin_of
from commonroom.net.tls import ChannelBinding, TlsContexts, TlsEngine
from commonroom.protocol.c2s import Bound, ServerStream, StreamSettings
from commonroom.protocol.c2s_host import Resumed
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.stanza import Iq
from commonroom.protocol.stream_management import Resume
from commonroom.storage.errors import StorageError

log = logging.getLogger(__name__)

Found = TypeVar("Found")

# Seconds of silence after which a stream gives up most of its memory; it is looked at as often.
REST_AFTER = 60.0

CHANNEL_BINDINGS: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-unique", "tls-server-end-point")
CHANNEL_BINDINGS_1_3: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-server-end-point")


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Times in seconds; see `[c2s]` in docs/configuration.md."""

    login_timeout: float
    idle_ping_after: float
    idle_ping_timeout: float
    stanzas_per_second: float
    stanza_burst: float


@dataclass(frozen=True, slots=True)
class ClientService:
    """What all client connections share.

    `start` runs a coroutine under an owner; `later` calls a function after so many seconds of `clock`.
    """

    stream_settings: StreamSettings
    limits: ClientLimits
    tls: TlsContexts
    accounts: Accounts
    throttle: Throttle
    sessions: Sessions
    resumption: Resumption
    questions: Questions
    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
    sleep: Callable[[float], Awaitable[None]]
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    connected: set["ClientConnection"] = field(default_factory=set)


class ClientConnection:
    """The handler of one client's `Connection`, the host of its stream, and the stream of its session."""

    __slots__ = (
        "_allowance",
        "_connection",
        "_deadline",
        "_refilled",
        "_revision",
        "_service",
        "_session",
        "_stream",
        "_timer",
    )
    _connection: Connection
    _timer: Timer

    def __init__(self, service: ClientService, needs_tls: bool) -> None:
        self._service = service
        self._stream = ServerStream(self, service.stream_settings, needs_tls)
        self._session: Session | None = None
        self._revision = 0  # of the account whose password was looked at last
        self._allowance = service.limits.stanza_burst
        self._refilled = service.clock()

    # The connection's handler

    def connected(self, connection: Connection) -> None:
        """The client is there, and has until the deadline to log in, whatever it sends.

        The time runs from the first packet: a handshake of direct TLS is part of it.
        """
        self._connection = connection
        self._service.connected.add(self)
        self._deadline = connection.connected_at + self._service.limits.login_timeout
        self._timer = self._service.later(self._deadline - self._service.clock(), self._too_late)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._session is not None:
            self._session.heard()
        elements = self._stream.receive(data)
        self._allowance -= elements
        if self._allowance < 0:
            self._slow_down(elements)

    def secured(self) -> None:
        """TLS stands; the client opens its stream anew (RFC 6120 §5.4.3.3)."""

    def lost(self, reason: str) -> None:
        """The connection is gone, however it went."""
        self._stream.lost()
        self._service.connected.discard(self)
        self._timer.cancel()
        session, self._session = self._session, None
        if session is not None:
            self._service.resumption.lost(session)
            self._log("session ended" if session.closed else "session waits", session.jid, reason=reason)

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
        if tls is None:
            return {}
        if tls.version == "TLSv1.3":  # there it is known what there is, and to derive it would cost 10 µs
            end_point = tls.channel_binding("tls-server-end-point")
            types = CHANNEL_BINDINGS_1_3 if end_point is not None else CHANNEL_BINDINGS_1_3[:1]
            return {kind: partial(_binding_data, tls, kind) for kind in types}
        found = {kind: tls.channel_binding(kind) for kind in CHANNEL_BINDINGS}
        return {kind: partial(bytes, data) for kind, data in found.items() if data is not None}

    def find_keys(
        self, account: JID | None, hash_name: str, answer: Callable[[ScramKeys | SaslCondition | None], None]
    ) -> None:
        """Look SCRAM keys up."""
        question = partial(self._keys, account, hash_name)
        self._service.start(self._look_up(account, question, answer))

    def check_password(
        self, account: JID | None, password: str, answer: Callable[[bool | SaslCondition], None]
    ) -> None:
        """Check a PLAIN password; for a name that cannot be an account's, as one that does not exist."""
        nobody = JID.of(None, self._service.stream_settings.domains[0])
        question = partial(self._is_password, account or nobody, password)
        self._service.start(self._look_up(account, question, answer))

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        """Remember it, so that the next attempt has to wait; a name that is none is no account's failure."""
        if condition is SaslCondition.NOT_AUTHORIZED:
            self._service.throttle.failed(account, origin_of(self._connection.address[0]))
        self._log("login failed", account, mechanism=mechanism, reason=condition.value)

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        """The client is who it says it is."""
        self._service.throttle.succeeded(account, origin_of(self._connection.address[0]))
        self._log("logged in", account, mechanism=mechanism)

    def resume_session(self, account: JID, wish: Resume, answer: Resumed) -> None:
        """Go on with the session of a former stream."""

        def resumed(outcome: Session | StanzaError | StreamError, handled: int | None) -> None:
            if isinstance(outcome, Session):
                self._log("session resumed", outcome.jid)
                self._bound(outcome, lambda session: answer(session, handled))
            else:
                answer(outcome, handled)

        self._service.resumption.resume(account, wish, self, resumed)

    def bind(self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]) -> None:
        """Bind a resource; at once, if the account is in memory, as after a login it should be."""
        try:
            session = self._service.sessions.open_now(account, self._revision, resource, self)
        except StanzaError as error:
            answer(error)
            return
        if session is None:
            self._service.start(self._bind_later(account, resource, answer))
        else:
            self._bound(session, answer)

    async def _keys(self, account: JID | None, hash_name: str) -> ScramKeys | None:
        if account is None:
            return None
        keys, self._revision = await self._service.accounts.keys(account, hash_name)
        return keys

    async def _is_password(self, account: JID, password: str) -> bool:
        right, self._revision = await self._service.accounts.check_password(account, password)
        return right

    async def _look_up(
        self,
        account: JID | None,
        question: Callable[[], Awaitable[Found]],
        answer: Callable[[Found | SaslCondition], None],
    ) -> None:
        """Answer a question about an account, after the delay that other attempts have earned it."""
        throttle, origin = self._service.throttle, origin_of(self._connection.address[0])
        delay = throttle.delay(account, origin)
        throttle.began(account, origin)
        try:
            await self._wait(delay)
            if not self._stream.closed:  # or what it costs would be for nobody
                answer(await self._found(question))
        finally:
            throttle.ended(account, origin)

    async def _wait(self, delay: float) -> None:
        """Never more than half of the time left: a delay that outlasts the deadline would be a lock-out."""
        delay = min(delay, (self._deadline - self._service.clock()) / 2)
        if delay > 0:
            await self._service.sleep(delay)

    async def _found(self, question: Callable[[], Awaitable[Found]]) -> Found | SaslCondition:
        try:
            return await question()
        except StorageError as error:
            log.warning("accounts cannot be read", extra={"reason": str(error)})
            return SaslCondition.TEMPORARY_AUTH_FAILURE

    async def _bind_later(
        self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]
    ) -> None:
        try:
            session = await self._service.sessions.open(account, self._revision, resource, self)
        except StanzaError as error:
            answer(error)
            return
        except StorageError:
            self.fail(StreamError(StreamCondition.INTERNAL_SERVER_ERROR, "the account cannot be read now"))
            return
        self._bound(session, answer)

    def _bound(self, session: Session, answer: Callable[[Bound | StanzaError], None]) -> None:
        self._session = session
        if self._stream.closed:  # the client left meanwhile
            self._end_session("closed")
            return
        self._timer.cancel()
        self._watch()
        answer(session)

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
            self._log("session ended", session.jid, reason=reason)

    def _log(self, event: str, account: JID | None, **facts: str) -> None:
        log.info(event, extra={"jid": account, "address": self._connection.address[0], **facts})

    # The clock

    def _too_late(self) -> None:
        self._stream.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "the login took too long"))

    def _watch(self) -> None:
        """One timer for each connection, set anew when it fires: nothing to do for a stanza."""
        patience = self._service.limits.idle_ping_after
        silent = self._service.clock() - self._connection.last_received
        if silent >= patience:
            self._ask_whether_alive()
            return
        if silent >= REST_AFTER:
            self._stream.rest()
        self._watch_in(min(REST_AFTER, patience - silent))

    def _watch_in(self, delay: float) -> None:
        self._timer = self._service.later(delay, self._watch)

    def _ask_whether_alive(self) -> None:
        if self._session is None:
            return
        patience = self._service.limits.idle_ping_timeout
        try:
            self._service.questions.ask_whether_alive(self._session, self._heard, patience)
        except StanzaError:  # it owes us too many answers already: look again when they are overdue
            self._watch_in(patience)

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
            self._watch()

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


def _binding_data(tls: TlsEngine, kind: ChannelBinding) -> bytes:
    """Nothing, where there is nothing: who asked refuses to bind to that."""
    return tls.channel_binding(kind) or b""
