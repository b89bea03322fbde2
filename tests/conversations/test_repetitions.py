"""XEP-0198 §4: another server sends again what was not acknowledged; who has it, is not shown it twice."""

import pytest

from commonroom.net.peer import DOUBTFUL
from commonroom.protocol.debts import Owed
from commonroom.protocol.delay import NS_DELAY
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from tests.conversations.managed import Managed, managed, waiting
from tests.conversations.world import World

JULIET = JID.parse("juliet@example.org")
TYBALT = JID.parse("tybalt@example.net/1")
LONG = "0b6a2c9e-arise-fair-sun"


@pytest.fixture
def world() -> World:
    return World(str(JULIET))


def stream() -> Owed:
    return Owed(1000, DOUBTFUL, is_client=False)


def arrives(
    world: World, over: Owed, id: str = LONG, body: str = "soft", sender: JID = TYBALT, is_late: bool = False
) -> None:
    children: list[Element | str] = [Element(NS_CLIENT, "body", None, body)]
    if is_late:
        facts = {"from": "example.net", "stamp": "2026-03-01T12:00:00Z"}
        children.append(Element(NS_DELAY, "delay", facts))
    message = Message(MessageType.CHAT, JULIET, sender, id, children)
    message.owed = over
    work = world.core.router.enter(message)
    if work is not None:
        world.start(work)  # type: ignore[arg-type]
    world.turn()


def juliet(world: World) -> Managed:
    return managed(world, f"{JULIET}/balcony")


def archived(world: World) -> list[str | None]:
    return [message.body for message in world.memory.archive.kept[JULIET]]


def stanza_ids(client: Managed) -> list[str | None]:
    found = [e.child("urn:xmpp:sid:0", "stanza-id") for e in client.read() if e.name == "message"]
    return [None if each is None else each.get("id") for each in found]


@pytest.mark.parametrize(
    ("id", "body", "sender"),
    [
        ("1", "soft", TYBALT),  # too short to be unique
        (LONG, "what light", TYBALT),
        (LONG, "soft", JID.parse("tybalt@example.com/1")),
        (LONG, "soft", JID.parse("paris@example.net/1")),
    ],
)
def test_what_may_be_another_one_is_shown(world: World, id: str, body: str, sender: JID) -> None:
    client = juliet(world)
    arrives(world, stream(), "1" if id == "1" else LONG)
    arrives(world, stream(), id, body, sender)
    assert len(client.bodies()) == 2
    assert len(archived(world)) == 2


def test_what_comes_twice_over_one_stream_was_meant_so(world: World) -> None:
    client, over = juliet(world), stream()
    arrives(world, over)
    arrives(world, over)
    assert client.bodies() == ["soft", "soft"]


def test_what_a_client_was_given_is_not_given_again(world: World) -> None:
    client = juliet(world)
    arrives(world, stream())
    arrives(world, stream(), is_late=True)
    assert client.bodies() == ["soft"]
    client.acknowledge()
    arrives(world, stream(), is_late=True)
    assert client.bodies() == []
    assert archived(world) == ["soft"]


def test_what_waits_for_somebody_who_is_away_waits_once(world: World) -> None:
    arrives(world, stream())
    arrives(world, stream(), is_late=True)
    assert len(world.memory.kept[JULIET].offline) == 1
    assert waiting(world, f"{JULIET}/balcony") == ["soft"]


def test_what_waited_when_the_service_was_killed_waits_once(world: World) -> None:
    arrives(world, stream())
    world.restart()
    arrives(world, stream(), is_late=True)
    assert waiting(world, f"{JULIET}/balcony") == ["soft"]
    assert archived(world) == ["soft"]


def test_what_was_given_to_a_client_since_the_kill_is_not_given_again(world: World) -> None:
    arrives(world, stream())
    world.restart()
    client = world.login(f"{JULIET}/balcony")
    client.send("<presence/>")
    assert client.bodies() == ["soft"]
    client.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    client.send("<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")
    client.received()
    assert world.memory.kept[JULIET].offline == []
    arrives(world, stream(), is_late=True)
    assert client.bodies() == []


def test_what_may_not_have_been_shown_before_a_kill_is_shown_under_its_id(world: World) -> None:
    """The archive had it, and no client had acknowledged it: another server was promised nothing."""
    before = juliet(world)
    arrives(world, stream())
    shown = stanza_ids(before)
    assert len(shown) == 1
    world.restart()
    after = juliet(world)
    arrives(world, stream(), is_late=True)
    assert stanza_ids(after) == shown
    assert archived(world) == ["soft"]


def test_each_explains_one(world: World) -> None:
    client = juliet(world)
    arrives(world, stream())
    again = stream()
    arrives(world, again)
    arrives(world, again)
    assert client.bodies() == ["soft", "soft"]


def test_a_stream_that_has_brought_many_is_not_in_doubt_any_more(world: World) -> None:
    client = juliet(world)
    arrives(world, stream())
    over = stream()
    over.doubtful = 1
    arrives(world, over)
    assert client.bodies() == ["soft", "soft"]
