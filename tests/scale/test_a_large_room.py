"""A room of two thousand people on a running service, with the limits of rooms that nobody changed."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from commonroom.protocol.muc import NS_MUC, NS_MUC_ADMIN, NS_MUC_OWNER
from tests.attack.server import DOMAIN, Server
from tests.scale.crowd import AT_ONCE, Guest

PEOPLE = 2000
HALL = f"hall@group.{DOMAIN}"
NICKS = [f"Member {number}" for number in range(PEOPLE)]
SECONDS = 120.0
SUBMIT = "<x xmlns='jabber:x:data' type='submit'/>"
_FROM = re.compile(rb"<presence to='[^']*' from='[^'/]*/([^']*)'")
_STANZA_ENDS = re.compile(rb".*(?:</(?:presence|message|iq)>|<iq [^>]*/>)", re.DOTALL)


class Member(Guest):
    """Counts what comes, by texts in it, and keeps who was seen."""

    def __init__(self, name: str, nick: str) -> None:
        super().__init__(name)
        self.nick = nick
        self.seen: list[str] = []
        self.latest = b""

    async def stay(self) -> None:
        rest = b""
        while data := await self._reader.read(1 << 18):
            rest += data
            if (whole := _STANZA_ENDS.match(rest)) is not None:
                self.seen += [nick.decode() for nick in _FROM.findall(whole[0])]
                self.latest = (self.latest + whole[0])[-4096:]
                rest = rest[whole.end() :]
        self.ended = time.monotonic()

    def enter(self) -> None:
        self.send(f"<presence to='{HALL}/{self.nick}'><x xmlns='{NS_MUC}'/></presence>")

    def ask(self, namespace: str, inside: str) -> None:
        self.send(f"<iq type='set' id='q' to='{HALL}'><query xmlns='{namespace}'>{inside}</query></iq>")

    def told(self, *texts: str) -> list[int]:
        """How often each came since this was asked last."""
        found = [self.latest.count(text.encode()) for text in texts]
        self.latest = b""
        return found


async def until(is_so: Callable[[], bool], what: str) -> None:
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < SECONDS, what
        await asyncio.sleep(0.05)


@asynccontextmanager
async def assembly(server: Server) -> AsyncIterator[list[Member]]:
    """The first makes the room, then all others come at once."""
    people = [Member(f"u{number}", nick) for number, nick in enumerate(NICKS)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def come(member: Member) -> None:
        async with gate:
            await member.come(server.plain_port, presence=False)

    await asyncio.gather(*map(come, people))
    reading = [asyncio.create_task(member.stay()) for member in people]
    people[0].enter()
    people[0].ask(NS_MUC_OWNER, SUBMIT)
    await until(lambda: b"<iq type='result'" in people[0].latest, "the room is not made")
    before, begun = server.usage().seconds, time.monotonic()
    for member in people[1:]:
        member.enter()
    await until(lambda: all(len(member.seen) >= PEOPLE for member in people), "not all were seen")
    took, cpu = time.monotonic() - begun, server.usage().seconds - before
    print(f"\n{PEOPLE} entered in {took:.1f} s ({cpu:.1f} s of CPU), {server.usage().kib // 1024} MiB")
    yield people
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    for member in people:
        member.leave()
    await asyncio.sleep(0)  # they are closed by the next turn of the loop


async def all_hear(people: list[Member], what: str, *texts: str) -> None:
    """These come to each of them, once."""
    begun = time.monotonic()
    last = texts[-1].encode()
    await until(lambda: all(last in member.latest for member in people), what)
    print(f"{what} in {(time.monotonic() - begun) * 1000:.0f} ms")
    assert [member.told(*texts) for member in people] == [[1] * len(texts)] * len(people), what


async def hold(server: Server) -> None:
    async with assembly(server) as people:
        assert all(sorted(member.seen) == sorted(NICKS) for member in people)
        await asyncio.sleep(0.5)  # subjects
        for member in people:
            member.latest = b""
        people[1200].send(f"<message type='groupchat' to='{HALL}'><body>Order!</body></message>")
        await all_hear(people, "a message", "<body>Order!</body>")
        people[1300].send(f"<presence to='{HALL}/Speaker'/>")
        await all_hear(people, "a nickname", "code='303'", f"from='{HALL}/Speaker'")
        people[1400].send(f"<presence type='unavailable' to='{HALL}/{NICKS[1400]}'/>")
        await all_hear(people, "leaving", f"from='{HALL}/{NICKS[1400]}'")
        inside = people[:1400] + people[1401:]
        people[0].ask(NS_MUC_ADMIN, f"<item nick='{NICKS[1500]}' role='none'/>")
        await all_hear(inside, "a kick", f"from='{HALL}/{NICKS[1500]}'", "code='307'")
        assert all(member.ended is None for member in people), "somebody was thrown out"


@pytest.mark.timeout(240)
def test_a_room_of_two_thousand_works(tmp_path: Path) -> None:
    """All see each other, and hear once each what is said, who is renamed, who goes and who is put out."""
    server = Server(tmp_path, {"c2s": {"connections_per_address": 5000}}, accounts=PEOPLE)
    server.start()
    try:
        asyncio.run(hold(server))
        assert "Traceback" not in server.log()
    finally:
        server.stop()
