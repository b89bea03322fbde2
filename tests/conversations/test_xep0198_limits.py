"""XEP-0198: what waits for a client's acknowledgement is bounded; then its session ends, and all is kept."""

import pytest

from commonroom.config.schema import Offline
from commonroom.config.stream_management import StreamManagement
from commonroom.core.signs import PATIENCE
from commonroom.features.offline import PAGE
from tests.conversations.managed import NS, back, chat, connected, managed, waiting
from tests.conversations.world import Client, World, condition, with_options

ROMEO = "romeo@example.org"
JULIET = "juliet@example.org"
KIB = 1024


def world_with(stanzas: int = 2000, size: int = 4 << 20, **options: object) -> World:
    management = StreamManagement(stanzas=stanzas, bytes=size)
    return World(ROMEO, JULIET, settings=with_options(stream_management=management, **options))


@pytest.fixture
def world() -> World:
    return world_with()


def fill(romeo: Client, count: int, size: int = 0) -> None:
    for number in range(count):
        romeo.send(chat(number, extra=f"<x xmlns='urn:x'>{'x' * size}</x>" if size else ""))


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_one_stanza_too_many_ends_the_session_and_the_next_one_gets_them():
    world = world_with(stanzas=5)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    fill(romeo, 5)
    assert not juliet.client.closed
    romeo.send(chat(5))
    assert condition(juliet.client.received()[-1]) == "policy-violation"
    assert juliet.client.closed
    assert waiting(world, f"{JULIET}/new") == numbers(6)


def test_so_do_too_many_bytes():
    world = world_with(size=100 * KIB)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    fill(romeo, 3, 30 * KIB)
    assert not juliet.client.closed
    fill(romeo, 1, 30 * KIB)
    assert juliet.client.closed
    assert len(waiting(world, f"{JULIET}/new")) == 4


def test_a_single_stanza_is_never_too_much():
    world = world_with(size=10 * KIB)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    fill(romeo, 1, 100 * KIB)
    assert juliet.bodies() == ["0"]
    juliet.acknowledge()
    assert not juliet.client.closed


def test_others_who_are_there_get_them_once():
    world = world_with(stanzas=5)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    chamber = world.online(f"{JULIET}/chamber")
    for number in range(6):
        romeo.send(chat(number, f"{JULIET}/balcony"))
    assert juliet.client.closed
    assert chamber.bodies() == numbers(6)


def test_a_session_that_waits_for_its_client_ends_as_well():
    world = world_with(stanzas=5)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    juliet.cut()
    fill(romeo, 7)
    client = connected(world, JULIET)
    client.send(f"<resume xmlns='{NS}' previd='{juliet.name}' h='{juliet.got}'/>")
    assert condition(client.one()) == "item-not-found"
    assert waiting(world, f"{JULIET}/new") == numbers(7)


def test_who_acknowledges_gets_any_number():
    world = world_with(stanzas=100)
    juliet, romeo = managed(world, f"{JULIET}/balcony"), world.online(f"{ROMEO}/orchard")
    for number in range(500):
        romeo.send(chat(number))
        if number % 50 == 0:
            juliet.acknowledge()
    assert not juliet.client.closed


def test_what_the_client_held_back_by_itself_is_part_of_it():
    """What waited because nobody looked goes to the outbox when the connection is lost."""
    world = world_with(stanzas=3)
    world.befriend(ROMEO, JULIET)
    juliet = managed(world, f"{JULIET}/balcony")
    juliet.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    for number in range(5):
        world.online(f"{ROMEO}/{number}")
    juliet.cut()
    assert not world.online(f"{ROMEO}/last").closed
    client = connected(world, JULIET)
    client.send(f"<resume xmlns='{NS}' previd='{juliet.name}' h='{juliet.got}'/>")
    assert condition(client.one()) == "item-not-found"


# Offline messages


def offline_page(client: Client) -> tuple[list[str | None], str]:
    """The bodies that came, and the id of the question behind them."""
    elements = client.received()
    asked = [e.get("id") or "" for e in elements if e.name == "iq" and e.get("type") == "get"]
    bodies = [e.child_text("jabber:client", "body") for e in elements if e.name == "message"]
    return bodies, asked[-1] if asked else ""


def test_xep0160_a_mailbox_that_is_larger_than_what_may_wait_comes_in_pages():
    world = world_with(size=1 << 20)
    romeo = world.online(f"{ROMEO}/orchard")
    fill(romeo, 12, 200 * KIB)
    juliet = managed(world, f"{JULIET}/balcony", presence="")
    juliet.send("<presence/>")
    got: list[str | None] = []
    for _ in range(12):
        bodies = [e for e in juliet.read() if e.name == "message"]
        got += [e.child_text("jabber:client", "body") for e in bodies]
        juliet.acknowledge()
        for asked in [e for e in juliet.stanzas if e.name == "iq" and e.get("type") == "get"][-1:]:
            juliet.send(f"<iq type='result' to='example.org' id='{asked.get('id')}'/>")
    assert got == numbers(12)
    assert not juliet.client.closed


def test_xep0160_one_that_is_away_gets_no_further_page(world: World):
    """Or what it may not want would fill its outbox, until the session ends."""
    romeo = world.online(f"{ROMEO}/orchard")
    fill(romeo, 3 * PAGE)
    juliet = managed(world, f"{JULIET}/balcony", presence="")
    juliet.send("<presence/>")
    assert offline_page(juliet.client)[0] == numbers(PAGE)
    juliet.cut()
    world.advance(8 * PATIENCE)
    assert back(world, juliet, JULIET).bodies() == numbers(PAGE)


def test_xep0160_those_it_acknowledged_are_followed_by_the_next(world: World):
    romeo = world.online(f"{ROMEO}/orchard")
    fill(romeo, PAGE + 1)
    juliet = managed(world, f"{JULIET}/balcony", presence="")
    juliet.send("<presence/>")
    assert juliet.bodies() == numbers(PAGE)
    juliet.acknowledge()  # and never answers the question
    world.advance(PATIENCE)
    assert juliet.bodies() == [str(PAGE)]


def test_xep0160_what_is_too_much_for_a_session_stays_for_the_next():
    world = world_with(stanzas=10)
    fill(world.online(f"{ROMEO}/orchard"), 20)
    first = managed(world, f"{JULIET}/first", presence="")
    first.send("<presence/>")
    assert first.client.closed
    plain = world.login(f"{JULIET}/second")
    plain.send("<presence/>")
    assert plain.bodies() == numbers(20)


def test_xep0160_step_3_a_full_store_keeps_nobody_from_talking_to_who_is_there():
    """What is archived is on disk as well."""
    world = world_with(offline=Offline(messages=0))
    juliet, romeo = managed(world, f"{JULIET}/balcony"), managed(world, f"{ROMEO}/orchard")
    romeo.send(chat(1))
    assert juliet.bodies() == ["1"]
    assert romeo.handled() == "2"


def test_xep0160_step_3_but_what_nobody_would_keep_is_refused():
    world = world_with(offline=Offline(messages=0))
    romeo = managed(world, f"{ROMEO}/orchard")
    romeo.send(chat(1))
    assert [condition(e) for e in romeo.read()] == ["service-unavailable"]


def test_the_room_of_what_was_acknowledged_is_free_again():
    world = world_with(offline=Offline(messages=2))
    juliet, romeo = managed(world, f"{JULIET}/balcony"), managed(world, f"{ROMEO}/orchard")
    for number in range(10):
        romeo.send(chat(number))
        assert juliet.bodies() == [str(number)]
        juliet.acknowledge()
    juliet.client.leave()
    for number in range(3):
        romeo.send(chat(number))
    assert [condition(e) for e in romeo.read()] == ["service-unavailable"]
    assert waiting(world, f"{JULIET}/new") == ["0", "1"]
