"""RFC 6120 §10.4: what waits to be sent to other domains: one bounded queue for each pair, in order.

A domain whose server is slow or gone costs only its own queue: what waits goes back to its senders with the
reason, and what comes next goes back at once, until it is time to try again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from commonroom.core.questions import Timer
from commonroom.federation.dialing import Dialer, UnreachableError
from commonroom.federation.failures import Failures
from commonroom.federation.journal import Journal
from commonroom.federation.keeping import Keeping, is_settled
from commonroom.federation.policy import Policies
from commonroom.federation.resting import Resting
from commonroom.net.peer import Carrier
from commonroom.net.s2s import OutgoingConnection
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.errors import (
    StanzaError,
    StreamError,
    internal_server_error,
    remote_server_not_found,
    remote_server_timeout,
    resource_constraint,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, Presence, PresenceType, Stanza

log = logging.getLogger(__name__)

# Seconds: how often it is looked whether a slow reader has caught up.
LOOK_AGAIN = 0.25
# Pauses until the next try of a server that could not be connected to, or cut the connection.
AGAIN_AFTER = (0.5, 2.0)
# After a start, so many pairs of domains for which something was kept are tried each second.
BEGUN_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Of one pair of domains. Times in seconds; see `[federation]` in docs/configuration.md."""

    stanzas: int
    size: int
    timeout: float
    retry_first: float
    retry_longest: float


class Link:
    """The way from one of our domains to another one. `queue` is None while nothing waits.

    All goes over the first of the `carriers`; the others are there for when that ends.
    """

    __slots__ = ("carriers", "congested_since", "is_dialing", "is_full", "pair", "queue", "size")

    def __init__(self, pair: Pair, waiting: Iterable[Stanza] = ()) -> None:
        self.pair = pair
        self.carriers: tuple[Carrier, ...] = ()
        self.put(waiting)
        self.is_dialing = False
        self.is_full = False  # and that was logged
        self.congested_since: float | None = None

    def put(self, waiting: Iterable[Stanza]) -> None:
        """This waits, and nothing else."""
        self.queue: deque[Stanza] | None = deque(waiting) or None
        self.size = sum(len(stanza.xml()) for stanza in self.queue or ())

    @property
    def carrier(self) -> Carrier | None:
        """What stanzas go over."""
        return self.carriers[0] if self.carriers else None


@dataclass(frozen=True, slots=True)
class Around:
    """Time, chance and concurrency. `random` gives a number from 0 up to 1."""

    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    random: Callable[[], float]


class Outgoing:
    """Queues, and the streams that empty them. It is the owner of those that it opens."""

    def __init__(
        self,
        policies: Policies,
        limits: QueueLimits,
        around: Around,
        keeping: Keeping,
        failures: Failures,
    ) -> None:
        self._policies = policies
        self._limits = limits
        self._around = around
        self._keeping = keeping
        keeping.postpone = self._postpone
        self._failures = failures
        self._links: dict[Pair, Link] = {}
        self._resting = Resting(
            limits.retry_first, limits.retry_longest, around.clock, around.random, around.later
        )
        self._kept: dict[Pair, list[Stanza]] = {}  # what goes ahead of all else when its pair is tried again
        self._carried: dict[Carrier, set[Pair]] = {}
        self._streams: dict[str, set[OutgoingConnection]] = {}  # by their domain, those that may take more
        self._asked: dict[OutgoingConnection, set[Pair]] = {}  # whether they take these, too
        self._is_stopping = False

    def connect(self, dialer: Dialer) -> None:
        """Give it what opens streams, which needs this as their owner."""
        self._dialer = dialer

    # Stanzas

    def send(self, stanza: Stanza, pair: Pair) -> None:
        """Send it, or queue it. Raises StanzaError if there is no way or no room."""
        link = self._links.get(pair)
        if link is None:
            self._resting.check(pair)
            link = self._begin(pair) if pair in self._kept else Link(pair)
        carrier = link.carrier
        if carrier is not None and link.queue is None and not carrier.is_congested:
            carrier.send(stanza)
            return
        self._enqueue(stanza, link)
        self._links[pair] = link
        if carrier is not None:
            self._await_drain(link)
        elif not link.is_dialing:
            self._find_way(link)

    def begin(self, kept: Iterable[Stanza]) -> None:
        """The service starts: this was kept, in order. Not all domains are tried at once."""
        for stanza in kept:
            assert stanza.sender is not None and stanza.to is not None
            self._kept.setdefault(Pair(stanza.sender.domain, stanza.to.domain), []).append(stanza)
        for number, pair in enumerate(self._kept):
            delay = (number + self._around.random()) / BEGUN_PER_SECOND
            self._around.later(delay, partial(self._try_again, pair))

    def _try_again(self, pair: Pair) -> None:
        if pair in self._kept and pair not in self._links and not self._is_stopping:
            self._begin(pair)

    def _begin(self, pair: Pair) -> Link:
        link = self._links[pair] = Link(pair, self._kept.pop(pair))
        self._find_way(link)
        return link

    def _enqueue(self, stanza: Stanza, link: Link) -> None:
        size = len(stanza.xml())
        queue, before = (deque[Stanza](), 0) if link.queue is None else (link.queue, link.size)
        if len(queue) >= self._limits.stanzas or before + size > self._limits.size:
            if not link.is_full:  # once, until all of it has left
                log.warning("a queue is full", extra={"domain": link.pair.to, "stanzas": len(queue)})
            link.is_full = True
            raise resource_constraint(f"too much waits to be sent to {link.pair.to}")
        queue.append(stanza)
        link.queue, link.size = queue, before + size

    def _flush(self, link: Link) -> None:
        carrier, queue = link.carrier, link.queue
        if queue is None or carrier is None:
            return
        while queue and not carrier.is_congested and link.carrier is carrier:
            stanza = queue.popleft()
            link.size -= len(stanza.xml())
            carrier.send(stanza)
        if not queue:
            link.queue = None
            link.congested_since = None
            link.is_full = False
        elif link.carrier is carrier:
            self._await_drain(link)

    def _await_drain(self, link: Link) -> None:
        """The peer reads too slowly: what comes waits here, for as long as it may."""
        if link.congested_since is None:
            link.congested_since = self._around.clock()
            self._around.later(LOOK_AGAIN, partial(self._look, link))

    def _look(self, link: Link) -> None:
        carrier, since = link.carrier, link.congested_since
        if carrier is None or since is None:
            link.congested_since = None
            return
        if carrier.is_congested and self._around.clock() - since > self._limits.timeout:
            link.congested_since = None
            error = remote_server_timeout(f"the server of {link.pair.to} does not read what it is sent")
            self._bounce(link, error)
            carrier.abort("the peer does not read")
            return
        self._flush_again(link, since)

    def _flush_again(self, link: Link, since: float) -> None:
        link.congested_since = None
        self._flush(link)
        if link.congested_since is not None:
            link.congested_since = since  # it has not caught up since then

    def _bounce(self, link: Link, error: StanzaError) -> None:
        if self._is_stopping:
            return  # the end keeps it
        queue, link.queue = link.queue, None
        kept = []
        for stanza in queue or ():
            if self._keeping.must_wait(stanza):
                kept.append(stanza)
            elif is_untold(stanza):
                self._keeping.settle(stanza)
            else:
                self._keeping.refuse(stanza, error)
        if kept and self._links.get(link.pair) is link:
            link.put(kept)
        elif kept:
            self._try_later(link.pair, kept)

    def _postpone(self, stanza: Stanza) -> None:
        """Its sender could not be told that it failed."""
        assert stanza.sender is not None
        assert stanza.to is not None
        pair = Pair(stanza.sender.domain, stanza.to.domain)
        link = self._links.get(pair)
        if self._is_stopping:
            return
        if link is None:
            self._try_later(pair, [stanza])
        elif link.carrier is not None and link.queue is None:
            link.carrier.send(stanza)
        else:
            link.queue = link.queue or deque()
            link.queue.append(stanza)
            link.size += len(stanza.xml())

    def _try_later(self, pair: Pair, kept: list[Stanza]) -> None:
        """When the pair has rested; whoever finds a way before, takes it along."""
        self._kept.setdefault(pair, []).extend(kept)
        self._around.later(self._resting.left(pair), partial(self._try_again, pair))

    # Ways

    def _find_way(self, link: Link) -> None:
        """Over a stream to the same server, if one takes more domains of ours (XEP-0220 §2.6.1)."""
        link.is_dialing = True
        if self._policies.of(link.pair.to).allows_dialback:
            for connection in self._streams.get(link.pair.to, ()):
                if connection.takes_more and connection.authorize(link.pair):
                    self._asked.setdefault(connection, set()).add(link.pair)
                    self._around.later(self._limits.timeout, partial(self._give_up, connection, link.pair))
                    return
        self._around.start(self._dial(link))

    def _give_up(self, connection: OutgoingConnection, pair: Pair) -> None:
        self.refused(connection, pair, "it does not answer to dialback", False)

    async def _dial(self, link: Link) -> None:
        pair, limits = link.pair, self._limits
        journal = Journal(self._around.clock)
        try:
            async with asyncio.timeout(limits.timeout):
                await self._insist(pair, journal)
        except UnreachableError as error:
            self._failed(link, error, journal)
        except TimeoutError:
            last = journal.steps[-1].event if journal.steps else "waiting for its turn"
            text = f"it took longer than {limits.timeout:g} seconds (the last step: {last})"
            self._failed(link, UnreachableError(text), journal)
        except Exception:
            log.exception("a connection to another server failed", extra={"domain": pair.to})
            self._failed(link, UnreachableError("internal error"), journal)

    async def _insist(self, pair: Pair, journal: Journal) -> None:
        """A server that restarts is back in a moment: until then nothing need go back to its sender."""
        for pause in AGAIN_AFTER:
            try:
                await self._dialer.dial(pair, self, journal)
            except UnreachableError as error:
                if not error.is_passing:
                    raise
                journal.note("again", f"in {pause:g} seconds")
                await asyncio.sleep(pause)
            else:
                return
        await self._dialer.dial(pair, self, journal)

    def _failed(self, link: Link, why: UnreachableError, journal: Journal) -> None:
        link.is_dialing = False
        if link.carriers or self._is_stopping:
            return  # the peer was faster, and its stream carries both directions; or the end keeps what waits
        pair, reason = link.pair, why.reason
        failure = self._failures.add(pair.to, "out", self._around.now(), reason, tuple(journal.steps))
        facts = {"domain": pair.to, "from": pair.sender, "reason": reason, "times": failure.times}
        log.info("server not reached", extra=facts)
        error = _told(pair.to, why)
        self._resting.begin(pair, error)
        self._drop_link(link)
        self._bounce(link, error)

    def _drop_link(self, link: Link) -> None:
        if self._links.get(link.pair) is link:
            del self._links[link.pair]

    # What becomes of streams

    def ready(self, connection: OutgoingConnection, pair: Pair) -> None:
        """The peer takes stanzas of this pair."""
        self._streams.setdefault(pair.to, set()).add(connection)
        self._failures.forget(pair.to, "out")
        self._asked.get(connection, set()).discard(pair)
        facts = connection.facts()
        what = {"domain": pair.to, "from": pair.sender, "address": facts.address, "tls": facts.tls}
        log.info("server reached", extra=what)
        self.carry(pair, connection)

    def carry(self, pair: Pair, carrier: Carrier) -> None:
        """There is a stream for this pair, which we or the peer (XEP-0288) opened."""
        link = self._links.get(pair)
        if link is None:
            link = self._links[pair] = Link(pair, self._kept.pop(pair, ()))
        link.is_dialing = False
        if carrier not in link.carriers:
            link.carriers += (carrier,)
        self._resting.end(pair)
        self._carried.setdefault(carrier, set()).add(pair)
        self._flush(link)

    def refused(self, connection: OutgoingConnection, pair: Pair, reason: str, is_lasting: bool) -> None:
        """A stream does not take another domain of ours: it gets one of its own."""
        asked = self._asked.get(connection, set())
        if pair not in asked:
            return
        asked.remove(pair)
        link = self._links.get(pair)
        if link is not None and not link.carriers:
            self._around.start(self._dial(link))

    def verified(self, request: Verification, verified: Verified) -> None:
        """Nothing is verified over streams that carry stanzas."""

    def ended(self, connection: OutgoingConnection, reason: str) -> None:
        """A stream that we opened is gone."""
        for pair in connection.pairs:
            streams = self._streams.get(pair.to, set())
            streams.discard(connection)
            if not streams:
                self._streams.pop(pair.to, None)
        self.drop(connection)
        if connection.pairs:
            log.info("server left", extra={"domain": connection.pair.to, "reason": reason})
        for pair in tuple(self._asked.get(connection, ())):
            self.refused(connection, pair, reason, False)
        self._asked.pop(connection, None)

    def drop(self, carrier: Carrier) -> None:
        """A stream carries nothing any more: what waits, or did not surely arrive, finds another way."""
        if not self._is_stopping:
            self._take_back(carrier)
        for pair in self._carried.pop(carrier, ()):
            link = self._links.get(pair)
            if link is None or carrier not in link.carriers:
                continue
            link.carriers = tuple(each for each in link.carriers if each is not carrier)
            link.congested_since = None
            if link.carriers:
                self._flush(link)
            elif link.queue:
                self._find_way(link)
            else:
                self._drop_link(link)

    def _take_back(self, carrier: Carrier) -> None:
        """What the peer had not acknowledged (XEP-0198 §4) goes ahead of all else, in its order."""
        for stanza in reversed(carrier.unacknowledged()):
            assert stanza.sender is not None and stanza.to is not None
            link = self._links.get(Pair(stanza.sender.domain, stanza.to.domain))
            if link is not None and carrier in link.carriers and not is_settled(stanza):
                if link.queue is None:
                    link.queue, link.size = deque(), 0
                link.queue.appendleft(stanza)
                link.size += len(stanza.xml())

    def forget(self, account: JID) -> None:
        """It was erased: what its owner wrote goes nowhere any more, and nobody hears of that."""
        for pair, kept in tuple(self._kept.items()):
            kept[:] = self._without(account, kept)
            if not kept:
                del self._kept[pair]
        for link in self._links.values():
            if link.queue is not None:
                link.put(self._without(account, link.queue))
        for carrier in self._carried:
            self._without(account, carrier.unacknowledged())  # but settled: see `_take_back`

    def _without(self, account: JID, stanzas: Iterable[Stanza]) -> list[Stanza]:
        left = []
        for stanza in stanzas:
            if type(stanza) is Message and stanza.sender is not None and stanza.sender.bare == account:
                self._keeping.settle(stanza)
            else:
                left.append(stanza)
        return left

    # For operators, and the end

    def links(self) -> list[Link]:
        """All ways that there are or are looked for."""
        return list(self._links.values())

    def postponed(self) -> dict[Pair, int]:
        """How many stanzas are tried again later, by their pair."""
        return {pair: len(kept) for pair, kept in self._kept.items()}

    @property
    def resting(self) -> int:
        """How many pairs are left alone for a while, or were lately."""
        return len(self._resting)

    def save(self) -> None:
        """The service stops. With the next commit, messages that wait or did not surely arrive are kept."""
        self._is_stopping = True
        for link in self._links.values():
            for carrier in link.carriers:
                for stanza in carrier.unacknowledged():
                    self._keeping.save(stanza)
            for stanza in link.queue or ():
                self._keeping.save(stanza)
            link.queue = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether every server has all that it was sent, as far as they say so."""
        return not any(carrier.unacknowledged() for carrier in self._carried)

    def end(self, error: StreamError | None = None) -> None:
        """Nothing is sent any more."""
        self.save()
        for link in tuple(self._links.values()):
            if link.carrier is not None:
                link.carrier.end(error)


def is_untold(stanza: Stanza) -> bool:
    """A probe is the server's own, and who leaves waits for no answer: nobody is told that it failed."""
    return isinstance(stanza, Presence) and stanza.type in (PresenceType.PROBE, PresenceType.UNAVAILABLE)


def _told(domain: str, why: UnreachableError) -> StanzaError:
    """What the senders hear (RFC 6120 §10.4.3, XEP-0220 §2.1.1)."""
    if why.is_invalid:
        return internal_server_error(f"{domain} does not believe who we are: {why.reason}")
    make = remote_server_not_found if why.is_not_found else remote_server_timeout
    return make(f"{domain} cannot be reached: {why.reason}")
