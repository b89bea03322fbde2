"""RFC 6120 §4.4, §5.4, §13.12: one TCP connection, in the clear or over TLS, for every kind of stream."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag
from math import inf
from typing import Protocol, cast

from commonroom.net.tls import TlsEngine, TlsError

log = logging.getLogger(__name__)

# Seconds. Streams ask their peers themselves; this finds the dead ones that nobody asks, or writes to.
KEEPALIVE_AFTER, KEEPALIVE_EVERY, KEEPALIVE_PROBES = 600, 60, 4
UNACKNOWLEDGED = 120  # what was sent
SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),  # we gather what belongs together ourselves
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_AFTER),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_EVERY),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", UNACKNOWLEDGED * 1000),
)


# What came at once is handled in portions of so many bytes. Others have their turn between two of them, and a
# pause takes effect within one: a read of 256 KiB can hold thousands of stanzas, each with a large answer.
PORTION = 4096
# Characters. So much is sent without waiting for the end of the turn: what then waits unsent is counted.
EARLY = 65_536


class Handler(Protocol):
    """What a connection talks to: one kind of stream."""

    def connected(self, connection: "Connection") -> None:
        """There is somebody to talk to; with direct TLS, in secret. The first call, too early to pause."""

    def receive(self, data: bytes) -> None:
        """The peer sent this. Not called while paused, nor after `close` or `abort`."""

    def secured(self) -> None:
        """The handshake that `start_tls` began is done."""

    def lost(self, reason: str) -> None:
        """It is over. The last call, exactly one, and never from within a call of the handler's own."""


class Gate(Protocol):
    """Who may connect (RFC 6120 §13.12)."""

    def enter(self, host: str) -> bool:
        """Count a connection from the IP address; False if there is no room for it."""

    def leave(self, host: str) -> None:
        """Forget one that entered."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may use; times in seconds. See `[c2s]` in docs/configuration.md."""

    linger: float = 2.0
    handshake_timeout: float = 30.0
    bytes_per_second: float = inf
    byte_burst: float = inf
    pending_bytes: int = 4 * 1024 * 1024


class Pause(Flag):
    """Why nothing is read at the moment; reading goes on when no reason is left."""

    NONE = 0
    RATE = 1  # bytes
    STANZAS = 2  # the handler's own rate
    PARKED = 4  # the handler is busy with what it has
    PORTIONS = 8  # not all is handled of what was read
    UNSENT = 16  # the peer does not take what it is sent


class _State(Enum):
    HANDSHAKE = 1  # direct TLS; there is no handler yet
    OPEN = 2
    UPGRADE = 3  # the handshake after STARTTLS
    ENDING = 4  # we have said our last; what still comes is read and thrown away
    GONE = 5


# A member of an Enum costs 0.1 µs to look up, a global hardly anything.
_HANDSHAKE, _OPEN, _UPGRADE, _ENDING, _GONE = _State
_UNPAUSED = Pause.NONE


class Connection(asyncio.Protocol):
    """Moves bytes between a socket and a handler. `write` gathers; each turn of the loop sends once."""

    __slots__ = (
        "_allowance",
        "_deadline",
        "_direct_tls",
        "_gate",
        "_handler",
        "_has_handler",
        "_limits",
        "_loop",
        "_make_handler",
        "_outbox",
        "_outbox_size",
        "_pauses",
        "_rate_timer",
        "_reason",
        "_refilled",
        "_state",
        "_told_lost",
        "_transport",
        "_unread",
        "address",
        "bytes_received",
        "bytes_sent",
        "connected_at",
        "last_received",
        "tls",
    )
    _handler: Handler
    _transport: asyncio.Transport
    _loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        handler: Callable[[], Handler],
        limits: ConnectionLimits,
        gate: Gate | None = None,
        direct_tls: Callable[[], TlsEngine] | None = None,
    ) -> None:
        """`direct_tls` is called when the gate let the peer in, `handler` when that handshake is done."""
        self._make_handler = handler
        self._has_handler = self._told_lost = False
        self._limits = limits
        self._gate = gate
        self._direct_tls = direct_tls
        self._state = _GONE
        self._outbox: list[str] = []
        self._outbox_size = 0
        self._unread = b""
        self._pauses = Pause.NONE
        self._allowance = limits.byte_burst
        self._deadline: asyncio.TimerHandle | None = None
        self._rate_timer: asyncio.TimerHandle | None = None
        self._reason = "closed"
        self.tls: TlsEngine | None = None  # None in the clear
        self.address = ("", 0)  # IP address and port of the peer
        self.bytes_received = self.bytes_sent = 0  # on the wire

    # What the handler calls

    @property
    def secure(self) -> bool:
        """Whether what is written now is encrypted."""
        return self.tls is not None and self.tls.handshake_done

    def write(self, text: str) -> bool:
        """Send this with what else is written in this turn of the loop; False after the end."""
        if not self._outbox:
            if self._state is _ENDING or self._state is _GONE:
                return False
            self._loop.call_soon(self._flush)
        self._outbox.append(text)
        self._outbox_size += len(text)
        if self._outbox_size > EARLY:
            self._flush()
        return self._state is not _ENDING

    def start_tls(self, engine: TlsEngine) -> None:
        """What was written goes out in the clear; all that comes from now on is TLS (RFC 6120 §5.4.2.3).

        Nothing that came before is kept here; the handler discards what it holds (RFC 6120 §5.4.3.3).
        """
        if self.tls is not None or self._state is not _OPEN:
            raise RuntimeError(f"start_tls on a connection that is {self._state.name}")
        self._flush()
        self._begin_handshake(engine, _UPGRADE)

    def close(self, final: str = "") -> None:
        """Send what was written and `final`, then end, so that the peer can read it (RFC 6120 §4.4)."""
        if self._state is _UPGRADE:  # there is nobody to tell
            self.abort("closed")
        if self._state is _OPEN:
            self._outbox.append(final)
            self._flush()
            if self._state is _OPEN:  # and no slow reader, just now
                self._end()

    def abort(self, reason: str = "aborted") -> None:
        """End at once; what was written is lost."""
        if self._state is not _GONE:
            self._state = _ENDING
            self._outbox.clear()
            self._reason = reason
            self._transport.abort()

    def pause(self, reason: Pause = Pause.PARKED) -> None:
        """Read nothing until each reason to pause was taken back by `resume`."""
        if self._transport.is_closing():
            return
        if not self._pauses:
            self._transport.pause_reading()
        self._pauses |= reason

    def resume(self, reason: Pause = Pause.PARKED) -> None:
        """Take one reason back."""
        if reason not in self._pauses:
            return
        self._pauses &= ~reason
        if self._pauses is Pause.PORTIONS:
            self._loop.call_soon(self._next_portion)
        elif not self._pauses and not self._transport.is_closing():
            self._transport.resume_reading()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self.connected_at = self.last_received = self._refilled = self._loop.time()
        if not self._enter(transport.get_extra_info("peername")):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=min(EARLY, self._limits.pending_bytes))
        try:
            if self._direct_tls is None:
                self._open()
            else:
                self._begin_handshake(self._direct_tls(), _HANDSHAKE)
        except BaseException:
            self._transport.abort()  # after a bug here uvloop would keep it open, and nobody would read it
            raise

    def data_received(self, data: bytes) -> None:
        size = len(data)
        self.last_received = self._loop.time()
        self.bytes_received += size
        self._allowance -= size
        if self._allowance < 0:
            self._slow_down()
        if self._state is not _OPEN:
            self._receive_handshake(data)
            return
        tls = self.tls
        if tls is not None:
            try:
                data = tls.receive(data)
            except TlsError as error:
                self._tls_failed(error)
                return
        if data:
            if size <= PORTION:
                self._handler.receive(data)
            else:
                self._hand_over(data)
        if tls is not None and (tls.closed or tls.has_answer):
            self._answer_tls(tls)

    def eof_received(self) -> None:
        """The peer sends no more; nor do we, after what is under way. Returning None closes the transport."""
        self._peer_ended()

    def pause_writing(self) -> None:
        self.pause(Pause.UNSENT)  # who does not read the answers is not asked for more questions

    def resume_writing(self) -> None:
        self.resume(Pause.UNSENT)

    def connection_lost(self, exc: Exception | None) -> None:
        entered = self._state is not _GONE
        self._state = _GONE
        self._outbox.clear()
        self._unread = b""
        self._cancel_deadline()
        if self._rate_timer is not None:
            self._rate_timer.cancel()
        if entered:
            if self._gate is not None:
                self._gate.leave(self.address[0])
            self._tell_lost(self._reason if exc is None else _words(exc))
        self.tls = None  # its memory goes now, not when cycles are collected

    # Beginning

    def _enter(self, peername: tuple[str, int] | None) -> bool:
        """Learn the peer's address and ask the gate; False also for a peer that is gone already."""
        if peername is None:
            return False
        host = peername[0].removeprefix("::ffff:")  # IPv4 on a socket for both
        self.address = (host, peername[1])
        if self._gate is not None and not self._gate.enter(host):
            return False
        self._state = _OPEN
        return True

    def _open(self) -> None:
        self._state = _OPEN
        self._handler = self._make_handler()
        self._has_handler = True
        self._handler.connected(self)

    def _begin_handshake(self, engine: TlsEngine, state: _State) -> None:
        self.tls = engine
        self._state = state
        self._unread = b""
        self._deadline = self._loop.call_later(
            self._limits.handshake_timeout, self._fail, "the TLS handshake took too long"
        )

    def _receive_handshake(self, data: bytes) -> None:
        tls = self.tls
        if tls is None or self._state is _ENDING or self._state is _GONE:
            return  # thrown away, see `_end`
        try:
            data = tls.receive(data)
        except TlsError as error:
            self._tls_failed(error)
            return
        self._transmit(tls.outgoing())
        if tls.handshake_done:
            self._handshake_done(tls, data)

    def _handshake_done(self, tls: TlsEngine, data: bytes) -> None:
        self._cancel_deadline()
        if self._state is _HANDSHAKE:
            self._open()
        else:
            self._state = _OPEN
            self._handler.secured()
            self._flush()
        if data and self._state is _OPEN:
            self._hand_over(data)
        if tls.closed:
            self._tls_closed()

    # Receiving

    def _hand_over(self, data: bytes) -> None:
        if len(data) <= PORTION:
            self._handler.receive(data)
        else:
            self.pause(Pause.PORTIONS)
            self._unread = data
            self._next_portion()

    def _next_portion(self) -> None:
        if self._state is not _OPEN or self._pauses is not Pause.PORTIONS:
            return
        portion, self._unread = self._unread[:PORTION], self._unread[PORTION:]
        self._handler.receive(portion)
        if self._unread:
            self._loop.call_soon(self._next_portion)
            return
        self.resume(Pause.PORTIONS)
        if self.tls is not None and self.tls.closed:
            self._tls_closed()

    # Sending

    def _flush(self) -> None:
        """One join, one record, one write for everything that was written in this turn."""
        if self._state is not _OPEN or not self._outbox:
            return
        outbox, self._outbox = self._outbox, []
        self._outbox_size = 0
        try:
            data = "".join(outbox).encode()
        except (UnicodeEncodeError, TypeError):
            self.abort("internal error")  # the peer must not take a stream with a gap for a whole one
            raise
        if self.tls is not None:
            data = self.tls.send(data)
        self.bytes_sent += len(data)
        self._transport.write(data)
        if self._pauses is not _UNPAUSED:
            self._check_unsent()

    def _transmit(self, data: bytes) -> None:
        """Write what is encrypted already, or nothing."""
        if data:
            self.bytes_sent += len(data)
            self._transport.write(data)
            self._check_unsent()

    def _check_unsent(self) -> None:
        """What the system does not take waits, up to `pending_bytes`: a slow reader costs only itself.

        What is lost is sent again when its session is resumed.
        """
        if self._transport.get_write_buffer_size() > self._limits.pending_bytes:
            self.abort("slow reader")

    # Rate

    def _slow_down(self) -> None:
        """Stop reading until the rate allows what was read (RFC 6120 §13.12, rule 6); nothing is dropped.

        The bucket is filled up only when it is empty: a burst after silence can be twice `byte_burst`.
        """
        now, limits = self.last_received, self._limits
        earned = (now - self._refilled) * limits.bytes_per_second
        self._allowance = min(limits.byte_burst, self._allowance + earned)
        self._refilled = now
        if self._allowance < 0:
            self.pause(Pause.RATE)
            wait = -self._allowance / limits.bytes_per_second
            self._rate_timer = self._loop.call_later(wait, self.resume, Pause.RATE)

    # Ending

    def _end(self) -> None:
        """Say that no more comes, and read on for a while without looking.

        A socket closed with data unread resets the connection, and the peer never sees why.
        """
        self._say_goodbye()
        self._unread = b""
        if self._transport.is_closing():  # a slow reader, just now
            return
        self._transport.write_eof()
        if self._pauses:
            self._pauses = Pause.NONE
            self._transport.resume_reading()

    def _answer_tls(self, tls: TlsEngine) -> None:
        if tls.has_answer and self._state is _OPEN:
            tls.has_answer = False
            self._transmit(tls.outgoing())
        if tls.closed:
            self._tls_closed()

    def _tls_closed(self) -> None:
        if self._state is _OPEN and not self._unread:
            self._peer_ended()
            self._transport.close()

    def _peer_ended(self) -> None:
        if self._state is _OPEN:
            self._flush()
        if self._state is not _ENDING:
            self._say_goodbye()
            self._tell_lost("closed by the peer")

    def _say_goodbye(self) -> None:
        if self.tls is not None:
            self.tls.close()  # RFC 6120 §4.4 asks for a close_notify
            self._transmit(self.tls.outgoing())
        self._state = _ENDING
        self._cancel_deadline()
        self._deadline = self._loop.call_later(self._limits.linger, self._transport.abort)

    def _tls_failed(self, error: TlsError) -> None:
        """The alert goes out, but nothing of the stream (RFC 6120 §5.4.3.2)."""
        if error.plaintext and self._state is _OPEN:
            self._handler.receive(error.plaintext[:PORTION])
        if self._state is not _ENDING and self._state is not _GONE:
            self._fail(f"TLS: {error.reason}")

    def _fail(self, reason: str) -> None:
        self._outbox.clear()
        self._end()
        self._tell_lost(reason)

    def _tell_lost(self, reason: str) -> None:
        if self._told_lost:
            return
        self._told_lost = True
        if self._has_handler:
            self._handler.lost(reason)
        elif self.bytes_received:  # not for a monitor that only looks whether the port is open
            log.info("TLS handshake failed", extra={"address": self.address[0], "reason": reason})

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def tune(sock: socket.socket) -> None:
    """Set what a stream's socket needs. Linux hands it on from a socket that listens to those it accepts."""
    for level, name, value in SOCKET_OPTIONS:
        if hasattr(socket, name):  # some are Linux's own
            sock.setsockopt(level, getattr(socket, name), value)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return f"internal error ({type(error).__name__})"
