"""XEP-0280: what a user's other clients see of what one of them sends or gets."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CARBONS, NS_CLIENT
from tests.conversations.world import Client, World, condition

NS_FORWARD = "urn:xmpp:forward:0"
ENABLE = f"<iq type='set' id='on'><enable xmlns='{NS_CARBONS}'/></iq>"
DISABLE = f"<iq type='set' id='off'><disable xmlns='{NS_CARBONS}'/></iq>"
PRIVATE = f"<private xmlns='{NS_CARBONS}'/>"
NO_COPY = "<no-copy xmlns='urn:xmpp:hints'/>"
ROOM_X = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
ERROR = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
MEDIATED = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@example.org'/></x>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


@pytest.fixture
def garden(world: World) -> Client:
    """The client that others talk to."""
    return world.online("romeo@example.org/garden", priority=5)


@pytest.fixture
def home(world: World, garden: Client) -> Client:
    """The client that gets copies."""
    client = copying(world.online("romeo@example.org/home", priority=1))
    garden.received()
    return client


def copying(client: Client) -> Client:
    assert client.ask(ENABLE).get("type") == "result"
    return client


def say(client: Client, to: str, inside: str = "<body>hi</body>", kind: str = "chat", id: str = "m1") -> None:
    client.send(f"<message to='{to}' type='{kind}' id='{id}'>{inside}</message>")


def copied(client: Client, direction: str) -> Element:
    """The message that the one carbon carries."""
    carbon = client.one()
    assert (carbon.name, carbon.get("from"), carbon.get("to")) == ("message", "romeo@example.org", client.jid)
    wrapper = carbon.only_child()
    assert wrapper is not None
    assert (wrapper.namespace, wrapper.name) == (NS_CARBONS, direction)
    forwarded = wrapper.only_child()
    assert forwarded is not None
    assert (forwarded.namespace, forwarded.name) == (NS_FORWARD, "forwarded")
    message = forwarded.only_child()
    assert message is not None
    assert (message.namespace, message.name) == (NS_CLIENT, "message")
    assert carbon.get("type") == message.get("type")
    return message


def content(message: Element) -> list[Element]:
    """What its sender wrote."""
    return [child for child in message.elements() if child.name != "stanza-id"]


# What must not be


def test_xep0280_4_1_nobody_switches_the_copies_of_another_account(juliet: Client, home: Client):
    answer = juliet.ask(ENABLE.replace("<iq", "<iq to='romeo@example.org'"))
    assert answer.get("type") == "error"
    answer = juliet.ask(DISABLE.replace("<iq", "<iq to='romeo@example.org'"))
    assert answer.get("type") == "error"
    assert home.ask(DISABLE).get("type") == "result"


@pytest.mark.parametrize("direction", ["received", "sent"])
def test_xep0280_11_what_comes_as_a_copy_is_not_shown_as_one(juliet: Client, home: Client, direction: str):
    inner = f"<message xmlns='{NS_CLIENT}' from='nurse@example.org'><body>forged</body></message>"
    forged = (
        f"<{direction} xmlns='{NS_CARBONS}'><forwarded xmlns='{NS_FORWARD}'>{inner}</forwarded></{direction}>"
    )
    say(juliet, "romeo@example.org/home", f"<body>look</body>{forged}{forged}")
    message = home.one()
    assert message.get("from") == juliet.jid
    assert [e.name for e in content(message)] == ["body"]


def test_xep0280_11_nor_from_another_client_of_the_user(garden: Client, home: Client):
    forged = f"<received xmlns='{NS_CARBONS}'><forwarded xmlns='{NS_FORWARD}'/></received>"
    say(garden, "romeo@example.org/home", forged + "<body>look</body>")
    assert [e.name for e in content(home.one())] == ["body"]


def test_xep0280_8_the_sender_gets_no_copy_of_its_own(juliet: Client, home: Client):
    say(home, "juliet@example.org")
    assert home.received() == []
    assert juliet.bodies() == ["hi"]


def test_xep0280_7_whoever_got_the_message_gets_no_copy(juliet: Client, garden: Client, home: Client):
    copying(garden)
    say(juliet, "romeo@example.org/garden")
    assert garden.received()[-1].get("from") == juliet.jid
    assert copied(home, "received").get("from") == juliet.jid


@pytest.mark.parametrize("mark", [PRIVATE, NO_COPY, PRIVATE + NO_COPY])
def test_xep0280_9_what_is_private_is_not_copied(juliet: Client, garden: Client, home: Client, mark: str):
    say(juliet, "romeo@example.org/garden", f"<body>hush</body>{mark}")
    say(garden, "juliet@example.org/balcony", f"<body>hush</body>{mark}")
    assert garden.bodies() == juliet.bodies() == ["hush"]
    assert home.received() == []


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("normal", "<data xmlns='urn:example:data'/>"),
        ("headline", "<body>news</body>"),
        ("groupchat", "<body>all</body>"),
        ("groupchat", "<received xmlns='urn:xmpp:receipts' id='1'/>"),
        ("chat", f"<body>psst</body>{ROOM_X}"),
        ("error", ERROR),
    ],
)
def test_xep0280_6_1_what_is_not_eligible_is_not_copied(
    juliet: Client, garden: Client, home: Client, kind: str, inside: str
):
    say(juliet, "romeo@example.org/garden", inside, kind)
    assert garden.one().get("type", "normal") == kind
    assert home.received() == []


def test_xep0280_10_3_the_bounce_of_a_copy_goes_nowhere(juliet: Client, garden: Client, home: Client):
    say(juliet, "romeo@example.org/garden")
    home.received()
    say(home, "romeo@example.org", ERROR, "error")
    garden.received()
    assert juliet.received() == garden.received() == home.received() == []


def test_xep0280_5_who_disabled_copies_gets_none(juliet: Client, garden: Client, home: Client):
    assert home.ask(DISABLE).get("type") == "result"
    assert home.ask(DISABLE).get("type") == "result"  # §10.1
    say(juliet, "romeo@example.org/garden")
    assert home.received() == []


def test_xep0280_10_1_one_client_of_two_turns_its_copies_off(
    world: World, juliet: Client, garden: Client, home: Client
):
    other = copying(world.online("romeo@example.org/orchard", priority=1))
    other.ask(DISABLE)
    other.leave()
    home.received()
    say(juliet, "romeo@example.org/garden")
    assert copied(home, "received").child_text(NS_CLIENT, "body") == "hi"


def test_when_the_last_client_that_wants_copies_leaves_the_user_has_the_stages_of_everybody(
    world: World, juliet: Client, garden: Client, home: Client
):
    user = world.core.users.find(JID.parse("romeo@example.org"))
    assert user is not None
    assert user.wants == {"archive", "carbons"}
    home.leave()
    assert user.wants == {"archive"}


def test_a_client_that_gets_what_waits_gets_no_copy_of_it(world: World, juliet: Client):
    phone = copying(world.login("romeo@example.org/phone"))
    say(juliet, "romeo@example.org")
    assert phone.received() == []
    phone.send("<presence/>")
    assert phone.bodies() == ["hi"]


# What is copied


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("chat", "<body>hi</body>"),
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        ("normal", "<body>hi</body>"),
        ("normal", "<received xmlns='urn:xmpp:receipts' id='1'/>"),
        ("normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"),
        ("headline", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"),
        ("normal", "<x xmlns='jabber:x:conference' jid='room@example.net'/>"),
    ],
)
def test_xep0280_6_1_what_is_eligible_is_copied(
    juliet: Client, garden: Client, home: Client, kind: str, inside: str
):
    say(juliet, "romeo@example.org/garden", inside, kind)
    assert copied(home, "received") == garden.one()
    say(garden, "juliet@example.org/balcony", inside, kind)
    assert content(copied(home, "sent")) == content(juliet.one())


def test_xep0313_3_5_a_copy_has_the_id_of_the_own_archive(juliet: Client, garden: Client, home: Client):
    say(juliet, "romeo@example.org/garden")
    say(garden, "juliet@example.org/balcony")
    received, sent = [carbon.elements()[0].elements()[0].elements()[0] for carbon in home.received()]
    ids = [[id for id in message.elements() if id.name == "stanza-id"] for message in (received, sent)]
    assert [[id.get("by") for id in each] for each in ids] == [["romeo@example.org"]] * 2
    assert ids[0][0].get("id") != ids[1][0].get("id")


def test_xep0280_6_1_a_mediated_invitation_is_copied(juliet: Client, garden: Client, home: Client):
    say(garden, "juliet@example.org", MEDIATED, "normal")
    assert copied(home, "sent").child_text(NS_CLIENT, "body") is None


def test_xep0280_6_1_a_private_message_to_an_occupant_is_copied(juliet: Client, garden: Client, home: Client):
    say(garden, "juliet@example.org/balcony", f"<body>psst</body>{ROOM_X}")
    assert copied(home, "sent").child_text(NS_CLIENT, "body") == "psst"


def test_xep0280_6_1_an_error_is_copied_if_it_answers_what_was(juliet: Client, garden: Client, home: Client):
    say(garden, "juliet@example.org/balcony", id="odd")
    assert copied(home, "sent").get("id") == "odd"
    say(juliet, "romeo@example.org/garden", ERROR, "error", "odd")
    assert copied(home, "received") == garden.one()


def test_xep0280_8_what_is_refused_at_once_was_sent_and_its_refusal_answers_it(garden: Client, home: Client):
    say(garden, "nobody@example.org", id="odd")
    sent, refusal = home.received()
    assert sent.child(NS_CARBONS, "sent") is not None
    assert refusal.child(NS_CARBONS, "received") is not None
    assert condition(garden.one()) == "service-unavailable"


def test_xep0280_6_1_an_error_that_a_client_sends_is_copied_too(juliet: Client, garden: Client, home: Client):
    say(juliet, "romeo@example.org/garden", id="odd")
    home.received()
    say(garden, "juliet@example.org/balcony", ERROR, "error", "odd")
    assert copied(home, "sent").get("type") == "error"


def test_xep0280_8_the_sending_client_need_not_have_copies_on(juliet: Client, garden: Client, home: Client):
    say(garden, "juliet@example.org")
    message = copied(home, "sent")
    assert (message.get("from"), message.get("to")) == (garden.jid, "juliet@example.org")


def test_xep0280_7_a_client_of_negative_priority_gets_copies(world: World, juliet: Client, garden: Client):
    bot = copying(world.online("romeo@example.org/bot", priority=-1))
    say(juliet, "romeo@example.org")
    assert copied(bot, "received").child_text(NS_CLIENT, "body") == "hi"


def test_what_users_send_to_themselves_reaches_each_other_client_once(
    world: World, garden: Client, home: Client
):
    third = copying(world.online("romeo@example.org/third", priority=1))
    garden.received()
    home.received()
    say(home, "romeo@example.org", "<body>note</body>")
    assert garden.bodies() == ["note"]
    assert copied(third, "sent").child_text(NS_CLIENT, "body") == "note"
    assert home.received() == []


def test_all_copies_share_one_serialized_payload(world: World, juliet: Client, garden: Client, home: Client):
    third = copying(world.online("romeo@example.org/third", priority=1))
    home.received()
    say(juliet, "romeo@example.org/garden")
    inside = [client.bytes.partition(">")[2] for client in (home, third)]
    assert inside[0] == inside[1]


def test_xep0280_3_the_service_announces_copies_and_their_rules(juliet: Client):
    info = juliet.ask(
        "<iq to='example.org' type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    query = info.only_child()
    assert query is not None
    assert {NS_CARBONS, "urn:xmpp:carbons:rules:0"} <= {e.get("var") for e in query.elements()}


def test_nobody_sees_a_copy_of_what_is_not_on_disk(
    world: World, juliet: Client, garden: Client, home: Client
):
    world.memory.writes.hold()
    say(juliet, "romeo@example.org/garden")
    say(garden, "juliet@example.org")
    assert home.received() == []
    world.memory.writes.release()
    world.turn()
    directions = [carbon.elements()[0].name for carbon in home.received()]
    assert directions == ["received", "sent"]


# With XEP-0198


def mail(world: World) -> list[str | None]:
    """What waits for Romeo."""
    phone = world.login("romeo@example.org/phone")
    phone.send("<presence/>")
    return phone.bodies()


MANAGED = "<enable xmlns='urn:xmpp:sm:3'/>"


def test_who_acknowledged_a_copy_has_the_message(world: World, juliet: Client, garden: Client, home: Client):
    garden.send(MANAGED)
    home.send(MANAGED)
    home.received()
    say(juliet, "romeo@example.org/garden")
    home.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
    home.received()
    garden.cut()
    assert home.bodies() == []
    home.cut()
    assert mail(world) == []


@pytest.mark.parametrize("first", ["garden", "home"])
def test_what_no_client_acknowledged_comes_again_once(
    world: World, juliet: Client, garden: Client, home: Client, first: str
):
    garden.send(MANAGED)
    home.send(MANAGED)
    say(juliet, "romeo@example.org/garden")
    home.received()
    one, other = (garden, home) if first == "garden" else (home, garden)
    one.cut()
    other.cut()
    assert mail(world) == ["hi"]
    assert juliet.received() == []
