"""XEP-0352: a client that nobody looks at is left alone until something important comes."""

import pytest

from commonroom.config.devices import ClientState
from commonroom.features import client_state
from commonroom.xml.names import NS_CARBONS, NS_CLIENT, NS_CSI
from tests.conversations.world import Client, World, with_options

ACTIVE = f"<active xmlns='{NS_CSI}'/>"
INACTIVE = f"<inactive xmlns='{NS_CSI}'/>"
COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
PAUSED = "<paused xmlns='http://jabber.org/protocol/chatstates'/>"
TUNE = (
    "<event xmlns='http://jabber.org/protocol/pubsub#event'>"
    "<items node='{node}'><item id='1'>{id}</item></items></event>"
)
LONG = "x" * 60_000
TUNES = "http://jabber.org/protocol/tune"
LEISURELY = sorted(client_state.LEISURELY)


@pytest.fixture
def world() -> World:
    world = World("romeo@example.org", "juliet@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


@pytest.fixture
def phone(world: World, juliet: Client) -> Client:
    """Romeo's, that nobody looks at."""
    client = world.online("romeo@example.org/phone")
    client.send(INACTIVE)
    juliet.received()
    return client


def say(client: Client, inside: str, to: str = "romeo@example.org/phone", kind: str = "chat") -> None:
    client.send(f"<message to='{to}' type='{kind}'>{inside}</message>")


def show(client: Client, show: str) -> None:
    client.send(f"<presence><show>{show}</show></presence>")


# What must not be


def test_xep0352_4_2_other_elements_of_its_namespace_end_the_stream(phone: Client):
    phone.send(f"<drowsy xmlns='{NS_CSI}'/>")
    assert phone.closed
    assert phone.received()[-1].elements()[0].name == "unsupported-stanza-type"


def test_xep0352_4_2_nobody_says_it_before_they_bound_a_resource(world: World):
    client = world.connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    client.open("example.org")
    client.send(INACTIVE)
    assert client.closed


@pytest.mark.parametrize(
    "inside",
    [
        "<body>hi</body>",
        f"<body>hi</body>{COMPOSING}",
        "<subject>news</subject>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
        "<x xmlns='jabber:x:conference' jid='room@example.net'/>",
        f"<anything xmlns='urn:example:new'/>{COMPOSING}",
        COMPOSING + TUNE.format(node=TUNES, id=1),
        TUNE.format(node="eu.siacs.conversations.axolotl.devicelist", id=1),
        "<event xmlns='http://jabber.org/protocol/pubsub#event'/>",
        "<store xmlns='urn:xmpp:hints'/>",
        "",
    ],
)
def test_what_is_not_known_to_be_unimportant_is_important(juliet: Client, phone: Client, inside: str):
    show(juliet, "away")
    say(juliet, inside)
    assert [e.name for e in phone.received()] == ["presence", "message"]


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribed"])
def test_what_is_asked_and_answered_is_important(world: World, phone: Client, kind: str):
    world.add("nurse@example.org")
    nurse = world.online("nurse@example.org/hall")
    nurse.send(f"<presence to='romeo@example.org' type='{kind}'/>")
    nurse.send("<presence to='romeo@example.org/phone' type='error'/>")
    assert "presence" in [e.name for e in phone.received()]


def test_errors_and_iqs_are_important(juliet: Client, phone: Client):
    show(juliet, "away")
    juliet.send("<iq to='romeo@example.org/phone' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert [e.name for e in phone.received()] == ["presence", "iq"]
    show(juliet, "dnd")
    say(juliet, COMPOSING, kind="error")
    assert [e.get("type") for e in phone.received()] == [None, "error"]


def test_xep0045_7_1_own_presence_in_a_room_is_important(juliet: Client, phone: Client):
    for code in ("100", "110"):
        status = f"<x xmlns='http://jabber.org/protocol/muc#user'><status code='{code}'/></x>"
        juliet.send(f"<presence to='romeo@example.org/phone'>{status}</presence>")
    assert len(phone.received()) == 2


def test_its_own_presence_is_important(phone: Client):
    show(phone, "away")
    assert phone.told() == ["available romeo@example.org/phone"]


def test_what_is_held_is_gone_with_the_session(world: World, juliet: Client, phone: Client):
    show(juliet, "away")
    say(juliet, COMPOSING)
    phone.cut()
    assert juliet.told()[1:] == ["unavailable romeo@example.org/phone"]
    again = world.login("romeo@example.org/phone")
    again.send("<presence/>")
    assert "available juliet@example.org/balcony" in again.told()


@pytest.mark.parametrize("limit", [0, 2])
def test_no_more_is_held_than_the_limit(limit: int):
    world = World("romeo@example.org", settings=with_options(client_state=ClientState(stanzas=limit)))
    phone = world.online("romeo@example.org/phone")
    phone.send(INACTIVE)
    for number in range(limit):
        world.online(f"romeo@example.org/{number}")
    assert phone.received() == []
    world.online("romeo@example.org/last")
    assert len(phone.received()) == limit + 1
    assert phone.received() == []


def test_no_more_is_held_than_the_limit_in_size(juliet: Client, phone: Client):
    for number in range(10):  # of one address only the last counts
        juliet.send(f"<presence to='romeo@example.org/phone'><status>{number}{LONG}</status></presence>")
    assert phone.received() == []
    for number in range(10):
        event = TUNE.format(node=LEISURELY[number % len(LEISURELY)], id=LONG)
        say(juliet, event, kind="headline")
    assert phone.received() != []


# What is held


def test_xep0352_3_2_presence_waits_until_somebody_looks(juliet: Client, phone: Client):
    show(juliet, "away")
    show(juliet, "dnd")
    assert phone.received() == []
    phone.send(ACTIVE)
    assert phone.one().child_text(NS_CLIENT, "show") == "dnd"
    show(juliet, "chat")
    assert phone.one().child_text(NS_CLIENT, "show") == "chat"


def test_of_each_full_address_the_last_presence_goes_out(world: World, juliet: Client, phone: Client):
    other = world.online("juliet@example.org/garden")
    show(juliet, "away")
    other.leave()
    phone.send(ACTIVE)
    assert phone.told() == ["available juliet@example.org/balcony", "unavailable juliet@example.org/garden"]


def test_a_chat_state_alone_is_replaced_by_a_newer_one(world: World, juliet: Client, phone: Client):
    world.add("nurse@example.org")
    nurse = world.online("nurse@example.org/hall")
    say(juliet, COMPOSING)
    say(nurse, COMPOSING)
    say(juliet, PAUSED + "<thread>t</thread><no-store xmlns='urn:xmpp:hints'/>")
    assert phone.received() == []
    phone.send(ACTIVE)
    assert [(e.get("from"), e.elements()[0].name) for e in phone.received()] == [
        ("nurse@example.org/hall", "composing"),
        ("juliet@example.org/balcony", "paused"),
    ]


def test_copies_of_chat_states_are_held_and_copies_of_messages_are_not(
    world: World, juliet: Client, phone: Client
):
    phone.ask(f"<iq type='set' id='on'><enable xmlns='{NS_CARBONS}'/></iq>")
    desk = world.online("romeo@example.org/desk")
    desk.send(f"<message to='juliet@example.org' type='chat'>{COMPOSING}</message>")
    say(juliet, COMPOSING, to="romeo@example.org/desk")
    say(juliet, PAUSED, to="romeo@example.org/desk")
    assert phone.received() == []
    say(juliet, "<body>hi</body>", to="romeo@example.org/desk")
    names = [
        [e.name for e in message.elements()] for message in phone.received() if message.name == "message"
    ]
    assert names == [["sent"], ["received"], ["received"]]


def test_news_that_can_wait_do(juliet: Client, phone: Client):
    for id in (1, 2):
        say(juliet, TUNE.format(node=TUNES, id=id), kind="headline")
    assert phone.received() == []
    phone.send(ACTIVE)
    (event,) = phone.one().elements()
    assert event.elements()[0].elements()[0].text() == "2"


def test_xep0352_5_1_what_was_held_comes_before_the_answer_to_the_next_request(juliet: Client, phone: Client):
    show(juliet, "away")
    phone.send(f"{ACTIVE}<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert [e.name for e in phone.received()] == ["presence", "iq"]


def test_after_something_important_the_client_is_left_alone_again(juliet: Client, phone: Client):
    say(juliet, "<body>hi</body>")
    assert phone.bodies() == ["hi"]
    show(juliet, "away")
    assert phone.received() == []


def test_xep0352_4_2_to_say_it_twice_changes_nothing(juliet: Client, phone: Client):
    show(juliet, "away")
    phone.send(INACTIVE)
    assert phone.received() == []
    phone.send(ACTIVE + ACTIVE)
    assert len(phone.received()) == 1


def test_xep0352_4_1_it_is_announced_when_a_client_may_bind(world: World):
    client = world.connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    (features,) = client.open("example.org")
    assert features.child(NS_CSI, "csi") is not None


def test_xep0352_6_others_do_not_see_it(juliet: Client, phone: Client):
    phone.send(ACTIVE)
    phone.send(INACTIVE)
    assert juliet.received() == []


def test_xep0352_5_2_a_stream_that_was_resumed_is_active(world: World, juliet: Client, phone: Client):
    phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    name = phone.one().get("id")
    phone.cut()
    again = world.connect()
    again.open("example.org")
    again.authenticate("romeo", "secret")
    again.open("example.org")
    again.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='0'/>")
    assert again.received()[0].name == "resumed"
    show(juliet, "away")
    assert "presence" in [element.name for element in again.received()]
