"""RFC 6120 §10.1: what comes from another server is handled in order for each recipient."""

import asyncio
from collections.abc import Awaitable, Callable

from commonroom.core.arrivals import HIGH_WATER, Arrivals
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Stanza

ROMEO, NURSE = JID.parse("romeo@example.org"), JID.parse("nurse@example.org")


class Desk:
    """Where stanzas go; those for whom a gate is shut wait for it."""

    def __init__(self) -> None:
        self.handled: list[str | None] = []
        self.gates: dict[JID, asyncio.Event] = {}
        self.paused = 0
        self.arrivals = Arrivals(self.enter, asyncio.ensure_future, self.pause, self.resume)

    def enter(self, stanza: Stanza) -> Awaitable[None] | None:
        assert stanza.to is not None
        gate = self.gates.get(stanza.to)
        if gate is not None and not gate.is_set():
            return self._later(stanza, gate)
        self.handled.append(stanza.id)
        return None

    async def _later(self, stanza: Stanza, gate: asyncio.Event) -> None:
        await gate.wait()
        if stanza.id == "bad":
            raise ValueError("a bug")
        self.handled.append(stanza.id)

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.paused -= 1

    def take(self, *names: str, to: JID = ROMEO) -> None:
        for name in names:
            self.arrivals.take(Iq(IqType.RESULT, to, None, name))


def run(test: Callable[[Desk], Awaitable[None]]) -> None:
    async def body() -> None:
        await test(Desk())

    asyncio.run(body())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_rfc6120_10_1_what_follows_one_that_waits_waits_too():
    async def test(desk: Desk) -> None:
        gate = desk.gates[ROMEO] = asyncio.Event()
        desk.take("1", "2", "3")
        desk.take("n", to=NURSE)
        assert desk.handled == ["n"]
        gate.set()
        await settle()
        desk.take("4")
        assert desk.handled == ["n", "1", "2", "3", "4"]
        assert desk.arrivals.waiting == 0

    run(test)


def test_a_bug_does_not_stop_what_follows():
    async def test(desk: Desk) -> None:
        gate = desk.gates[ROMEO] = asyncio.Event()
        desk.take("bad", "2")
        gate.set()
        await settle()
        assert desk.handled == ["2"]

    run(test)


def test_reading_pauses_while_too_much_waits():
    async def test(desk: Desk) -> None:
        gate = desk.gates[ROMEO] = asyncio.Event()
        desk.take(*map(str, range(HIGH_WATER + 10)))
        assert desk.paused == 1
        gate.set()
        await asyncio.sleep(0.05)
        assert desk.paused == 0
        assert len(desk.handled) == HIGH_WATER + 10

    run(test)
