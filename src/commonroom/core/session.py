"""One bound resource: what its client sends stays in order, what is sent to it goes out in order."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Protocol

from commonroom.core.commit import AfterCommit
from commonroom.core.outbox import Outbox
from commonroom.core.user import User
from commonroom.protocol.debts import Owed
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, Stanza
from commonroom.protocol.stream_management import REQUEST
from commonroom.xml.element import Element

log = logging.getLogger(__name__)

# Reading pauses when so many stanzas of a session wait behind one that must wait for the database, and
# goes on when they are done: a client that sends faster than we store fills its own socket, not our memory.
HIGH_WATER = 64

# A client is asked to acknowledge when it is sent a message, or has so many stanzas to acknowledge.
ASK_AFTER = 16
# Messages that a client takes without a sign of life, before its stream ends and they are kept for another.
LARGEST_OUTBOX = 2000


class ClientStream(Protocol):
    """What a session needs of the stream that it is bound to."""

    @property
    def closed(self) -> bool:
        """Whether nothing that is written arrives any more."""

    def write(self, xml: str) -> None:
        """Send this to the client."""

    def fail(self, error: StreamError) -> None:
        """End the stream with an error; `Sessions.close` follows, if it still has the session."""

    def give_up(self) -> None:
        """The session goes on without this stream, which is told, or over another one."""

    def pause(self) -> None:
        """Read nothing more from the client for now."""

    def resume(self) -> None:
        """Read again."""


class Submit(Protocol):
    """The router's entrance for what clients send."""

    def __call__(self, stanza: Stanza, session: "Session", /) -> Awaitable[None] | None: ...


class Filter(Protocol):
    """Holds back for a while what the client need not see now."""

    def holds(self, stanza: Stanza) -> bool:
        """Whether this one waits; if it does not, what waits has gone out before it."""

    def release(self) -> None:
        """Send what waits."""


# Takes an element of a client's stream that is no stanza.
ElementHandler = Callable[[Element, "Session"], None]
NO_ELEMENTS: Mapping[tuple[str, str], ElementHandler] = MappingProxyType({})

# What a room says to all is in its archive, where it is read by who missed it.
_GROUPCHAT = MessageType.GROUPCHAT

NOBODY = frozenset[JID]()  # a set of its own would take 216 bytes of each session

# Runs a coroutine to its end under an owner who outlives the session; gives what many can await.
Spawn = Callable[[Coroutine[object, object, None]], Awaitable[object]]


class Line(deque[Stanza | Awaitable[None]]):
    """What a client sent that must wait; `work` is what goes through it."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        super().__init__()
        self.work: Awaitable[object] | None = None


class Management:
    """XEP-0198: what was agreed with a client that turned it on.

    `name` is that of the stream, if it may be resumed within `longest` seconds. Up to `stanzas` and `size`
    characters wait for the client's acknowledgement. `began` is how many stanzas it had sent before, `owed`
    what it sent since and nobody may have yet. While `is_busy`, it was asked a moment ago, and what is sent
    now is asked for together, a moment later.
    """

    __slots__ = ("asked", "began", "is_busy", "longest", "name", "owed", "size", "stanzas")

    def __init__(self, name: str | None, longest: int, stanzas: int, size: int, began: int) -> None:
        self.name = name
        self.longest = longest
        self.stanzas = stanzas
        self.size = size
        self.began = began
        self.asked = False  # and there was no answer yet
        self.owed = Owed()
        self.is_busy = False


class Session:
    """A connected resource (RFC 6121 §1.4); available while `presence` is not None.

    `presence` is the last one broadcast, `farewell` the unavailable one that ended it; `directed` are the
    entities that were sent available presence directly and have yet to hear of its end (RFC 6121 §4.6.3).
    `unsure` hears when the outbox gets a message that will need a sign of life, or was asked for one.
    `filter` is asked before anything is sent, while the client said that nobody looks (XEP-0352).
    """

    __slots__ = (
        "__weakref__",
        "_deliveries",
        "_delivery",
        "_elements",
        "_lived_after",
        "_queue",
        "_spawn",
        "_stream",
        "_submit",
        "_unsure",
        "closed",
        "directed",
        "farewell",
        "filter",
        "is_watched",
        "jid",
        "management",
        "outbox",
        "presence",
        "priority",
        "ready",
        "received",
        "took_leave",
        "user",
    )

    def __init__(
        self,
        jid: JID,
        user: User,
        stream: ClientStream,
        submit: Submit,
        spawn: Spawn,
        unsure: "Callable[[Session], None]",
        elements: Mapping[tuple[str, str], ElementHandler] = NO_ELEMENTS,
    ) -> None:
        self.jid = jid
        self.user = user
        self.presence: Presence | None = None
        self.farewell: Presence | None = None
        self.priority = 0
        self.ready = True
        self.directed: AbstractSet[JID] = NOBODY
        self.closed = False
        self.took_leave = False
        self.filter: Filter | None = None
        self._stream = stream
        self._submit = submit
        self._spawn = spawn
        self._elements = elements
        self._queue: Line | None = None
        self._deliveries = 0  # messages that wait for the disk
        self._delivery: AfterCommit | None = None  # the last of them
        self.received = 0  # stanzas
        self.outbox: Outbox | None = None
        self.management: Management | None = None  # once the client turned that on
        self._unsure = unsure
        self.is_watched = False  # for a sign of life
        self._lived_after = 0  # up to which message in the outbox there was a sign of life

    def take(self, stanza: Stanza) -> None:
        """Handle what the client sent, in the order it was sent (RFC 6120 §10.1)."""
        self.received += 1
        if self._queue is not None or (self._delivery is not None and not self._may_follow(stanza)):
            self._wait_in_line(stanza)
            return
        waiting = self._submit(stanza, self)
        if type(waiting) is AfterCommit:
            self._expect(waiting)
        elif waiting is not None:
            self.after(waiting)  # a handler may have left work of its own, which comes first

    def take_element(self, element: Element) -> bool:
        """Handle an element of the stream that is no stanza, at once; False if nobody knows it."""
        handler = self._elements.get((element.namespace, element.name))
        if handler is not None:
            handler(element, self)
        return handler is not None

    def hold_nothing(self) -> None:
        """Send what the filter held, and do without."""
        held, self.filter = self.filter, None
        if held is not None:
            held.release()

    def directs_to(self, entity: JID) -> None:
        """It is sent available presence directly."""
        if isinstance(self.directed, set):
            self.directed.add(entity)
        else:
            self.directed = {*self.directed, entity}

    def take_leave(self) -> None:
        """The client closes its stream itself: it was there to read what it was sent."""
        self.took_leave = True

    def send(self, stanza: Stanza, filtered: bool = True) -> None:
        """Deliver to this client; to a closed session nothing is sent."""
        if self.closed or (filtered and self.filter is not None and self.filter.holds(stanza)):
            return
        if self.management is not None:
            self._send_counted(stanza, self.management)
            return
        self._stream.write(stanza.xml())
        if (type(stanza) is Message and stanza.type is not _GROUPCHAT) or (
            isinstance(stanza, Message) and stanza.held is not None
        ):
            self._expect_sign_of_life(stanza)

    # What the client may not have got: with XEP-0198 everything up to its acknowledgement; otherwise the
    # messages up to the second read since: the stream lived on after they were written to it.

    def _send_counted(self, stanza: Stanza, management: Management) -> None:
        outbox = self.outbox
        assert outbox is not None
        xml = stanza.xml()
        outbox.add(stanza)
        count = len(outbox.stanzas)
        if count > management.stanzas or (outbox.size > management.size and count > 1):
            self._stream.write(xml)
            self.end(StreamError(StreamCondition.POLICY_VIOLATION, "too much was not acknowledged"))
        elif management.asked or management.is_busy or not (type(stanza) is Message or count >= ASK_AFTER):
            self._stream.write(xml)
        else:
            management.asked = management.is_busy = True
            self._stream.write(xml + REQUEST)
            self._unsure(self)

    def _expect_sign_of_life(self, message: Message) -> None:
        outbox = self.outbox
        if outbox is None:
            outbox = self.outbox = Outbox()
        if not self.is_watched:
            self.is_watched = True
            self._unsure(self)
        outbox.stanzas.append(message)  # bounded by their number alone
        if len(outbox.stanzas) > LARGEST_OUTBOX:
            self.end(StreamError(StreamCondition.POLICY_VIOLATION, "no sign of life for too many messages"))

    def heard(self) -> None:
        """Something came from the client, whatever it was."""
        outbox = self.outbox
        if outbox is not None and outbox.stanzas and self.management is None:
            # Once for nearly every message that is answered, so without the calls that `confirm` takes.
            take = outbox.stanzas.popleft
            while outbox.confirmed < self._lived_after:
                outbox.confirmed += 1
                message = take()
                if isinstance(message, Message):
                    message.arrive()
            self._lived_after = outbox.confirmed + len(outbox.stanzas)

    def confirm(self, through: int) -> None:
        """The client has got what its outbox counts up to this number."""
        if self.outbox is not None and through > self.outbox.confirmed:
            for stanza in self.outbox.confirm(through):
                if isinstance(stanza, Message):
                    stanza.arrive()

    @property
    def confirmed(self) -> int:
        """Up to which number of its outbox the client has got what it was sent."""
        return 0 if self.outbox is None else self.outbox.confirmed

    @property
    def is_waiting(self) -> bool:
        """Whether something that the client sent is still being handled."""
        return self._queue is not None or self._delivery is not None

    async def come_to_rest(self) -> None:
        """Wait until all that the client has sent by now is handled."""
        if self._queue is not None and self._queue.work is not None:
            await self._queue.work
        elif self._delivery is not None:
            await self._delivery.done()

    def after(self, work: Awaitable[None]) -> None:
        """Do this after all that the client sent before."""
        if self._queue is None and self._delivery is None:
            self._park(work)
        else:
            self._line().append(work)

    @property
    def is_attended(self) -> bool:
        """Whether somebody may be looking: it is available, connected, and does not say otherwise."""
        return self.presence is not None and self.filter is None and not self.closed

    def write(self, xml: str) -> None:
        """Send what is no stanza."""
        self._stream.write(xml)

    def manage(self, management: Management) -> None:
        """Acknowledgements count from now on (XEP-0198 §4)."""
        self.outbox = Outbox(self.remaining())
        self.management = management

    def refuse(self, answer: Stanza | None) -> None:
        """The client sent a stanza that cannot be read; it counts, and so does the answer."""
        self.received += 1
        if answer is not None:
            self.send(answer)

    @property
    def handled(self) -> int:
        """How many stanzas came since acknowledgements count."""
        return self.received - (0 if self.management is None else self.management.began)

    @property
    def owed(self) -> int | None:
        """The id of the last message that it sent, that nobody may have yet, and that is not on disk."""
        return None if self.management is None else self.management.owed.last()

    def secure(self, through: int | None = None) -> None:
        """What it is about to be told of as handled, up to this one, outlives a crash once all is flushed."""
        if self.management is not None:
            self.management.owed.secure(through)

    def attach(self, stream: ClientStream) -> ClientStream:
        """Go on over another stream; gives the old one."""
        old, self._stream = self._stream, stream
        return old

    def send_again(self) -> None:
        """Send what the client has not acknowledged, in the same order (XEP-0198 §5)."""
        for stanza in self.remaining():
            self._stream.write(stanza.xml())
        self.hold_nothing()  # a resumed stream begins active (XEP-0352 §5.2)
        self.ask_for_acknowledgement()

    def ask_for_acknowledgement(self) -> None:
        """Of what the client may not have got, if there is anything (XEP-0198 §4)."""
        management, outbox = self.management, self.outbox
        if management is not None:
            management.asked = outbox is not None and bool(outbox.stanzas)
            if management.asked:
                self._stream.write(REQUEST)

    def ask_again(self) -> bool:
        """A moment after it was asked: for what it was sent since. False, if there is nothing to ask for."""
        management = self.management
        if management is None or self.closed:
            return False
        is_busy = not management.asked and bool(self.outbox)
        management.is_busy = is_busy
        if is_busy:
            self.ask_for_acknowledgement()
        return is_busy

    def remaining(self) -> tuple[Stanza, ...]:
        """What the client may not have got."""
        return () if self.outbox is None else self.outbox.remaining()

    def end(self, error: StreamError) -> None:
        """Close the client's stream with an error (RFC 6120 §4.9)."""
        self._stream.fail(error)

    # Messages that wait for the disk do not make each other wait: what gathers is one commit.

    def _may_follow(self, stanza: Stanza) -> bool:
        """Whether it can be handled while earlier messages wait; if so, it will not overtake them."""
        if not isinstance(stanza, Message) or self._deliveries >= HIGH_WATER:
            return False
        stanza.follows = True
        return True

    def _expect(self, delivery: AfterCommit) -> None:
        self._deliveries += 1
        self._delivery = delivery
        delivery.then(self._delivered)

    def _delivered(self, delivery: AfterCommit) -> None:
        self._deliveries -= 1
        if delivery is self._delivery:
            self._delivery = None
        if delivery.rest is not None:
            self.after(delivery.rest)

    # Everything else waits in line.

    def _wait_in_line(self, stanza: Stanza) -> None:
        line = self._line()
        line.append(stanza)
        if len(line) >= HIGH_WATER:
            self._stream.pause()

    def _line(self) -> Line:
        if self._queue is None:
            assert self._delivery is not None
            self._park(self._delivery.done())
        assert self._queue is not None
        return self._queue

    def _park(self, waiting: Awaitable[None]) -> None:
        line = self._queue = Line()
        line.work = self._spawn(self._go_on(waiting))

    async def _go_on(self, waiting: Awaitable[None]) -> None:
        queue = self._queue
        assert queue is not None
        try:
            await self._finish(waiting)
            while queue:
                await self._take_next(queue)
        finally:  # at a stop some of it never begins
            _drop(queue)
        self._queue = None

    async def _take_next(self, queue: Line) -> None:
        """What fails outside of the router's net is a bug: a client that is silent for ever would be worse
        than one that comes anew."""
        try:
            await self._take_from(queue)
        except Exception:
            log.exception("a session failed", extra={"jid": self.jid})
            self.end(StreamError(StreamCondition.INTERNAL_SERVER_ERROR, "please reconnect"))

    async def _take_from(self, queue: Line) -> None:
        was_full = len(queue) >= HIGH_WATER
        entry = queue.popleft()
        if self._stream.closed and _only_asks(entry) and not self._may_come_back():
            return  # nobody would hear the answer, which may be large
        work = await self._begin(entry) if isinstance(entry, Stanza) else entry
        if was_full and len(queue) < HIGH_WATER:
            self._stream.resume()
        if type(work) is AfterCommit:
            self._expect(work)
        elif work is not None:
            await self._finish(work)

    def _may_come_back(self) -> bool:
        return not self.closed and self.management is not None and self.management.name is not None

    async def _begin(self, stanza: Stanza) -> Awaitable[None] | None:
        if self._delivery is not None and not self._may_follow(stanza):
            await self._delivery.done()
        return self._submit(stanza, self)

    async def _finish(self, work: Awaitable[None]) -> None:
        """The router tells senders of their stanzas' failures; what else fails must not stop the queue."""
        try:
            await work
        except Exception:
            log.exception("work for a session failed", extra={"jid": self.jid})


def _drop(queue: Line) -> None:
    for entry in queue:
        if isinstance(entry, Coroutine):
            entry.close()
    queue.clear()


def _only_asks(entry: Stanza | Awaitable[None]) -> bool:
    return isinstance(entry, Iq) and entry.type is IqType.GET
