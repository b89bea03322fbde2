"""One account's client: it writes to its partner, and does for its messages what a good client does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from commonroom.xml.element import Element
from crash import stanzas
from crash.catching_up import Archive, Query, RefusedPage
from crash.ledger import ArchiveRow, Key, Ledger, Showing, partner
from crash.outbox import Outbox, Outgoing
from crash.wire import Door, Gone, Wire, login

PASSWORD = "secret"
# Before the next attempt to connect, and before a silent connection is given up, in seconds.
RETRY = (0.02, 0.1)
PATIENCE = 0.7
LEAVING = 2.0
LOGIN_SECONDS = 20.0
# Messages and the pause before them; how often an acknowledgement is asked for; how many may lack one.
BURST = 4
PAUSE = (0.15, 0.65)
REQUEST_CHANCE = 0.5
WINDOW = 30
# An answer that nobody asked for, after so many stanzas.
ANSWER_EVERY = 5


@dataclass(frozen=True, slots=True)
class Habits:
    """What kind of client it is."""

    manages: bool  # uses 0198, if the server has it
    catches_up: bool  # reads the archive after each bind, if the server has one


@dataclass(frozen=True, slots=True)
class World:
    """What all clients of a run share. `tamper` may swallow an element that came, as no client should."""

    door: Door
    ledger: Ledger
    came_online: Callable[[], None]
    tamper: Callable[[int, Element], bool] = lambda _account, _element: False
    partners_domain: str | None = None  # if it is another one


class Client:
    """`live` until `stop`; `is_writing` says whether it sends new messages."""

    def __init__(self, account: int, habits: Habits, world: World, random: Random) -> None:
        self.account = account
        self.habits = habits
        self.is_writing = True
        self.archive = Archive(self._ask)
        self._world = world
        self._ledger = world.ledger
        self._random = random
        self._address = f"u{account}@{world.door.domain}"
        self._peer = f"u{partner(account)}@{world.partners_domain or world.door.domain}"
        self._wire: Wire | None = None
        self._present = asyncio.Event()
        self._present.set()
        self._cut: list[Wire] = []
        self._number = 0
        self._outbox = Outbox()
        self._managed = False
        self._previous: str | None = None  # what a resumption must name
        self._handled = 0
        self._session: int | None = None
        self._lost_at: float | None = None  # of a connection that was cut
        self._is_leaving = False
        self._shown: list[Showing] = []  # in this session, without acknowledgement
        self._online = asyncio.Event()

    @property
    def is_at_rest(self) -> bool:
        """Online, and nothing of what it sent waits for an answer."""
        return self._online.is_set() and not self._outbox

    @property
    def unanswered(self) -> int:
        """How many stanzas lack an acknowledgement."""
        return len(self._outbox)

    async def live(self) -> None:
        """Connect, again and again. Runs until it is cancelled."""
        while True:
            await self._present.wait()
            try:
                await self._spend_connection()
            except OSError:
                await asyncio.sleep(self._random.uniform(*RETRY))

    def leave(self) -> None:
        """Go offline, as somebody who closes the program."""
        self._present.clear()
        if self._wire and self._online.is_set():
            self._online.clear()
            if self._managed:
                self._request()
                self._answer()
            self._write(stanzas.END)
            self._is_leaving = True
            asyncio.get_running_loop().call_later(LEAVING, self._wire.abort)
            self._previous = None

    def come_back(self) -> None:
        """Go online again."""
        self._present.set()

    def cut(self) -> None:
        """Lose the network: nobody hears of it, and the client notices after a while."""
        if self._wire and self._online.is_set():
            self._lost_at = self._ledger.clock()
            self._cut.append(self._wire)
            self._wire.cut(PATIENCE)

    def bury(self) -> None:
        """Close what was cut."""
        for wire in self._cut:
            wire.bury()

    async def whole_archive(self) -> list[ArchiveRow]:
        """All that its archive holds; raises Gone if the server goes meanwhile."""
        rows: list[ArchiveRow] = []
        async for page in self.archive.pages(None):
            rows += page
        return rows

    async def _spend_connection(self) -> None:
        async with asyncio.timeout(LOGIN_SECONDS):
            wire, features = await login(self._world.door, f"u{self.account}", PASSWORD)
        self._wire, self._is_leaving, self._lost_at = wire, False, None
        has_joined = False
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                await self._join(wire, features)
            has_joined = True
            self._world.came_online()
            await self._read_and_write(wire)
        finally:
            self._wire = None
            self._online.clear()
            self.archive.fail(Gone("connection lost"))
            wire.abort()
            # What ended before it joined ends no session: that one had lost its connection already.
            if has_joined and self._session is not None:
                self._ledger.connection_lost(self._session, self._lost_at or self._ledger.clock())

    async def _read_and_write(self, wire: Wire) -> None:
        self._online.set()
        tasks = [asyncio.create_task(self._write_messages())]
        if self.habits.catches_up and not self.archive.is_caught_up:
            tasks.append(asyncio.create_task(self._catch_up()))
        try:
            while True:
                self._take(await wire.next())
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                    raise outcome

    async def _join(self, wire: Wire, features: Element) -> None:
        """Resume the last session, or begin a new one and send again what is not acknowledged."""
        can_manage = features.child(stanzas.NS_MANAGEMENT, "sm") is not None
        if self._previous and can_manage and await self._resume(wire, self._previous):
            return
        wire.write(stanzas.bind(f"client{self.account}"))
        bound = await wire.next()
        if bound.get("type") != "result":
            raise Gone(f"not bound: {bound!r}")
        again = self._outbox.renew()
        self._previous, self._handled, self._shown = None, 0, []
        self._managed = can_manage and self.habits.manages and await self._enable(wire)
        self._session = self._ledger.open_session(self._managed)
        self.archive.is_caught_up = False
        self._announce()
        for stanza in again:
            self._send(*stanza)
        self._request()

    def _announce(self) -> None:
        self._send(stanzas.PRESENCE, None)

    async def _resume(self, wire: Wire, previous: str) -> bool:
        wire.write(stanzas.resume(previous, self._handled))
        answer = await wire.next()
        if (count := answer.get("h")) is not None:
            self._note(int(count))
        if answer.name != "resumed":
            return False
        for stanza in self._outbox.unacknowledged():
            wire.write(stanza.xml)
        self._request()
        return True

    async def _enable(self, wire: Wire) -> bool:
        wire.write(stanzas.ENABLE)
        answer = await wire.next()
        if answer.get("resume") in ("true", "1"):
            self._previous = answer.get("id")
        return answer.name == "enabled"

    async def _write_messages(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*PAUSE))
            if self.is_writing and not self._is_leaving and len(self._outbox) <= WINDOW:
                self._write_burst()
            if self._random.random() < REQUEST_CHANCE:
                self._request()

    def _write_burst(self) -> None:
        for _ in range(self._random.randint(1, BURST)):
            self._number += 1
            key = Key(self.account, self._number)
            self._ledger.sent(key)
            self._send(self._text(key), key)

    def _text(self, key: Key) -> str:
        return stanzas.chat(key, self._peer)

    async def _catch_up(self) -> None:
        """Read what the archive has beyond the last message that is known."""
        try:
            async for page in self.archive.catch_up():
                for row in page:
                    if row.key.recipient == self.account:
                        self._ledger.fetched(row.key)
        except RefusedPage:
            self._ledger.refused_pages += 1

    def _take(self, element: Element) -> None:
        if self._world.tamper(self.account, element):
            self._handled += 1
            return
        if element.namespace == stanzas.NS_MANAGEMENT:
            self._take_management(element)
            return
        if (element.namespace, element.name) == (stanzas.NS_STREAMS, "error"):
            raise Gone(f"stream error: {element!r}")
        self._handled += 1
        if element.name == "message":
            self._take_message(element)
        elif element.name == "iq":
            self._take_iq(element)
        else:
            self._take_presence(element)
        if self._managed and self._handled % ANSWER_EVERY == 0:
            self._answer()

    def _take_management(self, element: Element) -> None:
        if element.name == "r":
            self._answer()
        elif element.name == "a":
            self._note(int(element.get("h", "")))

    def _take_message(self, message: Element) -> None:
        if archived := message.child(stanzas.NS_ARCHIVE, "result"):
            self.archive.take(archived)
            return
        key = stanzas.key_of(message)
        if key is None:
            return
        if message.get("type") == "error":
            self._ledger.refused(key)
            return
        assert self._session is not None
        archive_id = stanzas.archive_id(message, self._address)
        self.archive.saw(archive_id)
        if showing := self._ledger.shown(key, self._session, archive_id):
            self._shown.append(showing)
            if not self._managed:
                self._acknowledge_shown()

    def _take_presence(self, presence: Element) -> None:
        """Who else is there does not matter here."""

    def _take_iq(self, iq: Element) -> None:
        if iq.get("type") in ("get", "set"):
            self._send(stanzas.result(iq), None)
        else:
            self.archive.end(iq)

    def _answer(self) -> None:
        if self._is_leaving:
            return
        self._write(stanzas.answer(self._handled))
        self._acknowledge_shown()

    def _acknowledge_shown(self) -> None:
        now = self._ledger.clock()
        for showing in self._shown:
            showing.acknowledged_at = now
        self._shown.clear()

    def _note(self, count: int) -> None:
        for key in self._outbox.handled(count):
            self._ledger.acknowledged(key)

    def _request(self) -> None:
        if self._managed and self._outbox:
            self._write(stanzas.REQUEST)

    def _ask(self, query: Query) -> None:
        if not self._online.is_set():
            raise Gone("offline")
        self._send(stanzas.archive_page(query.name, query.after, query.limit), None)

    def _send(self, xml: str, key: Key | None) -> None:
        """Write a stanza, and keep it until it is acknowledged."""
        if self._managed:
            self._outbox.add(Outgoing(xml, key))
        self._write(xml)

    def _write(self, xml: str) -> None:
        if self._wire and not self._is_leaving:
            self._wire.write(xml)


def make(account: int, habits: Habits, world: World, seed: int) -> Client:
    """A client whose choices depend on the seed and its account only."""
    return Client(account, habits, world, Random(f"{seed}/{account}"))
