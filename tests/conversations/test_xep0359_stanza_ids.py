"""XEP-0359: Unique and Stable Stanza IDs: ours cannot be forged, those of others stay."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_IDS
from tests.conversations.history import chat, everything
from tests.conversations.world import Client, World


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


def ids(message: Element) -> list[dict[str, str]]:
    return [e.attributes for e in message.elements() if e.namespace == NS_STANZA_IDS]


def sid(by: str, id: str = "forged") -> str:
    return f"<stanza-id xmlns='{NS_STANZA_IDS}' by='{by}' id='{id}'/>"


def one(client: Client) -> Element:
    (message,) = (e for e in client.received() if e.name == "message")
    return message


def arrives(world: World, message: Message) -> None:
    """From another server."""

    async def route() -> None:
        waiting = world.core.router.route(message)
        if waiting is not None:
            await waiting

    world.start(route())


OURS = [
    "juliet@example.org",
    "JULIET@EXAMPLE.ORG",
    "juliet@example.org.",
    "juliet@example.org/balcony",
    "romeo@example.org",
    "nobody@example.org",
    "example.org",
]


@pytest.mark.parametrize("by", OURS)
def test_xep0359_3_a_forged_id_is_stripped(world: World, by: str):
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    romeo.send(chat("juliet@example.org", "1", inside=f"{sid(by)}{sid(by, 'again')}"))
    (mine,) = everything(juliet)
    assert ids(mine.message) == []
    assert ids(everything(romeo)[0].message) == []
    world.restart()
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    romeo.send(chat("juliet@example.org", "2", inside=f"{sid(by)}{sid(by, 'again')}"))
    received = one(juliet)
    assert [each["by"] for each in ids(received)] == ["juliet@example.org"]
    assert ids(received)[0]["id"] == everything(juliet)[-1].id


@pytest.mark.parametrize("by", OURS)
def test_xep0359_3_it_is_stripped_even_if_there_is_none_of_ours(world: World, by: str):
    """So rule 2 wants it: what is not archived has no id."""
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    hint = "<no-store xmlns='urn:xmpp:hints'/>"
    romeo.send(chat("juliet@example.org", "1", inside=f"{sid(by)}{hint}"))
    assert ids(one(juliet)) == []


@pytest.mark.parametrize("by", OURS)
def test_xep0359_3_what_comes_from_elsewhere_is_looked_at_as_well(world: World, by: str):
    juliet = world.online("juliet@example.org/balcony")
    claimed = Element(NS_STANZA_IDS, "stanza-id", {"by": by, "id": "forged"})
    body = Element(NS_CLIENT, "body", None, "1")
    sender, to = JID.parse("tybalt@example.com/1"), JID.parse("juliet@example.org")
    arrives(world, Message(MessageType.CHAT, to, sender, children=[claimed, body]))
    assert [each["by"] for each in ids(one(juliet))] == ["juliet@example.org"]
    assert ids(everything(juliet)[0].message) == []


@pytest.mark.parametrize(
    "child",
    [
        sid("room@conference.example.com"),
        sid("juliet@example.org.example.com"),
        sid("@"),
        f"<stanza-id xmlns='{NS_STANZA_IDS}' id='1'/>",
        f"<origin-id xmlns='{NS_STANZA_IDS}' id='1'/>",
        f"<referenced-stanza xmlns='{NS_STANZA_IDS}' id='1' by='juliet@example.org'/>",
    ],
)
def test_xep0359_3_what_others_say_stays(world: World, child: str):
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    romeo.send(chat("juliet@example.org", "1", inside=child))
    assert len(ids(one(juliet))) == 2
    assert len(ids(everything(juliet)[0].message)) == 1


def test_xep0359_3_what_waited_offline_has_its_id_once(world: World):
    romeo = world.online("romeo@example.org/orchard")
    romeo.send(chat("juliet@example.org", "1", inside=sid("juliet@example.org")))
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    assert len(ids(one(juliet))) == 1
