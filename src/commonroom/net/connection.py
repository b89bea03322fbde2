"""RFC 6120 §4.4, §5.4, §13.12: one TCP connection, in the clear or over TLS, for every kind of stream."""

import asyncio
import logging
import socket
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from commonroom.net.channel import Channel
from commonroom.net.limits import ConnectionLimits, Gate, Pause
from commonroom.net.sockets import Turn
from commonroom.net.tls import RECORD_BYTES, SEAL_BYTES, TlsEngine, TlsError
from commonroom.net.watched import words_for

log = logging.getLogger(__name__)

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


class _State(Enum):
    HANDSHAKE = 1  # direct TLS; there is no handler yet
    OPEN = 2
    UPGRADE = 3  # the handshake after STARTTLS
    ENDING = 4  # we have said our last; what still comes is read and thrown away
    GONE = 5


# A member of an Enum costs 0.1 µs to look up, a global hardly anything.
_HANDSHAKE, _OPEN, _UPGRADE, _ENDING, _GONE = _State
_UNPAUSED = Pause.NONE


class Connection(Channel):
    """Moves bytes between a socket and a handler. `write` gathers; each turn of the loop sends once.

    The socket is read in portions (`ConnectionLimits`), one in each turn: others have theirs between two, and
    a pause takes effect within one. 256 KiB can hold thousands of stanzas, each with a large answer.
    """

    __slots__ = (
        "_allowance",
        "_deadline",
        "_direct_tls",
        "_gate",
        "_handler",
        "_has_handler",
        "_held",
        "_limits",
        "_make_handler",
        "_outbox",
        "_outbox_size",
        "_peer_done",
        "_rate_timer",
        "_reason",
        "_refilled",
        "_state",
        "_told_lost",
        "_turn",
        "address",
        "bytes_received",
        "connected_at",
        "last_received",
    )
    _handler: Handler
    _turn: Turn

    def __init__(
        self,
        handler: Callable[[], Handler],
        limits: ConnectionLimits,
        gate: Gate | None = None,
        direct_tls: Callable[[], TlsEngine] | None = None,
        waits: bool = False,
    ) -> None:
        """`direct_tls` is called when the gate let the peer in, `handler` when that handshake is done.

        `waits`: a newcomer until `come_in`, and not only while it shakes hands.
        """
        super().__init__(waits)
        self._make_handler = handler
        self._has_handler = self._told_lost = False
        self._limits = limits
        self._gate = gate
        self._direct_tls = direct_tls
        self._state = _GONE
        self._outbox: list[str] = []
        self._outbox_size = 0
        self._held = False  # OpenSSL has more, of which the socket does not tell
        self._peer_done = False
        self._allowance = limits.byte_burst
        self._deadline: asyncio.TimerHandle | None = None
        self._rate_timer: asyncio.TimerHandle | None = None
        self._reason = "closed"
        self.address = ("", 0)  # IP address and port of the peer
        self.bytes_received = 0  # on the wire; of a handshake a part

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
            if self._limits.beat:
                self._send_to_the_beat(self._limits.beat, self._turn)
            else:
                self._turn.add(self, self._loop)
        self._outbox.append(text)
        self._outbox_size += len(text)
        if self._outbox_size > EARLY:
            self.flush()
        return self._state is not _ENDING

    def start_tls(self, engine: TlsEngine) -> None:
        """What was written goes out in the clear; all that comes from now on is TLS (RFC 6120 §5.4.2.3).

        What came before is thrown away here; the handler discards what it holds (RFC 6120 §5.4.3.3).
        """
        if self.tls is not None or self._state is not _OPEN:
            raise RuntimeError(f"start_tls on a connection that is {self._state.name}")
        self._throw_away()  # before the peer is told to go on
        self.flush()
        self._begin_handshake(engine, _UPGRADE)

    def close(self, final: str = "") -> None:
        """Send what was written and `final`, then end, so that the peer can read it (RFC 6120 §4.4)."""
        if self._state is _UPGRADE:  # there is nobody to tell
            self.abort("closed")
        if self._state is _OPEN:
            self._outbox.append(final)
            self.flush()
            if self._state is _OPEN:  # and no slow reader, just now
                self._end()

    def abort(self, reason: str = "aborted") -> None:
        """End at once; what was written is lost."""
        if self._state is not _GONE:
            self._state = _ENDING
            self._shut(reason)

    def pause(self, reason: Pause = Pause.PARKED) -> None:
        """Read nothing until each reason to pause was taken back by `resume`."""
        if not self._closed:
            self._pauses |= reason  # the loop is told when something comes: mostly nothing does

    def resume(self, reason: Pause = Pause.PARKED) -> None:
        """Take one reason back."""
        if reason not in self._pauses:
            return
        self._pauses &= ~reason
        if not self._pauses:
            self._read_on()

    # What the loop calls

    def accepted(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        """Take over a socket that does not block."""
        self._own(asyncio.get_running_loop(), sock)
        self._turn = self._poll.turn
        self.connected_at = self.last_received = self._refilled = self._loop.time()
        if not self._enter(peer):
            self._sockets.remove(self._fd)
            sock.close()
            return
        self._closed = False
        try:
            if self._direct_tls is None:
                self._open()
            else:
                self._begin_handshake(self._direct_tls(), _HANDSHAKE)
        except Exception as error:
            self._shut(words_for(error))
            raise
        self._read_on()

    def readable(self) -> None:
        """There is something to read, or the end of it."""
        if self._state is _ENDING:
            self._discard()
        elif self._pauses is not _UNPAUSED:
            self._stop_reading()
        else:
            try:
                if self._state is _OPEN:
                    self._receive()
                else:
                    self._shake_hands()
            except Exception as error:  # a bug: nobody must go on as if nothing were missing
                self._shut(words_for(error))
                raise

    def writable(self) -> None:
        """The system takes more."""
        if self._closed:
            return
        self._watch(self._reading, False)
        unsent, self._unsent = self._unsent, None
        if unsent:
            self._send(unsent)
        if self._unsent is None and not self._closed:
            if self._state is _ENDING:
                self._finish()
            else:
                self.resume(Pause.UNSENT)
                if self.tls is not None:
                    self.readable()  # OpenSSL may have something of its own to send

    def flush(self) -> None:
        """One join, one record, one call of the system for everything that was written in this turn."""
        if self._state is not _OPEN or not self._outbox:
            return
        outbox, self._outbox = self._outbox, []
        self._outbox_size = 0
        try:
            data = "".join(outbox).encode()
        except (UnicodeEncodeError, TypeError):
            self.abort("internal error")  # the peer must not take a stream with a gap for a whole one
            raise
        if self._unsent is None:
            self._send(data)
        else:
            self._unsent += data
        if self._unsent is not None:
            self._check_unsent()

    # Beginning

    def _enter(self, peer: tuple[str, int]) -> bool:
        """Learn the peer's address and ask the gate."""
        host = peer[0].removeprefix("::ffff:")  # IPv4 on a socket for both
        self.address = (host, peer[1])
        if self._gate is not None and not self._gate.enter(host):
            return False
        self._state = _OPEN
        return True

    def _open(self) -> None:
        self._state = _OPEN
        self._handler, self._has_handler = self._make_handler(), True
        del self._make_handler  # which may know the handler
        self._handler.connected(self)

    def _begin_handshake(self, engine: TlsEngine, state: _State) -> None:
        engine.attach(self._fd)
        self._serve_with(self._poll.newcomers)
        self.tls = engine
        self._state = state
        self._deadline = self._loop.call_later(
            self._limits.handshake_timeout, self._fail, "the TLS handshake took too long"
        )
        if engine.initiates:
            self._loop.call_soon(self._say_hello)

    def _say_hello(self) -> None:
        if self._state in (_HANDSHAKE, _UPGRADE) and not self._closed:
            self._shake_hands()

    def _shake_hands(self) -> None:
        tls = self.tls
        assert tls is not None
        try:
            done = tls.shake_hands()
        except TlsError as error:
            self.bytes_received += SEAL_BYTES
            self._tls_failed(error)
            return
        except OSError as error:
            self._shut(words_for(error))
            return
        if tls.closed:
            self._peer_ended()
            return
        self.last_received = self._loop.time()
        self.bytes_received += SEAL_BYTES
        if done:
            self._handshake_done()
            if self._pauses is _UNPAUSED and self._state is _OPEN:
                self._receive()  # mostly the stream's header came with the client's last word
        elif tls.wants_write:
            self._await_writable()

    def _handshake_done(self) -> None:
        self._cancel_deadline()
        if not self._waits:
            self._serve_with(self._poll)
        if self._state is _HANDSHAKE:
            self._open()
        else:
            self._state = _OPEN
            self._handler.secured()
            self.flush()

    # Receiving

    def _receive(self) -> None:
        """One portion, of at most one record."""
        tls, portion = self.tls, self._limits.portion
        try:
            data = self._socket.recv(portion) if tls is None else tls.read(portion)
        except BlockingIOError:
            return
        except OSError as error:
            self._shut(words_for(error))
            return
        except TlsError as error:
            self._tls_failed(error)
            return
        size = len(data)
        if tls is not None:
            if size == portion and tls.has_more():
                self._hold()
            elif not size and self._nothing_read(tls):
                return
            size += SEAL_BYTES
        elif not size:
            self._peer_ended()
            return
        self.last_received = self._loop.time()
        self.bytes_received += size
        self._allowance -= size
        if self._allowance < 0:
            self._slow_down()
        if data:
            self._handler.receive(data)

    def _nothing_read(self, tls: TlsEngine) -> bool:
        """Whether it was the end; else it was a part of a record, or one that is not data."""
        if tls.closed:
            self._peer_ended()
            return True
        if tls.wants_write:
            self._await_writable()
        return False

    def _hold(self) -> None:
        self._held = True
        self._loop.call_soon(self._read_held)

    def _read_held(self) -> None:
        if self._held and self._pauses is _UNPAUSED and self._state is _OPEN:
            self._held = False
            self.readable()

    def _read_on(self) -> None:
        if self._closed:
            return
        self._start_reading()
        if self._held:
            self._loop.call_soon(self._read_held)

    def _discard(self) -> None:
        """A socket closed with data unread resets the connection, and the peer never sees why it ended."""
        try:
            ended = not self._socket.recv(RECORD_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._shut(words_for(error))
            return
        if ended:
            self._peer_done = True
            self._stop_reading()
            self._finish()

    # Sending

    def _check_unsent(self) -> None:
        """What the system does not take waits, up to `pending_bytes`: a slow reader costs only itself.

        What is lost is sent again when its session is resumed.
        """
        if self._unsent is not None and len(self._unsent) > self._limits.pending_bytes:
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
        """Say that no more comes, and read on for a while without looking (RFC 6120 §4.4)."""
        self._state = _ENDING
        self._cancel_deadline()
        self._deadline = self._loop.call_later(self._limits.linger, self._shut)
        self._finish()
        if not self._peer_done:
            self._read_on()

    def _finish(self) -> None:
        """Our last words, when all before them is out; then the end, when the peer has ended too."""
        if self._closed or self._unsent:
            return
        if self.tls is not None and not self.tls.close():  # RFC 6120 §4.4 asks for a close_notify
            self._await_writable()
        elif self._peer_done:
            self._shut()
        else:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._shut(words_for(error))

    def _peer_ended(self) -> None:
        """The peer sends no more; nor do we, after what is under way."""
        self._peer_done = True
        self.flush()
        self._stop_reading()
        if not self._closed:
            self._end()
            self._tell_lost("closed by the peer")

    def _tls_failed(self, error: TlsError) -> None:
        """The alert goes out, but nothing of the stream (RFC 6120 §5.4.3.2)."""
        self._fail(f"TLS: {error.reason}")

    def _fail(self, reason: str) -> None:
        if self._state is not _ENDING and self._state is not _GONE:
            self._outbox.clear()
            self._unsent = None
            self._end()
            self._tell_lost(reason)

    def _shut(self, reason: str | None = None) -> None:
        """The end. The handler learns of it in the next turn: it may be the one that brought it about."""
        if self._closed:
            return
        self._closed = True
        if reason is not None:
            self._reason = reason
        self._state = _ENDING
        self._outbox.clear()
        self._unsent = None
        self._reading = self._writing = False
        self._sockets.remove(self._fd)
        self._loop.call_soon(self._lost)

    def _lost(self) -> None:
        self._socket.close()
        self._state = _GONE
        self._cancel_deadline()
        if self._rate_timer is not None:
            self._rate_timer.cancel()
        self.tls = None  # its memory goes now, not when cycles are collected
        if self._gate is not None:
            self._gate.leave(self.address[0])
        self._tell_lost(self._reason)

    def _tell_lost(self, reason: str) -> None:
        if self._told_lost:
            return
        self._told_lost = True
        if self._has_handler:
            self._handler.lost(reason)
            self._has_handler = False
            del self._handler  # which knows us, and is not to wait for the collector
        elif self.bytes_received:  # not for a monitor that only looks whether the port is open
            log.info("TLS handshake failed", extra={"address": self.address[0], "reason": reason})

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
