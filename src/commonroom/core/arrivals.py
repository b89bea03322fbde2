"""RFC 6120 §10.1: stanzas from another server: those for one recipient in order, others beside them."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine

from commonroom.core.commit import AfterCommit
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, Stanza

log = logging.getLogger(__name__)

# Reading pauses when so many stanzas of a stream wait, for whomever.
HIGH_WATER = 256

# Brings a stanza to its destination; an AfterCommit is started already.
Enter = Callable[[Stanza], Awaitable[None] | None]
Spawn = Callable[[Coroutine[object, object, None]], object]


class _Lane:
    """What waits for one recipient: messages for the disk, which may be several, and then all else."""

    __slots__ = ("deliveries", "last", "queue")

    def __init__(self) -> None:
        self.deliveries = 0
        self.last: AfterCommit | None = None
        self.queue: deque[Stanza] | None = None  # while a coroutine works it off


class Arrivals:
    """Takes the stanzas of one stream. `pause` and `resume` stop and go on reading it."""

    __slots__ = ("_enter", "_lanes", "_pause", "_resume", "_spawn", "waiting")

    def __init__(
        self, enter: Enter, spawn: Spawn, pause: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        self._enter = enter
        self._spawn = spawn
        self._pause = pause
        self._resume = resume
        self._lanes: dict[JID, _Lane] = {}
        self.waiting = 0

    def take(self, stanza: Stanza) -> None:
        """Handle it, after what came before it for the same recipient."""
        assert stanza.to is not None
        lane = self._lanes.get(stanza.to.bare)
        if lane is None:
            self._begin(stanza, None)
        elif lane.queue is None and isinstance(stanza, Message):
            stanza.follows = True  # it does not overtake those that wait for the disk
            self._begin(stanza, lane)
        else:
            self._queue(stanza, lane)

    def _begin(self, stanza: Stanza, lane: _Lane | None) -> None:
        waiting = self._enter(stanza)
        if waiting is None:
            return
        assert stanza.to is not None
        account = stanza.to.bare
        if lane is None:
            lane = self._lanes.setdefault(account, _Lane())
        if type(waiting) is AfterCommit:
            self._expect(account, lane, waiting)
        else:
            self._park(account, lane, waiting)

    def _expect(self, account: JID, lane: _Lane, delivery: AfterCommit) -> None:
        lane.deliveries += 1
        lane.last = delivery
        self._count(1)

        def delivered(done: AfterCommit) -> None:
            lane.deliveries -= 1
            self._count(-1)
            if done is lane.last:
                lane.last = None
            if done.rest is not None and lane.queue is None:
                self._park(account, lane, done.rest)
            elif done.rest is not None:
                self._spawn(self._finish(done.rest))
            self._tidy(account, lane)

        delivery.then(delivered)

    def _queue(self, stanza: Stanza, lane: _Lane) -> None:
        assert stanza.to is not None
        if lane.queue is None:
            assert lane.last is not None
            self._park(stanza.to.bare, lane, lane.last.done())
        assert lane.queue is not None
        lane.queue.append(stanza)
        self._count(1)

    def _park(self, account: JID, lane: _Lane, waiting: Awaitable[None]) -> None:
        lane.queue = deque()
        self._spawn(self._go_on(account, lane, waiting))

    async def _go_on(self, account: JID, lane: _Lane, waiting: Awaitable[None]) -> None:
        queue = lane.queue
        assert queue is not None
        await self._finish(waiting)
        while queue:
            stanza = queue.popleft()
            self._count(-1)
            if lane.last is not None:
                await lane.last.done()
            work = self._enter(stanza)
            if type(work) is AfterCommit:
                self._expect(account, lane, work)
            elif work is not None:
                await self._finish(work)
        lane.queue = None
        self._tidy(account, lane)

    async def _finish(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("work for another server failed")

    def _tidy(self, account: JID, lane: _Lane) -> None:
        if lane.queue is None and not lane.deliveries and self._lanes.get(account) is lane:
            del self._lanes[account]

    def _count(self, change: int) -> None:
        before, self.waiting = self.waiting, self.waiting + change
        if before < HIGH_WATER <= self.waiting:
            self._pause()
        elif self.waiting < HIGH_WATER <= before:
            self._resume()
