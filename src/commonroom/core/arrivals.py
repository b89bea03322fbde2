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
        self.queue: deque[tuple[int, Stanza]] | None = None  # while a coroutine works it off


class Arrivals:
    """Takes the stanzas of one stream. `pause` and `resume` stop and go on reading it.

    `caught_up` is called when nothing is left that had to wait.
    """

    __slots__ = ("_caught_up", "_enter", "_lanes", "_open", "_pause", "_resume", "_spawn", "taken", "waiting")

    def __init__(
        self,
        enter: Enter,
        spawn: Spawn,
        pause: Callable[[], None],
        resume: Callable[[], None],
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._enter = enter
        self._caught_up = caught_up
        self._open: set[int] = set()  # the numbers of those that are not done yet
        self.taken = 0
        self._spawn = spawn
        self._pause = pause
        self._resume = resume
        self._lanes: dict[JID, _Lane] = {}
        self.waiting = 0

    def take(self, stanza: Stanza) -> None:
        """Handle it, after what came before it for the same recipient."""
        assert stanza.to is not None
        self.taken += 1
        lane = self._lanes.get(stanza.to.bare) if self._lanes else None
        if lane is None:
            waiting = self._enter(stanza)
            if waiting is not None:
                self._wait(stanza, None, waiting)
        elif lane.queue is None and isinstance(stanza, Message):
            stanza.follows = True  # it does not overtake those that wait for the disk
            self._begin(stanza, lane)
        else:
            self._queue(stanza, lane)

    @property
    def handled(self) -> int:
        """How many, from the first on, are done, and what they caused is on disk."""
        return min(self._open) - 1 if self._open else self.taken

    def _done(self, number: int) -> None:
        self._open.discard(number)
        if not self._open:
            self._caught_up()

    def _begin(self, stanza: Stanza, lane: _Lane) -> None:
        waiting = self._enter(stanza)
        if waiting is not None:
            self._wait(stanza, lane, waiting)

    def _wait(self, stanza: Stanza, lane: _Lane | None, waiting: Awaitable[None]) -> None:
        assert stanza.to is not None
        account = stanza.to.bare
        if lane is None:
            lane = self._lanes.setdefault(account, _Lane())
        self._open.add(self.taken)
        if type(waiting) is AfterCommit:
            self._expect(account, lane, waiting, self.taken)
        else:
            self._park(account, lane, waiting, self.taken)

    def _expect(self, account: JID, lane: _Lane, delivery: AfterCommit, number: int) -> None:
        lane.deliveries += 1
        lane.last = delivery
        self._count(1)

        def delivered(done: AfterCommit) -> None:
            lane.deliveries -= 1
            self._count(-1)
            if done is lane.last:
                lane.last = None
            if done.rest is not None and lane.queue is None:
                self._park(account, lane, done.rest, number)
            elif done.rest is not None:
                self._spawn(self._finish(done.rest, number))
            else:
                self._done(number)
            self._tidy(account, lane)

        delivery.then(delivered)

    def _queue(self, stanza: Stanza, lane: _Lane) -> None:
        assert stanza.to is not None
        if lane.queue is None:
            assert lane.last is not None
            self._park(stanza.to.bare, lane, lane.last.done(), None)
        assert lane.queue is not None
        lane.queue.append((self.taken, stanza))
        self._open.add(self.taken)
        self._count(1)

    def _park(self, account: JID, lane: _Lane, waiting: Awaitable[None], number: int | None) -> None:
        lane.queue = deque()
        self._spawn(self._go_on(account, lane, waiting, number))

    async def _go_on(self, account: JID, lane: _Lane, waiting: Awaitable[None], first: int | None) -> None:
        queue = lane.queue
        assert queue is not None
        await self._finish(waiting, first)
        while queue:
            number, stanza = queue.popleft()
            self._count(-1)
            if lane.last is not None:
                await lane.last.done()
            work = self._enter(stanza)
            if type(work) is AfterCommit:
                self._expect(account, lane, work, number)
            elif work is not None:
                await self._finish(work, number)
            else:
                self._done(number)
        lane.queue = None
        self._tidy(account, lane)

    async def _finish(self, work: Awaitable[None], number: int | None) -> None:
        try:
            await work
        except Exception:
            log.exception("work for another server failed")
        if number is not None:
            self._done(number)

    def _tidy(self, account: JID, lane: _Lane) -> None:
        if lane.queue is None and not lane.deliveries and self._lanes.get(account) is lane:
            del self._lanes[account]

    def _count(self, change: int) -> None:
        before, self.waiting = self.waiting, self.waiting + change
        if before < HIGH_WATER <= self.waiting:
            self._pause()
        elif self.waiting < HIGH_WATER <= before:
            self._resume()
