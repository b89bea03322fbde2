"""What a session leaves behind: nothing, however it ended."""

import gc

import pytest

from commonroom.core.session import Session
from commonroom.core.signs import EVERY
from tests.conversations.world import Client, World
from tests.core.test_session import WAIT, Slow, chat


def sessions() -> int:
    """How many are still in memory."""
    gc.collect()
    return sum(isinstance(thing, Session) for thing in gc.get_objects())


def lived(world: World, resource: str) -> Client:
    """A client that did a bit of everything, and did not answer what it was asked."""
    client = world.online(f"romeo@example.org/{resource}")
    client.send("<presence to='stranger@example.org/x'/><presence to='juliet@example.org' type='subscribe'/>")
    client.send(chat(1, "romeo@example.org"))
    return client


@pytest.mark.parametrize("how", [Client.leave, Client.cut, None], ids=["left", "cut", "replaced"])
def test_nothing_refers_to_a_session_that_ended(how):
    world = World("romeo@example.org", "juliet@example.org")
    slow = Slow()
    world.declare(slow)
    before = sessions()
    for number in range(6):
        romeo = lived(world, "same" if how is None else f"r{number}")
        if number % 2:
            world.online("juliet@example.org/x").send(chat(number, "romeo@example.org"))
            romeo.send(WAIT)
        if how is not None:
            how(romeo)
    assert sessions() > before
    slow.gate.is_open = True
    world.turn()
    for connection in list(world.service.connected):
        connection.lost("the end")
    world.advance(EVERY)
    assert [timer for timer in world.timers if not timer.cancelled] == []
    world.timers.clear()
    del romeo, connection, slow
    assert sessions() == before
