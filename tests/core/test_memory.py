"""What a session leaves behind: nothing, however it ended."""

import gc

import pytest

from commonroom.core.session import Session
from commonroom.core.signs import EVERY
from commonroom.net.c2s import ClientConnection
from commonroom.protocol.c2s import ServerStream
from commonroom.protocol.stanza import Message
from tests.conversations.managed import enable
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


@pytest.mark.parametrize("how", [Client.leave, Client.cut], ids=["left", "cut"])
def test_what_ended_is_gone_without_the_garbage_collector(how):
    """A stream has buffers and a parser outside of what the collector counts: it would come too late."""
    world = World("romeo@example.org", "juliet@example.org")
    juliet = world.online("juliet@example.org/balcony")
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(thing, ClientConnection | ServerStream) for thing in gc.get_objects())
        for number in range(5):
            romeo = world.online(f"romeo@example.org/r{number}")
            romeo.send(chat(number, "juliet@example.org"))
            if how is Client.leave:  # otherwise it waits, and its memory with it
                juliet.send(chat(number, "romeo@example.org"))
            how(romeo)
            del romeo.handler  # as a real connection lets it go
        del romeo
        world.advance(EVERY)
        world.timers.clear()
        after = sum(isinstance(thing, ClientConnection | ServerStream) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert after == before


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


def test_a_client_for_which_something_waited_leaves_no_circle():
    """What hears of its answer would else keep the session, and all that it was sent."""
    world = World("romeo@example.org", "juliet@example.org")
    juliet = world.online("juliet@example.org/balcony")
    gc.collect()
    gc.disable()
    try:
        before = {id(thing) for thing in gc.get_objects() if isinstance(thing, Session | Message)}
        for number in range(3):
            juliet.send(chat(number, "romeo@example.org"))
            romeo = world.online("romeo@example.org/r")
            romeo.cut()
            del romeo
        world.timers.clear()
        after = [thing for thing in gc.get_objects() if isinstance(thing, Session | Message)]
    finally:
        gc.enable()
    assert [thing for thing in after if id(thing) not in before] == []


@pytest.mark.parametrize("how", [Client.leave, Client.cut], ids=["left", "cut"])
def test_nothing_refers_to_a_managed_session_for_which_something_waited(how):
    world = World("romeo@example.org", "juliet@example.org")
    juliet = world.online("juliet@example.org/balcony")
    before = sessions()
    for number in range(3):
        juliet.send(chat(number, "romeo@example.org"))
        romeo = world.login("romeo@example.org/r")
        enable(romeo, "")
        romeo.send("<presence/>")
        how(romeo)
    world.timers.clear()
    del romeo
    assert sessions() == before
