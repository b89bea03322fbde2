"""RFC 6120 §5: a socket that does not block, in the clear or under TLS, and what it has not taken yet."""

import asyncio
import socket
from abc import ABC, abstractmethod
from select import EPOLLIN, EPOLLOUT

from commonroom.net.limits import Pause
from commonroom.net.sockets import FAILED, Poll, Turn, poll_of
from commonroom.net.tls import RECORD_BYTES, SEAL_BYTES, TlsEngine, TlsError
from commonroom.net.watched import Sockets, words_for


class Channel(ABC):
    """The lower half of a connection."""

    __slots__ = (
        "_closed",
        "_fd",
        "_loop",
        "_pauses",
        "_poll",
        "_reading",
        "_sent_at",
        "_socket",
        "_sockets",
        "_unsent",
        "_waits",
        "_writing",
        "bytes_sent",
        "tls",
    )
    _loop: asyncio.AbstractEventLoop
    _socket: socket.socket
    _fd: int
    _poll: Poll
    _sockets: Sockets  # among which ours is: the poll, or its newcomers

    def __init__(self, waits: bool = False) -> None:
        self._waits = waits
        self._closed = True  # the socket, for us
        self._pauses = Pause.NONE
        self._reading = self._writing = False  # what the socket is watched for
        self._sent_at = 0.0
        self._unsent: bytearray | None = None  # what the system did not take
        self.bytes_sent = 0  # on the wire, without the handshake
        self.tls: TlsEngine | None = None  # None in the clear

    @property
    def unsent(self) -> int:
        """How many bytes wait because the peer does not take them."""
        return 0 if self._unsent is None else len(self._unsent)

    @abstractmethod
    def readable(self) -> None:
        """There is something to read, or the end of it."""

    @abstractmethod
    def writable(self) -> None:
        """The system takes more."""

    @abstractmethod
    def flush(self) -> None:
        """Send what was written."""

    @abstractmethod
    def _shut(self, reason: str | None = None) -> None:
        """It is over."""

    def come_in(self) -> None:
        """Be no newcomer any more."""
        self._waits = False
        if not self._closed:
            self._serve_with(self._poll)

    def _own(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop, self._socket, self._fd = loop, sock, sock.fileno()
        self._poll = poll_of(loop)
        self._sockets = self._poll.newcomers if self._waits else self._poll
        self._reading = True
        self._sockets.add(self._fd, self, EPOLLIN)

    def _serve_with(self, sockets: Sockets) -> None:
        if sockets is not self._sockets:
            self._sockets.remove(self._fd)
            self._sockets = sockets
            sockets.add(self._fd, self, self._events())

    def _events(self) -> int:
        return (self._reading and EPOLLIN) | (self._writing and EPOLLOUT)

    def ready(self, events: int) -> None:
        """What epoll says of the socket."""
        if self._writing and events & ~EPOLLIN:
            self.writable()
        if self._reading and events & ~EPOLLOUT:
            self.readable()
        elif events & FAILED and not self._writing:
            self._shut("connection reset by peer")  # it is not read now, and can no longer be answered

    def _watch(self, reading: bool, writing: bool) -> None:
        if (reading, writing) != (self._reading, self._writing):
            self._reading, self._writing = reading, writing
            self._sockets.change(self._fd, self._events())

    def _start_reading(self) -> None:
        self._watch(True, self._writing)

    def _stop_reading(self) -> None:
        self._watch(False, self._writing)

    def _send_to_the_beat(self, beat: float, turn: Turn) -> None:
        """At the end of this turn; a beat later, if something was sent less than one ago."""
        now = self._loop.time()
        if now - self._sent_at < beat:
            self._loop.call_later(beat, self.flush)
            self._sent_at = now + beat
        else:
            turn.add(self, self._loop)
            self._sent_at = now

    def _throw_away(self) -> None:
        """What came in one piece with STARTTLS; what comes later is taken for TLS, and fails."""
        try:
            for _ in range(4):
                self._socket.recv(4 * RECORD_BYTES)
        except OSError:  # there is nothing more; if that is the end, the handshake will find it
            return

    def _send(self, data: bytes | bytearray) -> None:
        """What the system does not take waits, and so does the peer: it is asked for no more questions."""
        tls = self.tls
        try:
            if tls is None or not tls.handshake_done:
                sent = self._socket.send(data)
                self.bytes_sent += sent
            else:
                sent = tls.write(bytes(data) if len(data) <= RECORD_BYTES else bytes(data[:RECORD_BYTES]))
                self.bytes_sent += sent + SEAL_BYTES
        except BlockingIOError:
            sent = 0
        except (OSError, TlsError) as error:
            self._shut(words_for(error))
            return
        if sent < len(data):
            self._send_rest(data, sent)

    def _send_rest(self, data: bytes | bytearray, sent: int) -> None:
        """Records, as long as the system takes them whole."""
        rest = data if isinstance(data, bytearray) else bytearray(data)
        del rest[:sent]
        tls = self.tls
        while sent and tls is not None and tls.handshake_done and rest:
            try:
                sent = tls.write(bytes(rest[:RECORD_BYTES]))
            except (OSError, TlsError) as error:
                self._shut(words_for(error))
                return
            self.bytes_sent += sent + SEAL_BYTES
            del rest[:sent]
        if rest:
            self._unsent = rest
            self._await_writable()

    def _await_writable(self) -> None:
        self._pauses |= Pause.UNSENT  # who does not read the answers is not asked for more questions
        self._watch(self._reading, True)
