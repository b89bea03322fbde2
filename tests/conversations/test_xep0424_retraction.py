"""XEP-0424: Message Retraction: the content goes from both archives, for nobody but who wrote it."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from tests.conversations.history import FULL_TEXT, chat, everything, field, form, page
from tests.conversations.world import Client, World

NS_RETRACT = "urn:xmpp:message-retract:1"
NS_OCCUPANT_ID = "urn:xmpp:occupant-id:0"
FALLBACK = f"<fallback xmlns='urn:xmpp:fallback:0' for='{NS_RETRACT}'/><body>/me retracted a message</body>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org", "tybalt@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


def retract(to: str, of: str, id: str = "r1", kind: str = "chat", inside: str = "") -> str:
    named = id and f" id='{id}'"
    content = f"<retract xmlns='{NS_RETRACT}' id='{of}'/>{inside}"
    return f"<message to='{to}' type='{kind}'{named}>{content}</message>"


def contents(client: Client) -> list[str | None]:
    """The bodies in the archive; `†` for a tombstone."""
    return [
        "†" if result.message.child(NS_RETRACT, "retracted") is not None else result.body
        for result in everything(client)
    ]


# Who may not, and what cannot be


def test_xep0424_5_the_recipient_cannot_retract_what_came(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", id="m1"))
    juliet.send(retract("romeo@example.org", "m1"))
    assert contents(romeo) == contents(juliet) == ["1", None]


def test_xep0424_5_somebody_else_cannot(world: World, romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", id="m1"))
    tybalt = world.online("tybalt@example.org/street")
    for to in ("romeo@example.org", "juliet@example.org"):
        tybalt.send(retract(to, "m1"))
    assert contents(romeo) == contents(juliet) == ["1", None]


def test_xep0424_5_a_retraction_counts_where_it_goes(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", id="m1") + retract("tybalt@example.org", "m1"))
    assert contents(romeo) == ["1", None]
    assert contents(juliet) == ["1"]


@pytest.mark.parametrize(
    "stanza",
    [
        retract("juliet@example.org", "unknown"),
        retract("juliet@example.org", ""),
        retract("juliet@example.org", "x" * 1000),
        retract("juliet@example.org", "m1", id=""),
        f"<message to='juliet@example.org' id='r'><retract xmlns='{NS_RETRACT}'/></message>",
        f"<message to='juliet@example.org' id='r'><retract xmlns='{NS_RETRACT}x' id='m1'/></message>",
        retract("juliet@example.org/balcony", "m1", kind="groupchat"),
        retract("juliet@example.org/balcony", "m1", kind="error"),
    ],
)
def test_xep0424_3_what_retracts_nothing_changes_nothing(romeo: Client, juliet: Client, stanza: str):
    romeo.send(chat("juliet@example.org", "1", id="m1") + stanza)
    assert contents(romeo)[0] == contents(juliet)[0] == "1"


def test_xep0424_5_a_retraction_cannot_be_retracted(romeo: Client, juliet: Client):
    romeo.send(
        chat("juliet@example.org", "1", id="m1") + retract("juliet@example.org", "m1", inside=FALLBACK)
    )
    romeo.send(retract("juliet@example.org", "r1", id="r2"))
    assert contents(juliet) == ["†", "/me retracted a message", None]


def test_xep0424_4_a_tombstone_stays_as_it_is(world: World, romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", id="m1") + retract("juliet@example.org", "m1"))
    before = everything(juliet)[0]
    world.advance(60)
    romeo.send(retract("juliet@example.org", "m1", id="r2"))
    assert everything(juliet)[0] == before


# What it does


def test_xep0424_4_a_tombstone_takes_the_place_in_both_archives(world: World, romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "secret", inside="<thread>secret</thread>", id="m1"))
    romeo.send(chat("juliet@example.org", "2", id="m2"))
    before = everything(juliet)
    world.advance(60)
    romeo.send(retract("juliet@example.org", "m1", inside=FALLBACK))
    for client in (romeo, juliet):
        tombstone, second, retraction = everything(client)
        assert "secret" not in str(tombstone.message)
        assert tombstone.message.attributes == before[0].message.attributes
        (retracted,) = tombstone.message.elements()
        assert retracted.attributes == {"id": "r1", "stamp": "2026-03-01T12:01:00Z"}
        assert (second.body, retraction.body) == ("2", "/me retracted a message")
        assert retraction.message.child("urn:xmpp:fallback:0", "fallback") is not None
    first = everything(juliet)[0]
    assert (first.id, first.stamp) == (before[0].id, before[0].stamp)


def test_xep0424_4_what_was_retracted_is_not_found_by_its_words(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "secret", id="m1") + retract("juliet@example.org", "m1"))
    for client in (romeo, juliet):
        assert page(client, form(field(FULL_TEXT, "secret"))).results == []


def test_xep0424_5_from_another_resource_of_the_same_account(world: World, romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org/balcony", "1", id="m1"))
    world.online("romeo@example.org/phone").send(retract("juliet@example.org", "m1"))
    assert contents(romeo) == contents(juliet) == ["†", None]


def test_xep0424_6_1_of_several_with_one_id_the_last_is_meant(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", id="m") + chat("juliet@example.org", "2", id="m"))
    juliet.send(chat("romeo@example.org", "3", id="m"))
    romeo.send(retract("juliet@example.org", "m"))
    assert contents(romeo) == contents(juliet) == ["1", "†", "3", None]


def test_xep0424_3_what_one_wrote_to_oneself(romeo: Client):
    romeo.send(chat("romeo@example.org", "note", id="m1") + retract("romeo@example.org", "m1"))
    assert contents(romeo) == ["†", None]


def test_xep0424_5_the_recipient_gets_the_retraction_as_it_is(romeo: Client, juliet: Client):
    romeo.send(
        chat("juliet@example.org", "1", id="m1") + retract("juliet@example.org", "m1", inside=FALLBACK)
    )
    _, message = juliet.received()
    assert message.child(NS_RETRACT, "retract") is not None
    assert message.child_text(NS_CLIENT, "body") == "/me retracted a message"


def test_xep0424_5_it_finds_what_was_sent_just_before_and_keeps_the_order(
    world: World, romeo: Client, juliet: Client
):
    world.memory.writes.hold()
    romeo.send(
        chat("juliet@example.org", "1", id="m1") + retract("juliet@example.org", "m1", inside=FALLBACK)
    )
    romeo.send(chat("juliet@example.org", "2"))
    world.turn()
    assert juliet.received() == []
    world.memory.writes.release()
    world.turn()
    assert juliet.bodies() == ["1", "/me retracted a message", "2"]
    assert contents(juliet) == ["†", "/me retracted a message", "2"]


# Private messages in rooms: one address, many people


def arrives(world: World, nick: str, occupant: str | None, id: str, *children: Element) -> None:
    marks = [Element(NS_MUC_USER, "x")]
    if occupant is not None:
        marks.append(Element(NS_OCCUPANT_ID, "occupant-id", {"id": occupant}))
    sender = JID.of("room", "conference.example.com", nick)
    to = JID.parse("juliet@example.org/balcony")
    message = Message(MessageType.CHAT, to, sender, id, [*children, *marks])

    async def route() -> None:
        waiting = world.core.router.route(message)
        if waiting is not None:
            await waiting

    world.start(route())


@pytest.mark.parametrize(
    ("original", "retraction", "is_retracted"),
    [
        (("mercutio", "o1"), ("mercutio", "o1"), True),
        (("mercutio", "o1"), ("tybalt", "o2"), False),
        (("mercutio", "o1"), ("mercutio", "o2"), False),
        (("mercutio", "o1"), ("tybalt", "o1"), False),
        (("mercutio", None), ("mercutio", None), False),
        (("mercutio", "o1"), ("mercutio", None), False),
    ],
)
def test_xep0424_5_in_a_room_only_the_same_occupant(
    world: World,
    juliet: Client,
    original: tuple[str, str | None],
    retraction: tuple[str, str | None],
    is_retracted: bool,
):
    arrives(world, *original, "m1", Element(NS_CLIENT, "body", None, "1"))
    arrives(world, *retraction, "r1", Element(NS_RETRACT, "retract", {"id": "m1"}))
    assert contents(juliet) == ["†" if is_retracted else "1", None]
