"""A crowd over TLS: 200 clients of a real server process come into one room, hear what is said, and leave."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import pytest

from bench.site import PASSWORD, ROOMS
from commonroom.protocol.muc import NS_MUC
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from crash import stanzas
from crash.abilities import abilities
from crash.run import prepared
from crash.servers.commonroom import CommonRoom
from crash.wire import Wire, login

CROWD = 200
# TLS and the login cost most: so many at once keep both sides busy, and no answer waits for long.
AT_ONCE = 20
# On two idle cores it takes two; others may use them as well.
SECONDS = 25.0
HALL = f"hall@{ROOMS}"
WORD = "Order, order!"


class Heard(NamedTuple):
    """What one occupant got, by its kind: words, and who came and went by nickname."""

    words: list[str]
    came: Counter[str]
    left: Counter[str]


class Occupant:
    """A client that reads all the time, so that the server never waits for it."""

    def __init__(self, number: int) -> None:
        self.nick = f"Member {number}"
        self.heard = Heard([], Counter(), Counter())
        self.codes: set[str] = set()
        self.changed = asyncio.Condition()
        self._number = number

    async def come(self, server: CommonRoom) -> None:
        """Log in, and enter; return when everybody who is there was seen."""
        self._wire, _ = await login(server.door, f"u{self._number}", PASSWORD)
        self._wire.write(stanzas.bind("crowd"))
        assert (await self._wire.next()).get("type") == "result"
        self._reading = asyncio.create_task(self._read(self._wire))
        self._wire.write(f"<presence to='{HALL}/{self.nick}'><x xmlns='{NS_MUC}'/></presence>")
        await self.until(lambda: "110" in self.codes)

    def send(self, text: str) -> None:
        self._wire.write(text)

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that this client hears."""
        async with self.changed:
            await self.changed.wait_for(is_so)

    def has_seen(self, nicks: set[str]) -> bool:
        return self.heard.came.keys() == nicks

    def has_heard(self) -> bool:
        return bool(self.heard.words)

    def has_left(self) -> bool:
        return self.nick in self.heard.left

    async def close(self) -> None:
        """End the stream."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._wire.abort()

    async def _read(self, wire: Wire) -> None:
        while True:
            self._take(await wire.next())
            async with self.changed:
                self.changed.notify_all()

    def _take(self, stanza: Element) -> None:
        nick = (stanza.get("from") or "").partition("/")[2]
        if stanza.name == "message" and (word := stanza.child_text(NS_CLIENT, "body")) is not None:
            self.heard.words.append(f"{nick}: {word}")
        elif stanza.name == "presence":
            assert stanza.get("type") != "error", stanza
            (self.heard.left if stanza.get("type") else self.heard.came)[nick] += 1
            x = stanza.child(NS_MUC_USER, "x")
            self.codes |= {each.get("code") or "" for each in x.elements()} if x is not None else set()


@pytest.fixture(scope="module")
def hall_server() -> Iterator[CommonRoom]:
    """Ours with an account for each, and nothing else going on."""
    with prepared(CommonRoom, CROWD // 2, None) as server:
        assert isinstance(server, CommonRoom)
        server.start(None)
        yield server


async def gather(server: CommonRoom) -> list[Occupant]:
    """The first makes the room; the others come as fast as they are let in."""
    await abilities(server.door)
    crowd = [Occupant(number) for number in range(CROWD)]
    await crowd[0].come(server)
    owner = "http://jabber.org/protocol/muc#owner"
    form = f"<query xmlns='{owner}'><x xmlns='jabber:x:data' type='submit'/></query>"
    crowd[0].send(f"<iq type='set' id='own' to='{HALL}'>{form}</iq>")
    at_once = asyncio.Semaphore(AT_ONCE)

    async def come(occupant: Occupant) -> None:
        async with at_once:
            await occupant.come(server)

    await asyncio.gather(*map(come, crowd[1:]))
    return crowd


async def hold_a_meeting(server: CommonRoom) -> None:
    crowd = await gather(server)
    nicks = {occupant.nick for occupant in crowd}
    for occupant in crowd:
        await occupant.until(partial(occupant.has_seen, nicks))
    crowd[-1].send(f"<message type='groupchat' to='{HALL}'><body>{WORD}</body></message>")
    said = [f"{crowd[-1].nick}: {WORD}"]
    for occupant in crowd:
        await occupant.until(occupant.has_heard)
    for occupant in crowd[1:]:
        occupant.send(f"<presence to='{HALL}/{occupant.nick}' type='unavailable'/>")
    for occupant in crowd[1:]:
        await occupant.until(occupant.has_left)
    # The first one sees all go, and is the last.
    await crowd[0].until(lambda: len(crowd[0].heard.left) == CROWD - 1)
    for occupant in crowd:
        # All that a client got is in what it heard: everybody came once, left at most once, and spoke once.
        assert occupant.heard.words == said
        assert occupant.heard.came == Counter(nicks)
        assert set(occupant.heard.left.values()) <= {1}
    crowd[0].send(f"<presence to='{HALL}/{crowd[0].nick}' type='unavailable'/>")
    await crowd[0].until(crowd[0].has_left)
    await asyncio.gather(*(occupant.close() for occupant in crowd))


def test_200_come_speak_and_leave_over_tls(hall_server: CommonRoom) -> None:
    began = time.monotonic()
    asyncio.run(asyncio.wait_for(hold_a_meeting(hall_server), SECONDS))
    print(f"{CROWD} occupants: {time.monotonic() - began:.1f} s")
