"""A run: the lives of a server, one after the other, and what its clients saw meanwhile."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.site import Population, make_site
from commonroom.xml.element import Element
from crash.abilities import Abilities, abilities
from crash.client import Client, Habits, World, make
from crash.hall import SPEAKERS, Hall
from crash.hall_verdict import HallVerdict, judge_hall
from crash.ledger import Ledger
from crash.plan import Fault, Life, lives
from crash.servers.server import Server
from crash.speaker import Speaker, make_speaker
from crash.verdict import Verdict, judge

# The longest that the server may take to serve again, and the clients to come to rest at the end, in seconds.
RETURN_SECONDS = 60.0
REST_SECONDS = 60.0
# Nothing must have come for so long.
QUIET_SECONDS = 1.5
STEP = 0.02
SPEAKER_AWAY = (0.3, 3.0)


class Event(NamedTuple):
    """What happens to a client, and how many seconds after the server's first login."""

    at: float
    happen: Callable[[], None]


MANAGES = Habits(manages=True, catches_up=False)
CATCHES_UP = Habits(manages=False, catches_up=True)
BOTH = Habits(manages=True, catches_up=True)
NEITHER = Habits(manages=False, catches_up=False)
# What the two of a pair do; the kinds of pairs take turns.
PAIRS = ((BOTH, BOTH), (MANAGES, MANAGES), (MANAGES, NEITHER), (BOTH, CATCHES_UP), (CATCHES_UP, NEITHER))

Tamper = Callable[[int, Element], bool]


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for. `tamper` makes the clients lie, to see whether that is found out."""

    kills: int = 30
    seed: int = 1
    pairs: int = 20
    managed: bool = True  # let some clients use 0198
    tamper: Tamper = lambda _account, _element: False


@dataclass(slots=True)
class Outcome:
    """What a run gives."""

    abilities: Abilities
    verdict: Verdict = field(default_factory=Verdict)
    hall: HallVerdict | None = None  # of the room, if there is one
    ledger: Ledger = field(default_factory=Ledger)
    faults: dict[Fault, int] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)  # seconds from each start to the first login
    seconds: float = 0.0

    @property
    def is_loss(self) -> bool:
        """Whether something acknowledged is gone."""
        return self.verdict.is_loss or (self.hall is not None and self.hall.is_loss)

    @property
    def is_flawless(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.verdict.is_flawless and (self.hall is None or self.hall.is_flawless)

    def count(self, fault: Fault, times: int = 1) -> None:
        """It happened."""
        self.faults[fault] = self.faults.get(fault, 0) + times


class Run:
    """Server and clients, from the first start to the verdict."""

    def __init__(self, server: Server, options: Options, say: Callable[[str], None]) -> None:
        self._server = server
        self._options = options
        self._say = say
        begun = time.monotonic()
        self._ledger = Ledger(lambda: time.monotonic() - begun)
        self._served = asyncio.Event()
        self._hall = Hall.at(server.room, self._ledger.clock) if server.room else None
        self._pairs: list[Client] = []
        self._speakers: list[Speaker] = []
        self._away: set[asyncio.Task[None]] = set()

    async def play(self) -> Outcome:
        """Raises ServerFailed if the server ends by itself, TimeoutError if it does not come back."""
        can = await self._abilities()
        outcome = Outcome(can, ledger=self._ledger)
        self._pairs = self._make_pairs(can)
        self._speakers = self._make_speakers(can)
        living = [asyncio.create_task(client.live()) for client in self._clients]
        try:
            await self._all_lives(outcome, living)
            await self._come_to_rest(living)
            unanswered = sum(client.unanswered for client in self._clients)
            if can.archives:
                await self._read_archives()
            if self._hall:
                await self._read_hall(self._hall)
        finally:
            await _end([*living, *self._away])
            for client in self._clients:
                client.bury()
            await asyncio.sleep(STEP)  # connections that were dropped are closed by the loop's next turns
        outcome.verdict = judge(self._ledger, can.archives, unanswered)
        outcome.hall = judge_hall(self._hall) if self._hall else None
        outcome.seconds = self._ledger.clock()
        return outcome

    async def _abilities(self) -> Abilities:
        self._server.start(None)
        try:
            return await abilities(self._server.door)
        except OSError as error:
            raise self._server.failed(str(error)) from error
        finally:
            self._server.kill()

    @property
    def _clients(self) -> list[Client]:
        return [*self._pairs, *self._speakers]

    def _make_pairs(self, can: Abilities) -> list[Client]:
        doors = (self._server.door, self._server.partners_door)
        worlds = [
            World(doors[side], self._ledger, self._served.set, self._options.tamper, doors[1 - side].domain)
            for side in (0, 1)
        ]
        clients = []
        for account in range(self._options.pairs * 2):
            wanted = PAIRS[account // 2 % len(PAIRS)][account % 2]
            manages = wanted.manages and can.manages and self._options.managed
            habits = Habits(manages, wanted.catches_up and can.archives)
            clients.append(make(account, habits, worlds[account % 2], self._options.seed))
        return clients

    def _make_speakers(self, can: Abilities) -> list[Speaker]:
        """The accounts behind those of the pairs."""
        if self._hall is None:
            return []
        options, first = self._options, self._options.pairs * 2
        world = World(self._server.door, self._hall.ledger, self._served.set)
        habits = Habits(can.manages and options.managed, catches_up=False)
        speakers = [
            make_speaker(account, habits, world, options.seed, self._hall)
            for account in range(first, first + SPEAKERS)
        ]
        speakers[-1].is_owner = True
        return speakers

    async def _all_lives(self, outcome: Outcome, living: Sequence[asyncio.Task[None]]) -> None:
        options = self._options
        plan = lives(options.seed, options.kills, len(self._pairs), self._server.possible)
        for number, life in enumerate(plan, 1):
            self._say(f"{self._ledger.clock():7.2f} life {number} of {options.kills}: {life}")
            await self._start(life, outcome, living)
            outcome.count(await self._live(life, outcome, living))
        await self._start(None, outcome, living)

    async def _start(self, life: Life | None, outcome: Outcome, living: Sequence[asyncio.Task[None]]) -> None:
        """Return when the first client is online."""
        self._served.clear()
        begun = time.monotonic()
        self._server.start(life)
        async with asyncio.timeout(RETURN_SECONDS):
            while not self._served.is_set():
                _raise_from(living)
                if self._server.has_ended():
                    # Its start commits, too: that can be the commit it has to die in.
                    self._server.check_end(life is not None and life.end.is_in_commit)
                    return
                await asyncio.sleep(STEP)
        outcome.starts.append(time.monotonic() - begun)

    async def _live(self, life: Life, outcome: Outcome, living: Sequence[asyncio.Task[None]]) -> Fault:
        """Let everything of the life happen; returns what ended it. A hardship may outlast it."""
        begun = time.monotonic()
        events = sorted(
            [*self._events(life, outcome), *self._speakers_events(life, outcome)],
            key=lambda event: event.at,
        )
        hardship = asyncio.create_task(self._hardship(life, outcome)) if life.hardship else None
        try:
            while (now := time.monotonic() - begun) < life.seconds:
                _raise_from(living)
                if self._server.has_ended():
                    self._server.check_end(life.end.is_in_commit)
                    return life.end
                while events and events[0].at <= now:
                    events.pop(0).happen()
                await asyncio.sleep(STEP)
            return Fault.KILLED
        finally:
            self._server.kill()
            if hardship:
                await hardship

    def _events(self, life: Life, outcome: Outcome) -> Iterator[Event]:
        for absence in life.absences:
            yield Event(absence.at, partial(self._send_away, self._pairs[absence.account], absence.seconds))
        for at, account in life.cuts:
            yield Event(at, self._pairs[account].cut)
        outcome.count(Fault.CUT, len(life.cuts))

    def _speakers_events(self, life: Life, outcome: Outcome) -> Iterator[Event]:
        """In every life one of them goes away for a while, and another one loses its connection."""
        random = Random(f"{self._options.seed}/{life}")
        if self._speakers:
            away, lost = random.sample(self._speakers, 2)
            seconds = random.uniform(*SPEAKER_AWAY)
            yield Event(random.uniform(0, life.seconds), partial(self._send_away, away, seconds))
            yield Event(random.uniform(0, life.seconds), lost.cut)
            outcome.count(Fault.CUT)

    def _send_away(self, client: Client, seconds: float) -> None:
        async def away() -> None:
            client.leave()
            await asyncio.sleep(seconds)
            client.come_back()

        task = asyncio.create_task(away())
        self._away.add(task)
        task.add_done_callback(self._away.discard)

    async def _hardship(self, life: Life, outcome: Outcome) -> None:
        await asyncio.sleep(life.hardship_at)
        if self._server.has_ended():
            return
        begun = self._ledger.clock()
        assert life.hardship is not None
        outcome.count(life.hardship)
        await asyncio.to_thread(self._server.begin_hardship, life)
        try:
            await asyncio.sleep(life.hardship_seconds)
        finally:
            await asyncio.to_thread(self._server.end_hardship, life)
            self._ledger.troubles.append((begun, self._ledger.clock()))

    async def _come_to_rest(self, living: Sequence[asyncio.Task[None]]) -> None:
        """Nobody writes any more; wait until nothing is under way, or for as long as is sensible."""
        self._say("coming to rest")
        for client in self._clients:
            client.is_writing = False
            client.come_back()
        end = time.monotonic() + REST_SECONDS
        seen, since = -1, time.monotonic()
        while time.monotonic() < end:
            _raise_from(living)
            self._server.check_end(is_expected=False)
            count = sum(ledger.seen() for ledger in self._ledgers())
            if count != seen or not all(client.is_at_rest for client in self._clients):
                seen, since = count, time.monotonic()
            if time.monotonic() - since > QUIET_SECONDS:
                return
            await asyncio.sleep(0.1)
        self._say("it has not come to rest in time")

    async def _read_archives(self) -> None:
        self._say("reading the archives")
        for client in self._pairs:
            self._ledger.archives[client.account] = await client.whole_archive()

    async def _read_hall(self, hall: Hall) -> None:
        self._say("reading the room")
        owner = self._speakers[-1]
        hall.rows = await owner.whole_archive()
        hall.found = await owner.lists()

    def _ledgers(self) -> list[Ledger]:
        return [self._ledger, *([self._hall.ledger] if self._hall else [])]


@contextmanager
def prepared(kind: type[Server], pairs: int, keep: Path | None) -> Iterator[Server]:
    """A server, not started, in that folder; or in one that is gone afterwards."""
    with TemporaryDirectory(prefix="commonroom-crash-") as temporary:
        folder = keep.absolute() if keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=not keep)
        server = kind(folder, make_site(folder, Population(pairs * 2 + SPEAKERS)))
        try:
            server.prepare()
            yield server
        finally:
            server.close()


def run(
    kind: type[Server], options: Options, say: Callable[[str], None], keep: Path | None = None
) -> Outcome:
    """Do it all; `keep` is a new folder for what the server writes."""
    with prepared(kind, options.pairs, keep) as server:
        return asyncio.run(Run(server, options, say).play())


def _raise_from(living: Sequence[asyncio.Task[None]]) -> None:
    """A client that ended has found something that no client expects."""
    for task in living:
        if task.done():
            task.result()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
            raise outcome
