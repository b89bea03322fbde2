"""XEP-0313: what is archived, in whose archive, and how it is told."""

import pytest

from commonroom.storage.errors import StorageError
from tests.conversations.history import chat, everything, page
from tests.conversations.world import Client, World, condition

HINTS = "urn:xmpp:hints"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


def archived(client: Client) -> list[str | None]:
    return [result.body for result in everything(client)]


def our_ids(message: object, by: str) -> list[str | None]:
    found = [e for e in message.elements() if e.name == "stanza-id"]  # type: ignore[attr-defined]
    return [e.get("id") for e in found if e.get("by") == by]


# What is not


def test_xep0313_6_1_an_error_is_never_archived(romeo: Client, juliet: Client):
    romeo.send(
        "<message to='juliet@example.org/balcony' type='error'><body>1</body>"
        f"<store xmlns='{HINTS}'/><error type='cancel'/></message>"
    )
    assert len(juliet.received()) == 1
    assert archived(romeo) == archived(juliet) == []


@pytest.mark.parametrize("kind", ["groupchat", "headline"])
def test_xep0313_6_1_1_what_rooms_and_services_send_is_not_archived(romeo: Client, juliet: Client, kind: str):
    romeo.send(chat("juliet@example.org/balcony", "1", kind))
    assert juliet.bodies() == ["1"]
    assert archived(romeo) == archived(juliet) == []


@pytest.mark.parametrize("hint", ["no-store", "no-permanent-store"])
@pytest.mark.parametrize("also", ["", f"<store xmlns='{HINTS}'/>"])
def test_xep0334_4_1_what_asks_not_to_be_kept_is_not(romeo: Client, juliet: Client, hint: str, also: str):
    romeo.send(chat("juliet@example.org", "1", inside=f"{also}<{hint} xmlns='{HINTS}'/>"))
    (message,) = juliet.received()
    assert our_ids(message, "juliet@example.org") == []
    assert archived(romeo) == archived(juliet) == []


@pytest.mark.parametrize(
    "inside",
    [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<active xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>",
        "<x xmlns='http://jabber.org/protocol/muc#user'/>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<body xmlns='urn:other'>no body of a message</body>",
        "<unknown xmlns='urn:unknown'/>",
        "",
    ],
)
def test_xep0313_3_states_are_not_archived(romeo: Client, juliet: Client, inside: str):
    romeo.send(f"<message to='juliet@example.org' type='chat'>{inside}</message>")
    assert len(juliet.received()) == 1
    assert archived(romeo) == archived(juliet) == []


def test_xep0313_6_1_what_is_returned_to_its_sender_was_not_received(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org/gone", "1", "normal"))
    (answer,) = romeo.received()
    assert condition(answer) == "service-unavailable"
    assert archived(juliet) == []


def test_xep0313_3_5_nobody_is_told_an_id_that_could_be_forgotten(
    world: World, romeo: Client, juliet: Client
):
    world.memory.writes.hold()
    romeo.send(chat("juliet@example.org", "1", id="m1"))
    assert juliet.received() == []
    world.memory.writes.release(StorageError("the disk is full"))
    world.turn()
    assert juliet.received() == []
    assert [condition(answer) for answer in romeo.received()] == ["resource-constraint"]


# What is


@pytest.mark.parametrize("kind", ["chat", "normal"])
def test_xep0313_6_1_1_what_people_write_is_in_both_archives(romeo: Client, juliet: Client, kind: str):
    romeo.send(chat("juliet@example.org", "1", kind, id="m1"))
    juliet.send(chat("romeo@example.org/orchard", "2", kind, id="m2"))
    for client in (romeo, juliet):
        (first, second) = everything(client)
        assert (first.body, second.body) == ("1", "2")
        assert first.message.attributes == {
            **({} if kind == "normal" else {"type": kind}),
            "to": "juliet@example.org",
            "from": "romeo@example.org/orchard",
            "id": "m1",
            "xml:lang": "en",
        }
        assert second.message.get("from") == "juliet@example.org/balcony"


@pytest.mark.parametrize(
    "inside",
    [
        "<received xmlns='urn:xmpp:receipts' id='m1'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
        "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>",
        f"<retract xmlns='urn:xmpp:message-retract:1' id='m1'/><no-store xmlns='{HINTS}'/>",
        "<reactions xmlns='urn:xmpp:reactions:0' id='m1'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        "<x xmlns='jabber:x:conference' jid='room@conference.example.org'/>",
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@example.org'/></x>",
        f"<unknown xmlns='urn:unknown'/><store xmlns='{HINTS}'/>",
    ],
)
def test_xep0313_6_1_1_what_belongs_to_a_conversation_is_kept_whole(
    romeo: Client, juliet: Client, inside: str
):
    romeo.send(f"<message to='juliet@example.org' type='chat' id='r'>{inside}</message>")
    (sent,), (received,) = everything(romeo), everything(juliet)
    assert sent.message == received.message
    assert len(sent.message.elements()) == inside.count("xmlns=")


def test_xep0334_4_4_a_headline_that_asks_for_it_is_stored(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1", "headline", f"<store xmlns='{HINTS}'/>"))
    assert archived(juliet) == ["1"]


def test_xep0313_6_1_1_however_many_clients_get_it_it_is_stored_once(world: World, romeo: Client):
    clients = [world.online(f"juliet@example.org/{place}") for place in ("balcony", "chamber", "garden")]
    for client in clients:
        client.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    romeo.send(chat("juliet@example.org/chamber", "1"))
    assert archived(clients[0]) == ["1"]


@pytest.mark.parametrize("to", ["romeo@example.org", "romeo@example.org/orchard", "romeo@example.org/phone"])
def test_xep0313_6_1_1_what_users_send_to_themselves_is_there_once(world: World, romeo: Client, to: str):
    phone = world.online("romeo@example.org/phone")
    romeo.send(chat(to, "note"))
    (stored,) = everything(phone)
    assert stored.message.get("to") == to


def test_xep0313_6_1_1_a_message_without_an_address_is_for_oneself(romeo: Client):
    romeo.send("<message type='chat'><body>note</body></message>")
    (message,) = romeo.received()
    (stored,) = everything(romeo)
    assert our_ids(message, "romeo@example.org") == [stored.id]


def test_xep0313_6_1_1_what_waited_for_an_account_that_was_offline_is_archived(world: World, romeo: Client):
    romeo.send(chat("juliet@example.org", "1"))
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    (message,) = (e for e in juliet.received() if e.name == "message")
    (stored,) = everything(juliet)
    assert our_ids(message, "juliet@example.org") == [stored.id]


# How it is told


def test_xep0313_3_5_the_recipient_is_told_the_id(romeo: Client, juliet: Client):
    romeo.send(chat("juliet@example.org", "1"))
    (message,) = juliet.received()
    (stored,) = everything(juliet)
    assert our_ids(message, "juliet@example.org") == [stored.id]
    assert our_ids(message, "romeo@example.org") == []
    assert our_ids(stored.message, "juliet@example.org") == []


def test_xep0313_3_5_the_senders_other_clients_are_told_theirs(world: World, romeo: Client, juliet: Client):
    phone = world.online("romeo@example.org/phone")
    phone.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    romeo.send(chat("juliet@example.org", "1"))
    (carbon,) = phone.received()
    copy = carbon.elements()[0].elements()[0].elements()[0]
    (stored,) = everything(phone)
    assert our_ids(copy, "romeo@example.org") == [stored.id]
    assert our_ids(copy, "juliet@example.org") == []
    assert stored.id not in [result.id for result in everything(juliet)]


def test_xep0313_3_5_a_carbon_of_what_came_has_the_same_id_as_the_message(world: World, romeo: Client):
    balcony, chamber = (world.online(f"juliet@example.org/{place}") for place in ("balcony", "chamber"))
    chamber.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    romeo.send(chat("juliet@example.org/balcony", "1"))
    (message,), (carbon,) = ([e for e in c.received() if e.name == "message"] for c in (balcony, chamber))
    copy = carbon.elements()[0].elements()[0].elements()[0]
    assert our_ids(copy, "juliet@example.org") == our_ids(message, "juliet@example.org") != []


def test_xep0313_6_2_ids_rise_and_are_not_used_again_after_a_restart(world: World, romeo: Client):
    world.advance(60)
    for number in range(3):
        romeo.send(chat("juliet@example.org", number))
    before = [int(result.id) for result in everything(romeo)]
    world.restart()
    world.seconds = 0  # the clock was set back
    romeo = world.online("romeo@example.org/orchard")
    romeo.send(chat("juliet@example.org", "later"))
    after = [int(result.id) for result in everything(romeo)]
    assert after[:3] == before == sorted(before)
    assert after[3] > before[2]


def test_xep0313_3_1_both_sides_keep_the_order(romeo: Client, juliet: Client):
    expected = []
    for number in range(20):
        sender, to = (romeo, "juliet") if number % 3 else (juliet, "romeo")
        sender.send(chat(f"{to}@example.org", number))
        expected.append(str(number))
    assert archived(romeo) == archived(juliet) == expected
    assert page(romeo).bodies == expected
