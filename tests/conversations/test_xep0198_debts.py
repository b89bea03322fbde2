"""XEP-0198 §4: what nobody may have yet is on disk before its sender is told that it was handled."""

import pytest

from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.config.schema import Offline
from commonroom.core.signs import MOMENT as ASKED_AFTER
from commonroom.features.stream_management import MOMENT
from commonroom.protocol.debts import LARGEST_DEBT
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from tests.conversations.managed import NS, Managed, chat, connected, managed, waiting
from tests.conversations.world import World, condition, with_options

ROMEO, JULIET = "romeo@example.org", "juliet@example.org"


@pytest.fixture
def world() -> World:
    """Without archives: what is archived leans on that."""
    return World(ROMEO, JULIET, settings=with_options(archive=Archive(default=ArchiveDefault.NEVER)))


@pytest.fixture
def romeo(world: World) -> Managed:
    return managed(world, f"{ROMEO}/orchard")


@pytest.fixture
def juliet(world: World) -> Managed:
    return managed(world, f"{JULIET}/balcony")


def on_disk(world: World, account: str = JULIET) -> int:
    return len(world.memory.kept[JID.parse(account)].offline)


def answers(romeo: Managed) -> list[str | None]:
    return [e.get("h") for e in romeo.client.received() if e.name == "a"]


def ask(romeo: Managed) -> list[str | None]:
    romeo.send(f"<r xmlns='{NS}'/>")
    return answers(romeo)


# What goes wrong


def test_if_it_cannot_be_written_its_sender_is_told_before_the_answer(
    world: World, romeo: Managed, juliet: Managed
):
    romeo.send(chat(1))
    assert juliet.bodies() == ["1"]
    world.memory.writes.hold()
    assert ask(romeo) == []
    world.advance(MOMENT)
    world.memory.writes.release(StorageError("the disk is full"))
    world.turn()
    error, answer = (e for e in romeo.client.received() if e.name in ("message", "a"))
    assert condition(error) == "resource-constraint"
    assert answer.get("h") == "2"
    juliet.cut()
    world.advance(24 * 3600)
    assert waiting(world, f"{JULIET}/new") == []  # its sender will send it again


def test_what_arrives_while_it_is_written_is_no_failure(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    world.memory.writes.hold()
    ask(romeo)
    world.advance(MOMENT)
    juliet.acknowledge()
    world.memory.writes.release(StorageError("the disk is full"))
    world.turn()
    assert [e.name for e in romeo.client.received() if e.name in ("message", "a")] == ["a"]


def test_its_room_is_taken_while_it_is_on_its_way():
    settings = with_options(archive=Archive(default=ArchiveDefault.NEVER), offline=Offline(messages=2))
    world = World(ROMEO, JULIET, settings=settings)
    romeo, juliet = managed(world, f"{ROMEO}/orchard"), managed(world, f"{JULIET}/balcony")
    for number in range(3):
        romeo.send(chat(number))
    assert [condition(e) for e in romeo.read()] == ["service-unavailable"]
    juliet.acknowledge()
    romeo.send(chat(3))
    assert juliet.bodies() == ["3"]


# When it is written


def test_not_before_it_is_delivered_and_not_if_it_arrives(world: World, romeo: Managed, juliet: Managed):
    before = world.memory.writes.appended
    romeo.send(chat(1))
    assert juliet.bodies() == ["1"]
    assert ask(romeo) == []
    juliet.acknowledge()
    world.advance(MOMENT)
    assert answers(romeo) == ["2"]
    assert world.memory.writes.appended == before


def test_at_once_if_nobody_is_there(world: World, romeo: Managed):
    romeo.send(chat(1))
    assert on_disk(world) == 1
    assert ask(romeo) == ["2"]


def test_at_once_if_its_clients_connection_is_gone(world: World, romeo: Managed, juliet: Managed):
    juliet.cut()
    romeo.send(chat(1))
    assert on_disk(world) == 1
    assert ask(romeo) == ["2"]


def test_before_the_answer_which_counts_on_it(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    world.memory.writes.hold()
    ask(romeo)
    world.advance(MOMENT)
    assert answers(romeo) == []
    world.memory.writes.release()
    world.turn()
    assert answers(romeo) == ["2"]
    world.restart()
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_before_its_stream_is_resumed(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    romeo.cut()
    assert on_disk(world) == 0
    client = connected(world, ROMEO)
    client.send(f"<resume xmlns='{NS}' previd='{romeo.name}' h='{romeo.got}'/>")
    assert client.received()[0].get("h") == "2"
    assert on_disk(world) == 1


def test_before_it_is_told_what_was_handled_over_a_stream_that_is_gone(
    world: World, romeo: Managed, juliet: Managed
):
    romeo.send(chat(1))
    romeo.cut()
    world.advance(3600)
    assert on_disk(world) == 1
    client = connected(world, ROMEO)
    client.send(f"<resume xmlns='{NS}' previd='{romeo.name}' h='{romeo.got}'/>")
    assert client.one().get("h") == "2"


def test_when_there_is_much_of_it(world: World, romeo: Managed, juliet: Managed):
    for number in range(LARGEST_DEBT):
        romeo.send(chat(number))
    assert on_disk(world) == LARGEST_DEBT
    juliet.acknowledge()
    assert on_disk(world) == 0


def test_not_when_much_of_it_has_arrived(world: World, romeo: Managed, juliet: Managed):
    before = world.memory.writes.appended
    for number in range(3 * LARGEST_DEBT):
        romeo.send(chat(number))
        if number % 10 == 0:
            juliet.acknowledge()
    assert world.memory.writes.appended == before


# Who else gets it


def test_what_its_recipient_did_not_acknowledge_goes_to_the_next_client_once(
    world: World, romeo: Managed, juliet: Managed
):
    """Its copy takes its place: it is on disk when the sender is answered."""
    romeo.send(chat(1))
    other = managed(world, f"{JULIET}/chamber", presence="")
    other.send("<presence><priority>-1</priority></presence>")
    juliet.client.leave()
    assert on_disk(world) == 1
    other.send("<presence/>")
    assert other.bodies() == ["1"]
    assert ask(romeo) == ["2"]
    other.acknowledge()
    assert on_disk(world) == 0


def test_the_copy_at_another_client_counts(world: World, romeo: Managed, juliet: Managed):
    before = world.memory.writes.appended
    romeo.send(chat(1))
    chamber = managed(world, f"{JULIET}/chamber")
    juliet.client.leave()
    assert chamber.bodies() == ["1"]
    chamber.acknowledge()
    assert ask(romeo) == ["2"]
    assert world.memory.writes.appended == before


def test_a_client_is_asked_soon_enough():
    assert ASKED_AFTER <= MOMENT / 2
