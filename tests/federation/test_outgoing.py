"""RFC 6120 §10.4: queues for other domains: in order, bounded, and told to the senders when they fail."""

import asyncio
import itertools
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commonroom.config.federation import Admittance, FederatedDomain, Federation, Security
from commonroom.federation.destination import Elsewhere
from commonroom.federation.dialing import UnreachableError
from commonroom.federation.failures import Failures
from commonroom.federation.journal import Journal
from commonroom.federation.keeping import Keeping, Listeners
from commonroom.federation.outgoing import Around, Outgoing, QueueLimits
from commonroom.federation.policy import Policies
from commonroom.federation.resting import RESTING
from commonroom.net.peer import Facts
from commonroom.protocol.dialback import Pair
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.protocol.timestamps import to_microseconds
from commonroom.storage.memory import Memory, memory_stores

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OURS, THEIRS = "example.org", "example.net"
PAIR = Pair(OURS, THEIRS)
ROMEO, JULIET = JID.parse("romeo@example.org/orchard"), JID.parse("juliet@example.net")


class Carrier:
    """A stream as `Outgoing` sees it; it may be one of our own."""

    def __init__(self, pair: Pair = PAIR, takes_more: bool = False) -> None:
        self.pair = pair
        self.pairs = {pair}
        self.takes_more = takes_more
        self.sent: list[Stanza] = []
        self.asked: list[Pair] = []
        self.is_congested = False
        self.aborted = ""
        self.unsure: tuple[Stanza, ...] = ()

    def unacknowledged(self) -> tuple[Stanza, ...]:
        return self.unsure

    def send(self, stanza: Stanza) -> None:
        self.sent.append(stanza)

    def authorize(self, pair: Pair) -> bool:
        self.asked.append(pair)
        return True

    def end(self, error: object = None) -> None: ...

    def abort(self, reason: str) -> None:
        self.aborted = reason

    def facts(self) -> Facts:
        return Facts("192.0.2.1", "TLSv1.3", 0, 0, 0, 0)


class Dialer:
    """Ends each call as the test says: with a stream, a failure, or not at all."""

    def __init__(self) -> None:
        self.calls: list[Pair] = []
        self.outcomes: list[Carrier | UnreachableError | None] = []

    async def dial(self, pair: Pair, owner: Any, journal: Journal) -> Any:
        self.calls.append(pair)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, UnreachableError):
            raise outcome
        if outcome is None:
            await asyncio.Event().wait()
        owner.ready(outcome, pair)
        return outcome


class Timer:
    def cancel(self) -> None: ...


class World:
    def __init__(self, settings: Federation | None = None, timeout: float = 30) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.tasks: list[asyncio.Future[Any]] = []
        self.returned: list[Stanza] = []
        self.dialer, self.failures = Dialer(), Failures()
        policies = Policies(settings or Federation())
        around = Around(self.start, self.later, lambda: self.now, lambda: datetime.now(UTC), lambda: 0.5)
        limits = QueueLimits(stanzas=5, size=10_000, timeout=timeout, retry_first=5, retry_longest=15)
        self.stores = memory_stores(Memory())
        self.listeners = {ROMEO: ROMEO}
        self.keeping = Keeping(
            self.stores.outbound,
            self.stores.writes,
            itertools.count(to_microseconds(START)).__next__,
            lambda: START + timedelta(seconds=self.now),
            self.returned.append,
            Listeners(lambda sender: sender.domain == OURS, self.listeners.get),
            timedelta(days=3),
        )
        self.outgoing = Outgoing(policies, limits, around, self.keeping, self.failures)
        self.outgoing.connect(self.dialer)  # type: ignore[arg-type]
        ours = {OURS, "rooms.example.org"}.__contains__
        self.elsewhere = Elsewhere(self.outgoing, policies, self.keeping, ours)

    def start(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        self.tasks.append(asyncio.ensure_future(work))
        return self.tasks[-1]

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append((self.now + delay, call))
        return Timer()

    async def turn(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = [call for at, call in self.timers if at <= self.now]
        self.timers = [(at, call) for at, call in self.timers if at > self.now]
        for call in due:
            call()

    def send(self, name: str, sender: JID = ROMEO, to: JID = JULIET) -> None:
        self.elsewhere.receive(Message(MessageType.CHAT, to, sender, name), sender, to)

    def conditions(self) -> list[str]:
        """What the senders were told."""
        return [element.elements()[0].name for each in self.returned for element in each.elements()]


def run(test: Callable[[World], Awaitable[None]], world: Callable[[], World] = World) -> None:
    async def body() -> None:
        made = world()
        await test(made)
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)

    asyncio.run(body())


def ids(stanzas: list[Stanza]) -> list[str | None]:
    return [stanza.id for stanza in stanzas]


def test_rfc6120_10_4_2_what_comes_first_waits_and_goes_first():
    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [carrier]
        for number in "123":
            world.send(number)
        assert world.dialer.calls == []
        await world.turn()
        world.send("4")
        assert ids(carrier.sent) == ["1", "2", "3", "4"]
        assert world.dialer.calls == [PAIR]

    run(test)


@pytest.mark.parametrize(
    ("failure", "condition"),
    [
        (UnreachableError("nobody", is_not_found=True), "remote-server-not-found"),
        (UnreachableError("it does not answer"), "remote-server-timeout"),
        (UnreachableError("our key", is_invalid=True), "internal-server-error"),
    ],
)
def test_rfc6120_10_4_3_senders_hear_why(failure: UnreachableError, condition: str):
    async def test(world: World) -> None:
        world.dialer.outcomes = [failure]
        world.send("1")
        world.elsewhere.receive(Iq(IqType.RESULT, JULIET, ROMEO, "2"), ROMEO, JULIET)
        world.elsewhere.receive(Presence(PresenceType.PROBE, JULIET, ROMEO), ROMEO, JULIET)
        await world.turn()
        assert world.conditions() == [condition]
        assert failure.reason in world.returned[0].xml()
        assert world.failures.latest()[0].reason == failure.reason

    run(test)


def test_a_server_that_restarts_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commonroom.federation.outgoing.AGAIN_AFTER", (0.001, 0.001))

    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [UnreachableError("cut", is_passing=True)] * 2 + [carrier]
        world.send("1")
        await asyncio.sleep(0.05)
        assert (ids(carrier.sent), world.returned) == (["1"], [])
        world.outgoing.ended(carrier, "reset")  # type: ignore[arg-type]
        world.dialer.outcomes = [UnreachableError("cut", is_passing=True)] * 3
        world.send("2")
        await asyncio.sleep(0.05)
        assert ids(world.returned) == ["2"]

    run(test)


def test_a_server_that_failed_is_left_alone_longer_and_longer():
    async def test(world: World) -> None:
        world.dialer.outcomes = [UnreachableError("down")] * 4
        for delay in (5, 10, 15, 15):
            world.send("1")
            await world.turn()
            with pytest.raises(StanzaError, match="down"):
                world.send("2")
            world.pass_time(delay - 0.1)
            with pytest.raises(StanzaError):
                world.send("3")
            world.pass_time(0.2)
        assert len(world.dialer.calls) == 4

    run(test)


def test_a_success_forgets_what_failed():
    async def test(world: World) -> None:
        world.dialer.outcomes = [UnreachableError("down"), Carrier()]
        world.send("1")
        await world.turn()
        world.pass_time(6)
        world.send("2")
        await world.turn()
        assert world.failures.latest() == []
        world.send("3")

    run(test)


def test_a_queue_is_bounded_in_number_and_size():
    async def test(world: World) -> None:
        for number in range(5):
            world.send(str(number))
        with pytest.raises(StanzaError, match="resource-constraint"):
            world.send("6")
        to = JID.parse("nurse@example.com")
        with pytest.raises(StanzaError, match="resource-constraint"):
            world.send("x" * 20_000, to=to)

    run(test)


def test_a_dead_domain_costs_only_its_own_queue():
    async def test(world: World) -> None:
        world.send("to the dead")
        await world.turn()
        carrier = Carrier(Pair(OURS, "example.com"))
        world.dialer.outcomes = [carrier]
        world.send("to the living", to=JID.parse("nurse@example.com"))
        await world.turn()
        assert ids(carrier.sent) == ["to the living"]

    run(test)


def test_what_takes_too_long_goes_back():
    async def test(world: World) -> None:
        world.send("1")
        await asyncio.sleep(0.1)
        assert world.conditions() == ["remote-server-timeout"]
        assert "longer than 0.05 seconds" in world.returned[0].xml()

    run(test, lambda: World(timeout=0.05))


def test_a_slow_reader_is_waited_for_and_then_given_up():
    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [carrier]
        world.send("1")
        await world.turn()
        carrier.is_congested = True
        for number in "23":
            world.send(number)
        world.pass_time(0.3)
        assert ids(carrier.sent) == ["1"]
        carrier.is_congested = False
        world.pass_time(0.3)
        assert ids(carrier.sent) == ["1", "2", "3"]
        carrier.is_congested = True
        world.send("4")
        for _ in range(200):
            world.pass_time(0.25)
        assert carrier.aborted
        assert ids(world.returned) == ["4"]

    run(test)


def test_what_waits_when_a_stream_ends_finds_another_way():
    async def test(world: World) -> None:
        first, second = Carrier(), Carrier()
        world.dialer.outcomes = [first, second]
        world.send("1")
        await world.turn()
        first.is_congested = True
        world.send("2")
        world.outgoing.ended(first, "reset")  # type: ignore[arg-type]
        await world.turn()
        assert ids(second.sent) == ["2"]
        world.outgoing.ended(second, "idle")  # type: ignore[arg-type]
        assert world.outgoing.links() == []

    run(test)


def test_xep0198_4_what_was_not_acknowledged_is_sent_again_first():
    async def test(world: World) -> None:
        first, second = Carrier(), Carrier()
        world.dialer.outcomes = [first, second]
        for number in "123":
            world.send(number)
        await world.turn()
        first.unsure = tuple(first.sent[1:])
        first.is_congested = True
        world.send("4")
        world.outgoing.ended(first, "reset")  # type: ignore[arg-type]
        await world.turn()
        assert ids(second.sent) == ["2", "3", "4"]

    run(test)


def test_xep0288_2_2_a_stream_that_the_peer_opened_carries_too():
    async def test(world: World) -> None:
        carrier = Carrier()
        world.outgoing.carry(PAIR, carrier)
        world.send("1")
        assert (ids(carrier.sent), world.dialer.calls) == (["1"], [])
        world.outgoing.drop(carrier)
        world.send("2")
        await world.turn()
        assert world.dialer.calls == [PAIR]

    run(test)


def test_xep0220_2_6_1_another_domain_of_ours_asks_to_share_the_stream():
    async def test(world: World) -> None:
        carrier, also = Carrier(takes_more=True), Pair("rooms.example.org", THEIRS)
        world.dialer.outcomes = [carrier, Carrier(also)]
        world.send("1")
        await world.turn()
        room = JID.parse("orchard@rooms.example.org/romeo")
        world.send("2", sender=room)
        assert carrier.asked == [also]
        world.outgoing.refused(carrier, also, "no", False)  # type: ignore[arg-type]
        await world.turn()
        assert world.dialer.calls == [PAIR, also]

    run(test)


def test_a_domain_that_is_denied_gets_nothing():
    denied = {"example.net": FederatedDomain(policy=Admittance.DENY)}

    async def test(world: World) -> None:
        for to in (JULIET, JID.parse("a@sub.example.net")):
            with pytest.raises(StanzaError, match="not-allowed"):
                world.send("1", to=to)
        world.elsewhere.receive(Presence(PresenceType.PROBE, JULIET, ROMEO), ROMEO, JULIET)
        assert world.dialer.calls == []

    run(test, lambda: World(Federation(domains=denied)))


def test_what_is_not_from_us_is_not_passed_on():
    async def test(world: World) -> None:
        world.send("1", sender=JID.parse("a@example.com"))
        await world.turn()
        assert (world.dialer.calls, world.returned) == ([], [])

    run(test)


def test_the_policy_of_a_domain_counts_below_it_too():
    settings = Federation(
        default=Admittance.DENY,
        security=Security.CERTIFICATE,
        domains={
            "example.net": FederatedDomain(security=Security.ENCRYPTED),
            "strict.example.net": FederatedDomain(security=Security.EXTERNAL),
        },
    )
    policies = Policies(settings)
    assert policies.of("example.com").refused
    assert policies.of("rooms.example.net").security is Security.ENCRYPTED
    assert policies.of("rooms.strict.example.net").security is Security.EXTERNAL
    assert not policies.of("strict.example.net").allows_dialback
    assert not policies.of("example.net").needs_certificate


def test_what_is_sent_to_a_domain_at_rest_leaves_nothing_behind():
    async def test(world: World) -> None:
        world.dialer.outcomes = [UnreachableError("it is not there", is_not_found=True)]
        world.send("1")
        await world.turn()
        raised = []
        for number in "234":
            with pytest.raises(StanzaError, match="it is not there") as caught:
                world.send(number)
            raised.append(caught.value)
        assert len({id(error) for error in raised}) == 3
        assert {len(traceback.extract_tb(error.__traceback__)) for error in raised} == {
            len(traceback.extract_tb(raised[0].__traceback__))
        }

    run(test)


def test_a_failure_is_forgotten_when_nobody_tried_for_long():
    async def test(world: World) -> None:
        world.dialer.outcomes = [UnreachableError("?", is_not_found=True) for _ in range(3)]
        for _ in range(2):
            world.send("1")
            await world.turn()
            world.pass_time(15)
        world.pass_time(60)
        assert not world.outgoing.resting
        world.send("2")
        await world.turn()
        world.pass_time(4)
        with pytest.raises(StanzaError):
            world.send("3")
        world.pass_time(2.5)  # as after the first failure
        world.send("4")

    run(test)


def test_domains_that_fail_are_forgotten_when_there_are_too_many():
    async def test(world: World) -> None:
        world.dialer.outcomes = [UnreachableError("?", is_not_found=True) for _ in range(RESTING + 1)]
        for number in range(RESTING + 1):
            world.send("1", to=JID.parse(f"u@d{number}.example"))
        await world.turn()
        assert world.outgoing.resting == RESTING
        world.send("2", to=JID.parse("u@d0.example"))

    run(test)
