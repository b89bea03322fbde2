"""Nothing is shown that could be forgotten: what is written for a message is on disk before its delivery."""

import pytest

from commonroom.config import Settings
from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.core.feature import Feature, on_message
from commonroom.core.message import Received, Sent
from commonroom.core.session import HIGH_WATER
from commonroom.core.user import User
from commonroom.protocol.stanza import Message
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import MemoryWrites
from tests.conversations.world import Client, World, condition


class Diary(Feature):
    """Writes down what says so, on either side, and what was copied."""

    def __init__(self, writes: MemoryWrites) -> None:
        self.writes = writes
        self.copied: list[str | None] = []

    @on_message(Sent.ARCHIVE)
    def keep_sent(self, message: Message, user: User) -> None:
        if "#sent" in (message.body() or ""):
            self.writes.note()

    @on_message(Received.ARCHIVE)
    def keep_received(self, message: Message, user: User) -> None:
        if "#received" in (message.body() or ""):
            self.writes.note()

    @on_message(Sent.COPY)
    def copy(self, message: Message, user: User) -> None:
        self.copied.append(message.id)


@pytest.fixture
def world() -> World:
    """Without archives: only what the diary says is written."""
    unarchived = Settings(domains=("example.org",), archive=Archive(default=ArchiveDefault.NEVER))
    return World("romeo@example.org", "juliet@example.org", settings=unarchived)


@pytest.fixture
def diary(world: World) -> Diary:
    feature = Diary(world.memory.writes)
    world.declare(feature)
    return feature


@pytest.fixture
def romeo(world: World, diary: Diary) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def juliet(world: World, diary: Diary) -> Client:
    return world.online("juliet@example.org/balcony")


def chat(number: int, text: str = "") -> str:
    return (
        f"<message to='juliet@example.org' type='chat' id='m{number}'><body>{number} {text}</body></message>"
    )


def ids(client: Client) -> list[str | None]:
    return [element.get("id") for element in client.received()]


def test_what_the_disk_refuses_is_told_and_not_delivered(world, diary, romeo, juliet):
    world.memory.writes.hold()
    romeo.send(chat(1, "#received"))
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    [error] = romeo.received()
    assert (error.get("id"), condition(error)) == ("m1", "resource-constraint")
    assert juliet.received() == []
    assert diary.copied == []


def test_after_a_failure_the_next_message_is_delivered(world, romeo, juliet):
    world.memory.writes.hold()
    romeo.send(chat(1, "#received"))
    world.memory.writes.release(StorageError("disk full"))
    romeo.send(chat(2, "#received"))
    assert ids(juliet) == ["m2"]


@pytest.mark.parametrize("side", ["#sent", "#received", "#sent #received"])
def test_what_is_written_is_shown_when_it_is_on_disk(world, diary, romeo, juliet, side: str):
    world.memory.writes.hold()
    romeo.send(chat(1, side))
    assert (ids(juliet), diary.copied) == ([], [])
    world.memory.writes.release()
    assert (ids(juliet), diary.copied) == (["m1"], ["m1"])


def test_what_is_not_written_does_not_wait_for_others(world, diary, romeo, juliet):
    world.memory.writes.hold()
    world.memory.writes.note()
    romeo.send(chat(1))
    assert (ids(juliet), diary.copied) == (["m1"], ["m1"])


def test_messages_of_one_sender_wait_together_and_keep_their_order(world, diary, romeo, juliet):
    writes = world.memory.writes
    writes.hold()
    before = writes.appended
    for number, text in enumerate(("#received", "", "#sent", "", "#received"), 1):
        romeo.send(chat(number, text))
    assert writes.appended == before + 3  # none waited to be written
    assert ids(juliet) == []
    writes.release()
    world.turn()
    assert ids(juliet) == diary.copied == ["m1", "m2", "m3", "m4", "m5"]


def test_what_is_no_message_waits_for_the_messages_before_it(world, romeo, juliet):
    world.memory.writes.hold()
    romeo.send(chat(1, "#received"))
    romeo.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    romeo.send(chat(2, "#received"))
    assert romeo.received() == juliet.received() == []
    world.memory.writes.release()
    world.turn()
    assert ids(romeo) == ["p"]
    assert ids(juliet) == ["m1", "m2"]


def test_who_leaves_meanwhile_is_seen_to_leave_after_the_message(world, diary):
    world.befriend("romeo@example.org", "juliet@example.org")
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.received()
    world.memory.writes.hold()
    romeo.send(chat(1, "#received"))
    romeo.leave()
    assert juliet.received() == []
    world.memory.writes.release()
    world.turn()
    assert juliet.told() == [
        "message 1 #received romeo@example.org/orchard",
        "unavailable romeo@example.org/orchard",
    ]


def test_a_recipient_who_is_not_in_memory_gets_it_too(world, diary, romeo):
    world.memory.writes.hold()
    romeo.send(chat(1, "#received"))
    romeo.send(chat(2))
    world.memory.writes.release()
    for _ in range(5):  # she is loaded, and there are two to store
        world.turn()
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    assert [element.get("id") for element in juliet.received() if element.name == "message"] == ["m1", "m2"]


def test_a_sender_whose_messages_pile_up_is_not_read_on(world, romeo, juliet):
    world.memory.writes.hold()
    for number in range(2 * HIGH_WATER):
        romeo.send(chat(number, "#received"))
    assert romeo.paused
    world.memory.writes.release()
    world.turn()
    assert not romeo.paused
    assert ids(juliet) == [f"m{number}" for number in range(2 * HIGH_WATER)]
