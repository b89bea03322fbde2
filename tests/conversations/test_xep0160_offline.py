"""XEP-0160: Best Practices for Handling Offline Messages: what is kept, how much, how it is handed over."""

from dataclasses import replace

import pytest

from commonroom.config.schema import Offline
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import MemoryOfflineStore
from commonroom.storage.records import OfflineMessage
from tests.conversations.world import START, Client, World, condition, with_options


def chat(number: object, to: str = "juliet@example.org", kind: str = "chat") -> str:
    """A message whose body is a number."""
    return f"<message to='{to}' type='{kind}' id='m{number}'><body>{number}</body></message>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


def bodies(world: World, jid: str = "juliet@example.org/balcony", priority: int = 0) -> list[str | None]:
    """What is handed to a client that becomes available."""
    client = world.login(jid)
    client.send(f"<presence><priority>{priority}</priority></presence>")
    return client.bodies()


# §2, step 3: how much


def test_xep0160_2_beyond_so_many_messages_the_sender_is_told():
    world = World(
        "romeo@example.org", "juliet@example.org", settings=with_options(offline=Offline(messages=2))
    )
    romeo = world.online("romeo@example.org/orchard")
    for number in (1, 2):
        romeo.send(chat(number))
    for number in (3, 4):
        answer = romeo.ask(chat(number))
        assert (answer.get("type"), answer.get("id"), condition(answer)) == (
            "error",
            f"m{number}",
            "service-unavailable",
        )
    assert bodies(world) == ["1", "2"]


def test_xep0160_2_beyond_so_many_bytes_the_sender_is_told():
    """Counted as UTF-8, and what is too large leaves room for what is not."""
    options = with_options(offline=replace(Offline(), bytes=1200))
    world = World("romeo@example.org", "juliet@example.org", settings=options)
    romeo = world.online("romeo@example.org/orchard")
    large = f"<message to='juliet@example.org' type='chat'><body>{'ä' * 300}</body></message>"
    romeo.send(large)
    assert condition(romeo.ask(large)) == "service-unavailable"
    romeo.send(chat(2))
    assert bodies(world) == ["ä" * 300, "2"]


def test_xep0160_2_the_limit_is_each_accounts_own_and_what_was_confirmed_does_not_count():
    options = with_options(offline=Offline(messages=1))
    world = World("romeo@example.org", "juliet@example.org", "nurse@example.org", settings=options)
    romeo = world.online("romeo@example.org/orchard")
    romeo.send(chat(1))
    romeo.send(chat(1, "nurse@example.org"))
    assert romeo.received() == []
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    confirm(juliet)
    juliet.leave()
    romeo.send(chat(2))
    assert romeo.received() == []


def test_xep0160_2_with_no_room_at_all_the_sender_is_told():
    world = World(
        "romeo@example.org", "juliet@example.org", settings=with_options(offline=Offline(messages=0))
    )
    assert condition(world.online("romeo@example.org/orchard").ask(chat(1))) == "service-unavailable"


# §3: what


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        ("chat", "<paused xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>"),
        ("chat", "<body>1</body><no-store xmlns='urn:xmpp:hints'/>"),
        ("normal", "<body>1</body><no-store xmlns='urn:xmpp:hints'/>"),
        ("chat", ""),
        ("headline", "<body>1</body>"),
        ("error", "<body>1</body><error type='cancel'/>"),
    ],
)
def test_xep0160_3_what_is_not_worth_it_is_dropped_in_silence(
    world: World, romeo: Client, kind: str, content: str
):
    romeo.send(f"<message to='juliet@example.org' type='{kind}'>{content}</message>")
    assert romeo.received() == []
    assert bodies(world) == []


@pytest.mark.parametrize(
    "stanza",
    [
        "<message to='juliet@example.org' type='groupchat'><body>1</body></message>",
        "<message to='juliet@example.org/balcony' type='groupchat'><body>1</body></message>",
        "<message to='juliet@example.org/balcony' type='normal'><body>1</body></message>",
    ],
)
def test_rfc6121_8_5_4_what_comes_back_is_not_stored(world: World, romeo: Client, stanza: str):
    assert condition(romeo.ask(stanza)) == "service-unavailable"
    assert bodies(world) == []


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("normal", ""),
        ("normal", "<x xmlns='urn:x'/>"),
        ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>"),
        ("chat", "<body>1</body><active xmlns='http://jabber.org/protocol/chatstates'/>"),
        ("chat", "<body>1</body><no-permanent-store xmlns='urn:xmpp:hints'/>"),
    ],
)
def test_xep0160_3_other_chat_and_normal_messages_are_kept(
    world: World, romeo: Client, kind: str, content: str
):
    romeo.send(f"<message to='juliet@example.org' type='{kind}'>{content}</message>")
    assert len(bodies(world)) == 1


def test_xep0334_4_2_what_asks_not_to_be_stored_is_delivered_to_those_who_are_there(
    world: World, romeo: Client
):
    juliet = world.online("juliet@example.org/balcony")
    hint = "<no-store xmlns='urn:xmpp:hints'/>"
    romeo.send(f"<message to='juliet@example.org' type='chat'><body>1</body>{hint}</message>")
    assert [e.name for e in juliet.one().elements()] == ["body", "no-store"]


# §2, step 5: how


def test_xep0160_2_a_stored_message_is_the_one_that_was_sent_and_says_since_when(world: World):
    world.advance(3600.9)
    romeo = world.login("romeo@example.org/orchard")
    romeo.send(
        "<message to='juliet@example.org/balcony' type='chat' id='m1' xml:lang='it'"
        " xmlns:a='urn:a' a:x='&lt;1'><body>tu</body><x xmlns='urn:x'><y>&amp;\r\n</y></x></message>"
    )
    world.advance(86400)
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    (message,) = (e for e in juliet.received() if e.name == "message")
    assert message.attributes == {
        "to": "juliet@example.org/balcony",
        "from": "romeo@example.org/orchard",
        "type": "chat",
        "id": "m1",
        "xml:lang": "it",
        "{urn:a}x": "<1",
    }
    body, extension, _stanza_id, delay = message.elements()
    assert (body.text(), extension.elements()[0].text()) == ("tu", "&\n")
    assert (delay.namespace, delay.name) == ("urn:xmpp:delay", "delay")
    assert START.isoformat() == "2026-03-01T12:00:00+00:00"
    assert delay.attributes == {"from": "example.org", "stamp": "2026-03-01T13:00:00Z"}


def test_xep0160_2_they_come_after_the_presence_and_in_order(world: World, romeo: Client):
    world.befriend("romeo@example.org", "juliet@example.org")
    for number in range(3):
        romeo.send(chat(number, kind="chat" if number % 2 else "normal"))
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    assert [word.split()[0] for word in juliet.told()] == ["available"] * 2 + ["message"] * 3 + ["iq"]


def test_xep0160_2_a_resource_that_takes_no_messages_gets_none(world: World, romeo: Client):
    romeo.send(chat(1))
    juliet = world.login("juliet@example.org/balcony")
    assert juliet.bodies() == []
    juliet.send("<presence><priority>-1</priority></presence>")
    assert juliet.bodies() == []
    juliet.send("<presence><show>away</show><priority>-5</priority></presence>")
    assert juliet.bodies() == []
    romeo.send(chat(2))
    juliet.send("<presence><priority>0</priority></presence>")
    assert juliet.bodies() == ["1", "2"]


def test_xep0160_2_they_outlive_a_restart(world: World, romeo: Client):
    romeo.send(chat(1))
    world.restart()
    world.online("romeo@example.org/orchard").send(chat(2))
    world.restart()
    assert bodies(world) == ["1", "2"]


def test_xep0160_2_the_sender_hears_when_they_cannot_be_stored(world: World, romeo: Client):
    world.memory.writes.hold()
    romeo.send(chat(1))
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    answer = romeo.one()
    assert (answer.get("id"), condition(answer)) == ("m1", "resource-constraint")


@pytest.mark.parametrize("to", ["example.org", "juliet@example.org"])
def test_xep0160_4_the_server_announces_it(world: World, romeo: Client, to: str):
    answer = romeo.ask(
        f"<iq to='{to}' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    assert ("'msgoffline'" in str(answer)) == (to == "example.org")


def confirm(client: Client) -> None:
    """Answer what the server asked last."""
    question = [e for e in client.received() if e.name == "iq" and e.get("type") == "get"][-1]
    client.send(f"<iq type='result' to='{question.get('from')}' id='{question.get('id')}'/>")


# What is known of an empty store, so that a login need not look


class Counted(MemoryOfflineStore):
    """Counts how often somebody looks."""

    looks = 0

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        self.looks += 1
        return await super().load(account, limit, after)


@pytest.fixture
def counted() -> tuple[World, Counted]:
    world = World("romeo@example.org", "juliet@example.org")
    store = Counted(world.memory)
    world.stores = replace(world.stores, offline=store)
    world.restart()
    return world, store


def test_for_what_could_not_be_stored_the_next_login_need_not_look(counted: tuple[World, Counted]):
    world, store = counted
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    juliet.leave()
    world.memory.writes.hold()
    romeo.send(chat(1))
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    assert bodies(world) == []
    assert store.looks == 0


def test_what_is_stored_between_the_look_up_and_the_first_presence_is_handed_over():
    world = World("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/orchard")
    juliet = world.login("juliet@example.org/balcony")
    romeo.send(chat(1))
    juliet.send("<presence/>")
    assert juliet.bodies() == ["1"]


def test_what_is_on_its_way_to_the_disk_is_not_overtaken():
    world = World("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/orchard")
    juliet = world.login("juliet@example.org/balcony")
    world.memory.writes.hold()
    romeo.send(chat(1))
    juliet.send("<presence/>")
    world.turn()
    romeo.send(chat(2))
    world.memory.writes.release()
    world.turn()
    assert [body for body in juliet.bodies() if body] == ["1", "2"]


def test_a_login_looks_only_when_something_may_wait(counted: tuple[World, Counted]):
    world, store = counted
    romeo = world.online("romeo@example.org/orchard")
    for jid in ("juliet@example.org/balcony", "juliet@example.org/chamber"):
        world.online(jid).leave()
    assert store.looks == 0
    romeo.send(chat(1))
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    assert juliet.bodies() == ["1"]
    juliet.leave()
    assert bodies(world, "juliet@example.org/chamber") == []
    looks = store.looks
    assert bodies(world, "juliet@example.org/balcony") == []
    assert store.looks == looks  # the last but one found nothing, and nothing came since


def test_whoever_looks_while_another_has_yet_to_confirm_takes_nothing_for_empty(world: World, romeo: Client):
    romeo.send(chat(1))
    first = world.login("juliet@example.org/balcony")
    first.send("<presence/>")
    assert first.bodies() == ["1"]
    first.send("<presence><priority>-1</priority></presence><presence/>")
    first.cut()
    assert bodies(world) == ["1"]
