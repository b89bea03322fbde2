"""One bound resource: what its client sends stays in order, what is sent to it goes out in order."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from commonroom.core.user import User
from commonroom.protocol.errors import StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Presence, Stanza

log = logging.getLogger(__name__)

# Reading pauses when so many stanzas of a session wait behind one that must wait for the database, and
# goes on when they are done: a client that sends faster than we store fills its own socket, not our memory.
HIGH_WATER = 64


class ClientStream(Protocol):
    """What a session needs of the stream that it is bound to."""

    @property
    def closed(self) -> bool:
        """Whether nothing that is written arrives any more."""

    def write(self, xml: str) -> None:
        """Send this to the client."""

    def fail(self, error: StreamError) -> None:
        """End the stream with an error; `Session.close` follows."""

    def pause(self) -> None:
        """Read nothing more from the client for now."""

    def resume(self) -> None:
        """Read again."""


class Submit(Protocol):
    """The router's entrance for what clients send."""

    def __call__(self, stanza: Stanza, session: "Session", /) -> Awaitable[None] | None: ...


# Runs a coroutine to its end under an owner who outlives the session.
Spawn = Callable[[Coroutine[object, object, None]], object]


class Session:
    """A connected resource (RFC 6121 §1.4); available while `presence` is not None.

    `presence` is the last one broadcast, `farewell` the unavailable one that ended it; `directed` are the
    entities that were sent available presence directly and have yet to hear of its end (RFC 6121 §4.6.3).
    """

    __slots__ = (
        "__weakref__",
        "_queue",
        "_spawn",
        "_stream",
        "_submit",
        "closed",
        "directed",
        "farewell",
        "jid",
        "presence",
        "priority",
        "ready",
        "took_leave",
        "user",
    )

    def __init__(self, jid: JID, user: User, stream: ClientStream, submit: Submit, spawn: Spawn) -> None:
        self.jid = jid
        self.user = user
        self.presence: Presence | None = None
        self.farewell: Presence | None = None
        self.priority = 0
        self.ready = True
        self.directed: set[JID] = set()
        self.closed = False
        self.took_leave = False
        self._stream = stream
        self._submit = submit
        self._spawn = spawn
        self._queue: deque[Stanza | Awaitable[None]] | None = None

    def take(self, stanza: Stanza) -> None:
        """Handle what the client sent, in the order it was sent (RFC 6120 §10.1)."""
        if self._queue is not None:
            self._wait_in_line(stanza)
            return
        waiting = self._submit(stanza, self)
        if waiting is not None:
            self.after(waiting)  # a handler may have left work of its own, which comes first

    def take_leave(self) -> None:
        """The client closes its stream itself: it was there to read what it was sent."""
        self.took_leave = True

    def send(self, stanza: Stanza) -> None:
        """Deliver to this client; to a closed session nothing is sent."""
        if not self.closed:
            self._stream.write(stanza.xml())

    @property
    def is_waiting(self) -> bool:
        """Whether something that the client sent is still being handled."""
        return self._queue is not None

    def after(self, work: Awaitable[None]) -> None:
        """Do this after all that the client sent before."""
        if self._queue is None:
            self._park(work)
        else:
            self._queue.append(work)

    def end(self, error: StreamError) -> None:
        """Close the client's stream with an error (RFC 6120 §4.9)."""
        self._stream.fail(error)

    def _wait_in_line(self, stanza: Stanza) -> None:
        assert self._queue is not None
        self._queue.append(stanza)
        if len(self._queue) >= HIGH_WATER:
            self._stream.pause()

    def _park(self, waiting: Awaitable[None]) -> None:
        self._queue = deque()
        self._spawn(self._go_on(waiting))

    async def _go_on(self, waiting: Awaitable[None]) -> None:
        queue = self._queue
        assert queue is not None
        await self._finish(waiting)
        while queue:
            was_full = len(queue) >= HIGH_WATER
            entry = queue.popleft()
            if self._stream.closed and _only_asks(entry):
                continue  # nobody would hear the answer, which may be large
            work = self._submit(entry, self) if isinstance(entry, Stanza) else entry
            if was_full and len(queue) < HIGH_WATER:
                self._stream.resume()
            if work is not None:
                await self._finish(work)
        self._queue = None

    async def _finish(self, work: Awaitable[None]) -> None:
        """The router tells senders of their stanzas' failures; what else fails must not stop the queue."""
        try:
            await work
        except Exception:
            log.exception("work for a session failed", extra={"jid": self.jid})


def _only_asks(entry: Stanza | Awaitable[None]) -> bool:
    return isinstance(entry, Iq) and entry.type is IqType.GET
