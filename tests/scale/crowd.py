"""Clients that do little, and so are many: they log in over a plain port, and tell when they are cut off."""

import asyncio
import re
import time
from base64 import b64encode
from dataclasses import dataclass, field

from tests.attack.server import DOMAIN, HOST, PASSWORD

HEADER = (
    f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' to='{DOMAIN}'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
AT_ONCE = 25


@dataclass
class Guest:
    """One client; `ended` is when its stream ended, `why` what the server said."""

    name: str
    ended: float | None = None
    why: str = ""
    heard: list[float] = field(default_factory=list)

    async def come(self, port: int, presence: bool = True) -> None:
        """Log in by PLAIN, and bind."""
        self._reader, self._writer = await asyncio.open_connection(HOST, port)
        self.send(HEADER)
        await self._until(b"</stream:features>")
        secret = b64encode(f"\0{self.name}\0{PASSWORD}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        answer = await self._until(b">")
        assert b"<success" in answer, answer
        self.send(HEADER)
        await self._until(b"</stream:features>")
        self.send(BIND)
        await self._until(b"</iq>")
        if presence:
            self.send("<presence/>")

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def stay(self) -> None:
        """Read until the end; each message that comes with a time in it tells how long it took."""
        rest = b""
        while data := await self._reader.read(65536):
            now = time.monotonic()
            rest += data
            self.heard += [now - float(sent) for sent in _SENT.findall(rest)]
            if b"<stream:error>" in rest:
                self.ended = self.ended or now
                self.why = rest.decode(errors="replace").rpartition("<stream:error>")[2]
            rest = rest[rest.rfind(b"</message>") + 1 :] if b"</message>" in rest else rest[-4096:]
        self.ended = self.ended or time.monotonic()
        self.leave()

    def leave(self) -> None:
        self._writer.close()

    async def _until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(end), 30)


_SENT = re.compile(rb"<body>([0-9.]+)</body>")


def slowness() -> float:
    """How much longer things take now than on a machine that has nothing else to do; 1 there."""
    begun, spent = time.monotonic(), time.process_time()
    while time.process_time() - spent < 0.1:
        pass
    return max(1.0, (time.monotonic() - begun) / 0.1)


async def gather(guests: list[Guest], port: int) -> None:
    """All of them come, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def come(guest: Guest) -> None:
        async with gate:
            await guest.come(port)

    await asyncio.gather(*(come(guest) for guest in guests))


async def _chat(
    port: int, pairs: list[tuple[str, str]], seconds: float, rate: float
) -> list[tuple[float, float]]:
    talkers = [Guest(name) for pair in pairs for name in pair]
    await gather(talkers, port)
    reading = [asyncio.create_task(each.stay()) for each in talkers]
    told: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    turn = 0
    while (now := time.monotonic()) < end:
        speaker = talkers[turn % len(talkers)]
        other = talkers[(turn % len(talkers)) ^ 1]
        speaker.send(f"<message to='{other.name}@{DOMAIN}' type='chat'><body>{now:.6f}</body></message>")
        turn += 1
        await asyncio.sleep(max(0.0, now + 1 / rate - time.monotonic()))
        for each in talkers:
            told += [(time.monotonic(), took) for took in each.heard]
            each.heard.clear()
    await asyncio.sleep(1.0)
    assert all(each.ended is None for each in talkers), "somebody was thrown out"
    for task in reading:
        task.cancel()
    for talker in talkers:
        told += [(time.monotonic(), took) for took in talker.heard]
        talker.leave()
    assert len(told) == turn, f"{turn - len(told)} of {turn} messages did not arrive"
    return told


def chat(port: int, pairs: list[tuple[str, str]], seconds: float, rate: float) -> list[tuple[float, float]]:
    """Pairs write to each other, in a process of their own: when each message came, and how long it took."""
    return asyncio.run(_chat(port, pairs, seconds, rate))
