"""XEP-0160 §2: stored messages leave the disk when a client surely has them, and stay in order till then."""

from dataclasses import replace

import pytest

from commonroom.core.holding import EVERY
from commonroom.core.signs import PATIENCE
from commonroom.features.offline import PAGE
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import Memory, MemoryOfflineStore
from commonroom.storage.records import OfflineMessage
from tests.conversations.managed import managed
from tests.conversations.test_xep0160_offline import bodies, chat
from tests.conversations.world import Client, World

JULIET = JID.parse("juliet@example.org")


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def fill(romeo: Client, count: int) -> None:
    """Messages 1 to `count` for Juliet."""
    for number in numbers(1, count):
        romeo.send(chat(number))
    assert romeo.received() == []


def available(world: World, resource: str = "balcony", priority: int = 0) -> Client:
    client = world.login(f"juliet@example.org/{resource}")
    client.send(f"<presence><priority>{priority}</priority></presence>")
    return client


def question(client: Client) -> str:
    """The id of what the server asks; what came before it is thrown away."""
    (asked,) = (e for e in client.received() if e.name == "iq" and e.get("type") == "get")
    return asked.get("id") or ""


def answer(client: Client, kind: str = "result") -> list[str | None]:
    """Answer what the server asks; gives the bodies that came before it."""
    elements = client.received()
    (asked,) = (e for e in elements if e.name == "iq" and e.get("type") == "get")
    client.send(f"<iq type='{kind}' to='{asked.get('from')}' id='{asked.get('id')}'/>")
    return [e.child_text("jabber:client", "body") for e in elements if e.name == "message"]


def kept(world: World) -> int:
    return len(world.memory.kept[JULIET].offline)


# When they leave the disk


def test_xep0160_2_a_connection_that_dies_at_once_may_not_have_got_them(world: World, romeo: Client):
    fill(romeo, 2)
    for _ in range(3):
        juliet = available(world)
        juliet.cut()
        assert juliet.bodies() == ["1", "2"]
    assert bodies(world) == ["1", "2"]


def test_rfc6120_4_4_a_client_that_closes_its_stream_in_order_has_them(world: World, romeo: Client):
    fill(romeo, 2)
    juliet = available(world)
    juliet.leave()
    assert juliet.bodies() == ["1", "2"]
    assert kept(world) == 0
    assert bodies(world) == []


@pytest.mark.parametrize("kind", ["result", "error"])
def test_xep0160_2_a_client_that_answered_what_came_behind_them_has_them(
    world: World, romeo: Client, kind: str
):
    fill(romeo, 2)
    juliet = available(world)
    assert answer(juliet, kind) == ["1", "2"]
    assert kept(world) == 0
    juliet.cut()
    assert bodies(world) == []


def test_xep0160_2_silence_says_nothing_of_whether_they_arrived(world: World, romeo: Client):
    fill(romeo, 2)
    juliet = available(world)
    world.advance(2 * PATIENCE)
    assert kept(world) == 2
    juliet.cut()
    assert bodies(world) == ["1", "2"]


@pytest.mark.parametrize("id_", ["ask-0", "ask-99", "", "roster-1"])
def test_xep0160_2_an_answer_to_something_else_says_nothing(world: World, romeo: Client, id_: str):
    fill(romeo, 1)
    available(world).send(f"<iq type='result' to='example.org' id='{id_}'/>")
    assert kept(world) == 1


def test_xep0160_2_nobody_else_can_answer(world: World, romeo: Client):
    fill(romeo, 1)
    juliet = available(world)
    asked = question(juliet)
    for sender in (romeo, world.online("juliet@example.org/chamber", priority=-1)):
        sender.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    assert kept(world) == 1


def test_xep0160_2_the_last_words_of_a_stream_that_was_replaced_count(world: World, romeo: Client):
    fill(romeo, 1)
    old = available(world)
    asked = question(old)
    world.memory.writes.hold()
    old.send("<iq type='set' id='p'><query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query></iq>")
    old.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    new = available(world)
    world.memory.writes.release()
    world.turn()
    assert new.bodies() == []
    romeo.send(chat(2))
    assert new.bodies() == ["2"]


def test_xep0160_2_what_came_during_the_question_is_kept(world: World, romeo: Client):
    """The answer confirms what was sent before the question, nothing else."""
    fill(romeo, 1)
    juliet = available(world)
    asked = question(juliet)
    juliet.send("<presence><priority>-1</priority></presence>")
    romeo.send(chat(2))
    juliet.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    assert bodies(world, "juliet@example.org/chamber") == ["2"]


# In order


def test_xep0160_2_more_than_a_page_is_sent_page_by_page(world: World, romeo: Client):
    fill(romeo, 2 * PAGE + 1)
    juliet = available(world)
    assert answer(juliet) == numbers(1, PAGE)
    assert answer(juliet) == numbers(PAGE + 1, 2 * PAGE)
    assert answer(juliet) == numbers(2 * PAGE + 1, 2 * PAGE + 1)
    assert kept(world) == 0
    assert juliet.received() == []


def test_xep0160_2_a_page_that_was_confirmed_is_not_sent_again(world: World, romeo: Client):
    fill(romeo, 2 * PAGE)
    juliet = available(world)
    answer(juliet)
    juliet.cut()
    again = available(world)
    assert answer(again) == numbers(PAGE + 1, 2 * PAGE)
    assert again.bodies() == []


def test_xep0160_2_a_silent_client_gets_all_pages(world: World, romeo: Client):
    fill(romeo, 2 * PAGE + 1)
    juliet = available(world)
    world.advance(3 * PATIENCE)
    assert juliet.bodies() == numbers(1, 2 * PAGE + 1)
    assert kept(world) == 2 * PAGE + 1
    juliet.leave()
    assert kept(world) == 0


def test_xep0160_2_what_comes_meanwhile_stays_behind(world: World, romeo: Client):
    fill(romeo, PAGE + 1)
    juliet = available(world)
    romeo.send(chat("live 1"))
    assert answer(juliet) == numbers(1, PAGE)
    romeo.send(chat("live 2"))
    assert answer(juliet) == [*numbers(PAGE + 1, PAGE + 1), "live 1", "live 2"]
    world.advance(2 * EVERY)
    assert kept(world) == 1  # the last one came after the question


def test_rfc6121_8_5_2_1_1_headlines_need_not_wait(world: World, romeo: Client):
    """They would not be stored; and the resource is available."""
    fill(romeo, PAGE)
    juliet = available(world)
    romeo.send(chat("news", kind="headline"))
    assert juliet.bodies() == [*numbers(1, PAGE), "news"]


def test_rfc6121_8_5_3_1_what_names_the_resource_need_not_wait(world: World, romeo: Client):
    fill(romeo, PAGE)
    juliet = available(world)
    romeo.send(chat("direct", "juliet@example.org/balcony"))
    assert juliet.bodies() == [*numbers(1, PAGE), "direct"]


# Several resources


def test_xep0160_2_only_one_resource_gets_them(world: World, romeo: Client):
    fill(romeo, PAGE + 1)
    balcony, chamber = available(world, "balcony"), available(world, "chamber")
    romeo.send(chat("live"))
    assert chamber.bodies() == ["live"]
    assert answer(balcony) == numbers(1, PAGE)
    assert answer(balcony) == numbers(PAGE + 1, PAGE + 1)
    assert chamber.bodies() == []


@pytest.mark.parametrize("count", [1, PAGE + 1])
def test_xep0160_2_when_that_one_dies_another_gets_them(world: World, romeo: Client, count: int):
    fill(romeo, count)
    balcony, chamber = available(world, "balcony"), available(world, "chamber")
    balcony.cut()
    assert chamber.bodies() == numbers(1, count)[:PAGE]


def test_xep0160_2_when_that_one_leaves_in_order_another_gets_the_rest(world: World, romeo: Client):
    fill(romeo, PAGE + 1)
    balcony, chamber = available(world, "balcony"), available(world, "chamber")
    balcony.leave()
    assert chamber.bodies() == numbers(PAGE + 1, PAGE + 1)


@pytest.mark.parametrize(
    "presence", ["<presence type='unavailable'/>", "<presence><priority>-1</priority></presence>"]
)
def test_xep0160_2_when_that_one_takes_no_more_another_gets_the_rest(
    world: World, romeo: Client, presence: str
):
    fill(romeo, PAGE + 2)
    balcony = available(world, "balcony")
    chamber = world.online("juliet@example.org/chamber")
    asked = question(balcony)
    balcony.send(presence)
    balcony.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    assert balcony.bodies() == []
    assert answer(chamber) == numbers(PAGE + 1, PAGE + 2)
    balcony.send("<presence/>")
    romeo.send(chat("live"))
    assert balcony.bodies() == chamber.bodies() == ["live"]


def test_xep0160_2_the_same_stream_gets_nothing_twice(world: World, romeo: Client):
    fill(romeo, 2)
    juliet = available(world)
    juliet.send("<presence type='unavailable'/>")
    romeo.send(chat(3))
    juliet.send("<presence/>")
    assert juliet.bodies() == ["1", "2", "3"]
    juliet.cut()
    assert bodies(world) == ["3"]  # the stream lived on after the others


# A slow disk, a broken one


def test_xep0160_2_what_is_stored_while_the_store_is_read_is_read_too(world: World):
    romeo, other = world.online("romeo@example.org/orchard"), world.login("romeo@example.org/other")
    fill(romeo, 1)
    world.memory.writes.hold()
    other.send(chat(2))  # waits for the disk
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    romeo.send(chat(3))
    world.memory.writes.release()
    world.turn()
    assert sorted(map(str, juliet.bodies())) == ["1", "2", "3"]


class Slow(MemoryOfflineStore):
    """What is removed is there until the disk catches up."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self._removed: list[tuple[JID, int]] = []

    def remove(self, account: JID, id: int) -> None:
        self._removed.append((account, id))

    def catch_up(self) -> None:
        while self._removed:
            super().remove(*self._removed.pop())


def test_xep0160_2_what_is_acknowledged_while_the_next_page_is_read_comes_once(world: World):
    store = Slow(world.memory)
    world.stores = replace(world.stores, offline=store)
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    fill(romeo, PAGE + 1)
    juliet = managed(world, "juliet@example.org/balcony", presence="")
    juliet.send("<presence/>")
    page = juliet.read()
    (asked,) = (e for e in page if e.name == "iq" and e.get("type") == "get")
    world.memory.writes.hold()
    romeo.send("<iq type='set' id='p'><query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query></iq>")
    juliet.send(f"<iq type='result' to='example.org' id='{asked.get('id')}'/>")
    juliet.acknowledge()
    world.memory.writes.release()
    world.turn()
    assert juliet.bodies() == numbers(PAGE + 1, PAGE + 1)
    store.catch_up()
    assert kept(world) == 1


class Broken(MemoryOfflineStore):
    """Cannot be read, for a while."""

    works = False

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        if not self.works:
            raise StorageError("the disk is broken")
        return await super().load(account, limit, after)


def test_xep0160_2_who_cannot_read_the_store_gets_what_comes_and_later_the_rest(world: World, caplog):
    store = Broken(world.memory)
    world.stores = replace(world.stores, offline=store)
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    fill(romeo, 1)
    juliet = world.online("juliet@example.org/balcony")
    assert "what waits cannot be read" in caplog.text
    romeo.send(chat("live"))
    assert juliet.bodies() == ["live"]
    store.works = True
    juliet.send("<presence type='unavailable'/><presence/>")
    assert juliet.bodies() == ["1"]


def test_xep0160_2_a_store_that_breaks_between_two_pages_leaves_the_session_alive(world: World, caplog):
    store = Broken(world.memory)
    store.works = True
    world.stores = replace(world.stores, offline=store)
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    fill(romeo, PAGE + 1)
    juliet = available(world)
    store.works = False
    answer(juliet)
    assert "what waits cannot be read" in caplog.text
    juliet.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert juliet.told() == ["iq result 1"]
    romeo.send(chat("live"))
    assert juliet.bodies() == ["live"]
    store.works = True
    juliet.cut()
    assert bodies(world) == [*numbers(PAGE + 1, PAGE + 1), "live"]


def test_xep0160_2_a_message_that_cannot_be_read_keeps_back_no_other(world: World, romeo: Client, caplog):
    fill(romeo, 3)
    offline = world.memory.kept[JULIET].offline
    offline[1] = replace(offline[1], xml="<message")
    juliet = available(world)
    assert answer(juliet) == ["1", "3"]
    assert kept(world) == 0
    assert "cannot be read" in caplog.text


class Busy(MemoryOfflineStore):
    """Takes no removal: too much waits for the disk."""

    def remove(self, account: JID, id: int) -> None:
        raise StorageError("10000 writes wait for the database")


def test_what_cannot_be_removed_now_is_shown_again_and_breaks_nothing(world: World, caplog):
    world.stores = replace(world.stores, offline=Busy(world.memory))
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    fill(romeo, 1)
    juliet = available(world)
    assert answer(juliet) == ["1"]
    assert "a message that arrived stays on disk" in caplog.text
    juliet.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert juliet.told() == ["iq result 1"]
    world.restart()
    assert available(world).bodies() == ["1"]
