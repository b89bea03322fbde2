"""XEP-0198 §4: what a client sends again goes to the other server once, if ours knows that it has it."""

import pytest

from commonroom.federation import keeping
from commonroom.protocol.debts import Owed
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from tests.federation.test_keeping import DOWN, acknowledge, on_disk, restarted, said, send
from tests.federation.test_outgoing import Carrier, World, ids, run


def again(owed: Owed, world: World, id: str = "1") -> None:
    """Over another stream, recognised by what its sender's archive has."""
    message = said(id)
    message.sent_id = f"17{id}"
    send(world, message, owed)


def test_what_its_sender_sends_again_over_another_stream_goes_out_once_and_is_on_disk_before_that_is_told():
    async def test(world: World) -> None:
        carrier, streams = Carrier(), [Owed(), Owed(), Owed()]
        world.dialer.outcomes = [carrier]
        again(streams[0], world)
        again(streams[1], world)  # while it waits for the stream
        assert await on_disk(world) == ["1"]
        await world.turn()
        again(streams[2], world)
        assert ids(carrier.sent) == ["1"]
        acknowledge(carrier, 1)
        again(Owed(), world)
        assert (ids(carrier.sent), await on_disk(world)) == (["1"], [])
        again(Owed(), world, "2")
        assert ids(carrier.sent) == ["1", "2"]

    run(test)


def test_what_was_refused_may_be_sent_again():
    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [DOWN, carrier]
        again(Owed(), world)
        await world.turn()
        assert world.conditions() == ["remote-server-timeout"]
        with pytest.raises(Exception, match="down"):
            again(Owed(), world)  # and refused at once
        world.pass_time(5.1)
        again(Owed(), world)
        await world.turn()
        assert ids(carrier.sent) == ["1"]

    run(test)


def test_what_could_not_be_written_may_be_sent_again():
    async def test(world: World) -> None:
        carrier, owed = Carrier(), Owed()
        world.dialer.outcomes = [carrier]
        world.stores.writes.hold()  # type: ignore[attr-defined]
        again(owed, world)
        owed.secure()
        world.stores.writes.release(StorageError("the disk is full"))  # type: ignore[attr-defined]
        again(Owed(), world)
        await world.turn()
        assert ids(carrier.sent) == ["1", "1"]

    run(test)


def test_of_very_many_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    """They come twice, rather than never."""
    monkeypatch.setattr(keeping, "TAKEN", 2)

    async def test(world: World) -> None:
        carrier = Carrier()
        world.dialer.outcomes = [carrier]
        for id in ("1", "2", "3", "1"):
            again(Owed(), world, id)
        await world.turn()
        assert ids(carrier.sent) == ["1", "2", "3", "1"]

    run(test)


def test_what_its_sender_sends_again_after_a_crash_goes_out_once():
    long = "0b6a2c9e-arise-fair-sun"

    async def test(world: World) -> None:
        owed, carrier = Owed(), Carrier()
        for id in ("2", long):
            send(world, said(id), owed)
        owed.secure()
        other = await restarted(world)
        other.dialer.outcomes = [carrier]
        other_body = said(long, child=Element(NS_CLIENT, "body", {}, "ho"))
        for message in (said("2"), said(long), other_body, said(long)):
            send(other, message, Owed())
        await other.turn()
        bodies = [(each.id, each.child(NS_CLIENT, "body")) for each in carrier.sent]
        assert [(id, body and body.text()) for id, body in bodies] == [
            *[("2", "hi"), (long, "hi")],  # what was kept
            *[("2", "hi"), (long, "ho"), (long, "hi")],  # an id that is not unique; another text; once more
        ]

    run(test)
