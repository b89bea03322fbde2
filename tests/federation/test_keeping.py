"""XEP-0198 §4: what somebody was told is handled reaches the other server, whatever becomes of ours."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from commonroom.config.federation import Federation
from commonroom.federation.dialing import UnreachableError
from commonroom.federation.keeping import Keeping
from commonroom.federation.outgoing import BEGUN_PER_SECOND
from commonroom.protocol.debts import Owed
from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.dialback import Pair
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.storage.errors import StorageBusy, StorageError
from commonroom.storage.memory_outbound import MemoryOutboundStore
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CHAT_STATES, NS_CLIENT, NS_HINTS
from tests.federation.test_outgoing import JULIET, OURS, PAIR, ROMEO, THEIRS, Carrier, World, ids, run

HOME = JID.parse("romeo@example.org/home")
DOWN = UnreachableError("down")


def said(
    id: str, kind: MessageType = MessageType.CHAT, child: Element | None = None, to: JID = JULIET
) -> Message:
    return Message(kind, to, ROMEO, id, [child or Element(NS_CLIENT, "body", {}, "hi")])


def send(world: World, message: Message, owed: Owed) -> None:
    message.owed = owed
    assert message.to is not None
    world.elsewhere.receive(message, ROMEO, message.to)


async def on_disk(world: World) -> list[str]:
    return [row.xml.split("id='")[1].split("'")[0] for row in await world.stores.outbound.load(100)]


def acknowledge(carrier: Carrier, count: int) -> None:
    for stanza in carrier.sent[:count]:
        if stanza.held is not None:
            stanza.held.arrived()
    carrier.unsure = carrier.unsure[count:]


async def restarted(world: World, patience: timedelta = timedelta(days=3)) -> World:
    """Another process, with what is on disk."""
    other = World()
    other.stores, other.now = world.stores, world.now + 1
    other.keeping.__init__(  # type: ignore[misc]
        world.stores.outbound,
        world.stores.writes,
        itertools.count(2**52).__next__,
        world.keeping._now,
        other.returned.append,
        other.keeping._listeners,
        patience,
    )
    other.outgoing.begin(await other.keeping.load())
    return other


class BusyStore(MemoryOutboundStore):
    """The disk has fallen behind."""

    def add(self, id: int, xml: str) -> None:
        raise StorageBusy("10000 writes wait for the database")


@pytest.mark.parametrize("is_busy", [True, False])
def test_what_cannot_be_written_is_refused_before_its_sender_is_told_that_it_was_handled(is_busy: bool):
    async def test(world: World) -> None:
        owed = Owed()
        if is_busy:
            world.keeping._store = BusyStore(lambda: None)
        world.stores.writes.hold()  # type: ignore[attr-defined]
        send(world, said("1"), owed)
        owed.secure()
        world.stores.writes.release(StorageError("the disk is full"))  # type: ignore[attr-defined]
        assert world.conditions() == ["resource-constraint"]
        assert owed.last() is None

    run(test)


def test_what_failed_is_forgotten_when_its_sender_was_told():
    async def test(world: World) -> None:
        world.dialer.outcomes = [DOWN]
        owed = Owed()
        send(world, said("1"), owed)
        owed.secure()
        assert await on_disk(world) == ["1"]
        await world.turn()
        assert (world.conditions(), await on_disk(world)) == (["remote-server-timeout"], ["1"])
        (refusal,) = world.returned
        assert isinstance(refusal, Message)
        refusal.arrive()  # its client acknowledged it
        assert await on_disk(world) == []
        with pytest.raises(Exception, match="down"):  # and what is refused at once, is never written
            send(world, said("2"), owed)
        assert owed.last() is None

    run(test)


def test_what_failed_is_tried_again_if_its_sender_did_not_get_to_hear_of_it():
    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [DOWN, carrier]
        owed = Owed()
        send(world, said("1"), owed)
        owed.secure()
        await world.turn()
        (refusal,) = world.returned
        assert refusal.held is not None
        refusal.held.missed()
        assert await on_disk(world) == ["1"]
        world.pass_time(5.1)
        await world.turn()
        assert ids(carrier.sent) == ["1"]
        refusal.held.missed()  # there is a way meanwhile
        assert ids(carrier.sent) == ["1", "1"]
        carrier.is_congested = True
        send(world, said("2"), owed)
        refusal.held.missed()
        carrier.is_congested = False
        world.pass_time(0.3)
        assert ids(carrier.sent) == ["1", "1", "2", "1"]

    run(test)


def test_another_client_of_the_sender_hears_of_a_failure_if_that_one_is_gone():
    async def test(world: World) -> None:
        world.dialer.outcomes = [DOWN]
        owed = Owed()
        send(world, said("1"), owed)
        owed.secure()
        world.listeners[ROMEO] = HOME
        await world.turn()
        assert [answer.to for answer in world.returned] == [HOME]

    run(test)


def test_while_nobody_can_hear_of_a_failure_it_is_tried_again_in_order():
    async def test(world: World) -> None:
        world.dialer.outcomes = [DOWN, DOWN]
        owed = Owed()
        for number in "12":
            send(world, said(number), owed)
        owed.secure()
        world.listeners.clear()
        await world.turn()
        assert (world.returned, await on_disk(world)) == ([], ["1", "2"])
        assert world.outgoing.postponed() == {PAIR: 2}
        world.pass_time(5.1)
        await world.turn()
        assert len(world.dialer.calls) == 2
        carrier = Carrier()
        world.dialer.outcomes = [carrier]
        world.pass_time(10.1)
        send(world, said("3"), Owed())
        await world.turn()
        assert ids(carrier.sent) == ["1", "2", "3"]

    run(test)


def test_not_for_ever():
    async def test(world: World) -> None:
        world.dialer.outcomes = [DOWN, DOWN]
        owed = Owed()
        send(world, said("1"), owed)
        owed.secure()
        world.listeners.clear()
        await world.turn()
        world.pass_time(3 * 86_400 + 1)
        await world.turn()
        assert (world.conditions(), await on_disk(world)) == (["remote-server-timeout"], [])

    run(test)


HERS = JID.parse("rosaline@example.org/ball")


def test_what_an_erased_account_wrote_goes_nowhere_any_more_and_leaves_the_disk():
    async def test(world: World) -> None:
        world.listeners.clear()
        world.dialer.outcomes = [DOWN]
        owed, tybalt = Owed(1000), JID.parse("tybalt@example.com")
        send(world, said("rests"), owed)
        owed.secure()
        await world.turn()
        send(world, said("waits", to=tybalt), owed)
        world.send("other", HERS, tybalt)
        leaves = Presence(PresenceType.UNSUBSCRIBED, tybalt, ROMEO, "end")
        world.elsewhere.receive(leaves, ROMEO, tybalt)
        owed.secure()
        assert await on_disk(world) == ["rests", "waits", "end"]
        world.outgoing.forget(ROMEO.bare)
        assert await on_disk(world) == ["end"]
        assert world.outgoing.postponed() == {}
        world.outgoing.carry(Pair(OURS, "example.com"), carrier := Carrier(Pair(OURS, "example.com")))
        assert (ids(carrier.sent), world.returned) == (["other", "end"], [])

    run(test)


def test_what_an_erased_account_wrote_is_not_sent_again_after_a_connection_ends():
    async def test(world: World) -> None:
        owed, carrier = Owed(1000), Carrier()
        world.outgoing.carry(PAIR, carrier)
        send(world, said("gone"), owed)
        world.send("other", HERS)
        carrier.unsure = tuple(carrier.sent)
        world.outgoing.forget(ROMEO.bare)
        world.outgoing.drop(carrier)
        world.outgoing.carry(PAIR, later := Carrier())
        assert ids(later.sent) == ["other"]

    run(test)


def test_what_waits_behind_a_slow_reader_stays_in_its_queue_while_nobody_can_hear():
    async def test(world: World) -> None:
        first, second = Carrier(), Carrier()
        world.dialer.outcomes = [first, second]
        owed = Owed()
        send(world, said("1"), owed)
        await world.turn()
        first.is_congested = True
        send(world, said("2"), owed)
        owed.secure()
        world.listeners.clear()
        for _ in range(200):
            world.pass_time(0.25)
        assert first.aborted
        world.outgoing.ended(first, "aborted")  # type: ignore[arg-type]
        await world.turn()
        assert (ids(second.sent), world.returned) == (["2"], [])

    run(test)


@pytest.mark.parametrize(
    "message",
    [
        said("1", MessageType.HEADLINE),
        said("1", MessageType.ERROR),
        said("1", child=Element(NS_CHAT_STATES, "composing")),
        said("1", child=Element(NS_HINTS, "no-store")),
    ],
)
def test_what_need_not_be_kept_is_not(message: Message):
    async def test(world: World) -> None:
        owed = Owed()
        send(world, message, owed)
        assert owed.last() is None
        world.elsewhere.receive(said("2"), ROMEO, JULIET)  # its sender is promised nothing
        world.elsewhere.receive(Iq(IqType.RESULT, JULIET, ROMEO, "3"), ROMEO, JULIET)
        world.elsewhere.receive(Presence(PresenceType.AVAILABLE, JULIET, ROMEO), ROMEO, JULIET)
        assert await on_disk(world) == []

    run(test)


@pytest.mark.parametrize("kind", [MessageType.CHAT, MessageType.NORMAL, MessageType.GROUPCHAT])
def test_what_arrived_before_its_sender_asks_is_never_written(kind: MessageType):
    async def test(world: World) -> None:
        carrier, owed = Carrier(), Owed()
        world.dialer.outcomes = [carrier]
        send(world, said("1", kind), owed)
        await world.turn()
        assert owed.last() is not None
        acknowledge(carrier, 1)
        assert owed.last() is None
        owed.secure()
        assert world.stores.writes.appended == 0

    run(test)


def test_what_its_sender_counts_on_leaves_the_disk_when_it_arrived():
    async def test(world: World) -> None:
        carrier, owed = Carrier(), Owed()
        world.dialer.outcomes = [carrier]
        for number in "12":
            send(world, said(number), owed)
        await world.turn()
        owed.secure()
        assert await on_disk(world) == ["1", "2"]
        acknowledge(carrier, 1)
        assert await on_disk(world) == ["2"]

    run(test)


def test_after_a_crash_it_is_sent_in_order_with_a_note_of_the_delay():
    async def test(world: World) -> None:
        owed = Owed()
        for number in "123":
            send(world, said(number), owed)
        owed.secure()
        other = await restarted(world)
        carrier = Carrier()
        other.dialer.outcomes = [carrier]
        send(other, said("4"), Owed())  # what comes now does not overtake
        await other.turn()
        assert ids(carrier.sent) == ["1", "2", "3", "4"]
        delays = [each.child(NS_DELAY, "delay") for each in carrier.sent]
        assert [None if each is None else each.get("from") for each in delays] == [OURS] * 3 + [None]
        assert delays[0] is not None
        assert delays[0].get("stamp") == "2026-03-01T12:00:00Z"
        acknowledge(carrier, 4)
        assert await on_disk(other) == []

    run(test)


def test_after_a_crash_domains_are_not_all_tried_at_once():
    async def test(world: World) -> None:
        owed = Owed(10_000)
        for number in range(3 * BEGUN_PER_SECOND):
            send(world, said(str(number), to=JID.parse(f"a@d{number}.example")), owed)
        owed.secure()
        other = await restarted(world)
        for second in range(1, 4):
            other.pass_time(1)
            await other.turn()
            assert len(other.dialer.calls) == second * BEGUN_PER_SECOND
        assert len(set(other.dialer.calls)) == 3 * BEGUN_PER_SECOND

    run(test)


def test_a_peer_that_connects_first_takes_what_was_kept():
    async def test(world: World) -> None:
        owed = Owed()
        send(world, said("1"), owed)
        owed.secure()
        other = await restarted(world)
        carrier = Carrier()
        other.outgoing.carry(Pair(OURS, THEIRS), carrier)
        other.pass_time(5)
        assert (ids(carrier.sent), other.dialer.calls) == (["1"], [])

    run(test)


def test_one_that_cannot_be_read_does_not_keep_back_the_others():
    async def test(world: World) -> None:
        for number, xml in enumerate(("<message", "<message to='juliet@example.net'/>", said("1").xml())):
            world.stores.outbound.add(number + 1, xml)
        other = await restarted(world)
        carrier = Carrier()
        other.outgoing.carry(Pair(OURS, THEIRS), carrier)
        assert ids(carrier.sent) == ["1"]
        assert await on_disk(other) == ["1"]

    run(test)


def test_rfc6121_3_a_subscription_is_kept_at_once_because_nothing_repeats_it():
    async def test(world: World) -> None:
        bare = ROMEO.bare
        answer = Presence(PresenceType.SUBSCRIBED, JULIET, bare, "s1")
        world.elsewhere.receive(answer, bare, JULIET)
        assert await on_disk(world) == ["s1"]
        other = await restarted(world)
        carrier = Carrier()
        other.outgoing.carry(Pair(OURS, THEIRS), carrier)
        assert [stanza.xml() for stanza in carrier.sent] == [answer.xml()]
        acknowledge(carrier, 1)
        assert await on_disk(other) == []

    run(test)


def test_a_stop_keeps_every_message_whoever_sent_it():
    async def test(world: World) -> None:
        carrier, owed = Carrier(), Owed()
        world.dialer.outcomes = [carrier]
        send(world, said("1"), owed)
        await world.turn()
        carrier.unsure = tuple(carrier.sent)
        carrier.is_congested = True
        world.elsewhere.receive(said("2"), ROMEO, JULIET)
        world.elsewhere.receive(Iq(IqType.RESULT, JULIET, ROMEO, "3"), ROMEO, JULIET)
        world.outgoing.save()
        assert await on_disk(world) == ["1", "2"]
        assert not world.outgoing.is_acknowledged
        acknowledge(carrier, 1)
        assert world.outgoing.is_acknowledged
        assert await on_disk(world) == ["2"]
        world.outgoing.end()
        world.outgoing.drop(carrier)
        assert (world.returned, await on_disk(world)) == ([], ["2"])

    run(test, lambda: World(Federation()))


def test_a_stop_keeps_what_comes_while_it_waits_for_acknowledgements():
    async def test(world: World) -> None:
        gate, down = asyncio.Event(), UnreachableError("down")

        async def dial(*_: object) -> None:
            await gate.wait()
            raise down

        world.dialer.dial = dial  # type: ignore[assignment,method-assign]
        world.send("before")
        await world.turn()
        world.outgoing.save()
        world.elsewhere.receive(said("meanwhile"), ROMEO, JULIET)
        gate.set()
        await world.turn()
        world.outgoing.end()
        assert await on_disk(world) == ["meanwhile"]

    run(test)


def test_rooms_hear_of_failures_themselves():
    async def test(world: World) -> None:
        world.dialer.outcomes = [DOWN]
        room, owed = JID.parse("hall@rooms.example.org/Romeo"), Owed()
        message: Stanza = said("1")
        message.sender = room
        assert isinstance(message, Message)
        message.owed = owed
        world.elsewhere.receive(message, room, JULIET)
        owed.secure()
        await world.turn()
        assert [answer.to for answer in world.returned] == [room]
        assert await on_disk(world) == []

    run(test)


def test_the_keeper_of_what_is_kept_is_let_go() -> None:
    """A message and who keeps it know each other, until the message arrived."""

    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [carrier]
        send(world, message := said("1"), Owed())
        await world.turn()
        acknowledge(carrier, 1)
        assert isinstance(world.keeping, Keeping)
        assert message.held is not None
        assert getattr(message.held, "stanza", None) is None

    run(test)
