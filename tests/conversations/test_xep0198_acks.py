"""XEP-0198 §2 to §4: what is acknowledged, and when: after all that a stanza caused here is on disk."""

import pytest

from commonroom.config.stream_management import StreamManagement
from commonroom.core.session import HIGH_WATER
from commonroom.core.signs import MOMENT
from commonroom.protocol.stream_management import WRAP
from commonroom.storage.errors import StorageError
from tests.conversations.managed import NS, Managed, chat, connected, enable, managed, waiting
from tests.conversations.world import Client, World, condition, with_options

PING = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
ROSTER_SET = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='x@example.org'/></query></iq>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Managed:
    return managed(world, "romeo@example.org/orchard")


def asked(client: Client) -> int:
    return len([e for e in client.received() if e.name == "r"])


# The disk


def test_xep0198_4_nothing_is_acknowledged_before_it_is_on_disk(world: World, romeo: Managed):
    world.memory.writes.hold()
    romeo.send(chat(1))
    assert romeo.handled() is None
    world.turn()
    assert romeo.client.received() == []
    world.memory.writes.release()
    world.turn()
    assert [(e.name, e.get("h")) for e in romeo.client.received()] == [("a", "2")]


@pytest.mark.parametrize("stanza", [ROSTER_SET, "<presence to='juliet@example.org' type='subscribe'/>"])
def test_xep0198_4_nor_any_other_change(world: World, romeo: Managed, stanza: str):
    world.memory.writes.hold()
    romeo.send(stanza)
    assert romeo.handled() is None
    world.memory.writes.release()
    world.turn()
    assert [e.get("h") for e in romeo.client.received() if e.name == "a"] == ["2"]


def test_xep0198_4_what_comes_after_the_question_is_not_in_the_answer(world: World, romeo: Managed):
    world.memory.writes.hold()
    romeo.send(chat(1))
    assert romeo.handled() is None
    romeo.send(chat(2))
    world.memory.writes.release()
    world.turn()
    assert [e.get("h") for e in romeo.client.received()] == ["2"]
    assert romeo.handled() == "3"


def test_xep0198_4_what_the_disk_refused_is_answered_with_an_error_and_then_counts(
    world: World, romeo: Managed
):
    juliet = world.online("juliet@example.org/balcony")
    world.memory.writes.hold()
    romeo.send(chat(1))
    assert romeo.handled() is None
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    error, acknowledged = [e for e in romeo.client.received() if e.name != "r"]
    assert condition(error) == "resource-constraint"
    assert (acknowledged.name, acknowledged.get("h")) == ("a", "2")
    assert juliet.bodies() == []


def test_xep0198_4_many_questions_have_one_or_two_answers(world: World, romeo: Managed):
    """Whoever floods us with questions gets no flood in return, and memory does not grow."""
    world.memory.writes.hold()
    romeo.send(chat(1))
    romeo.send(f"<r xmlns='{NS}'/>" * 1000)
    assert len(world.tasks) < 5
    world.memory.writes.release()
    world.turn()
    assert [e.get("h") for e in romeo.client.received()] == ["2", "2"]


def test_xep0198_4_the_answer_to_who_has_left_is_for_nobody(world: World, romeo: Managed):
    world.memory.writes.hold()
    romeo.send(chat(1) + f"<r xmlns='{NS}'/>")
    romeo.client.send("</stream:stream>")
    romeo.client.received()
    world.memory.writes.release()
    world.turn()
    assert romeo.client.received() == []


def test_xep0198_4_an_acknowledged_message_survives_a_kill(world: World, romeo: Managed):
    romeo.send(chat(1))
    assert romeo.handled() == "2"
    world.restart()
    assert waiting(world, "juliet@example.org/balcony") == ["1"]


# Counting


def test_xep0198_2_it_is_announced_with_resource_binding(world: World):
    client = world.connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    (features,) = client.open("example.org")
    assert features.child(NS, "sm") is not None
    assert world.connect().open("example.org")[0].child(NS, "sm") is None


def test_xep0198_4_the_count_begins_with_the_wish(world: World):
    client = world.login("romeo@example.org/orchard")
    client.send(PING + f"<enable xmlns='{NS}'/>" + PING + f"<r xmlns='{NS}'/>")
    names = [(e.name, e.get("h")) for e in client.received()]
    assert names == [("iq", None), ("enabled", None), ("iq", None), ("a", "1")]


def test_xep0198_4_every_stanza_counts_also_those_that_are_refused(world: World, romeo: Managed):
    romeo.send("<iq type='get'/>")  # without an id
    romeo.send("<message to='@@'/>")
    romeo.send("<presence type='nonsense'/>")
    romeo.send("<message to='nobody@example.org' type='chat'><body>x</body></message>")
    romeo.send(f"<a xmlns='{NS}' h='0'/><r xmlns='{NS}'/><active xmlns='urn:xmpp:csi:0'/>")
    assert romeo.handled() == "5"


def test_xep0198_4_the_answer_comes_behind_that_of_a_slow_stanza(world: World, romeo: Managed):
    world.memory.writes.hold()
    romeo.send(ROSTER_SET + PING)
    assert romeo.handled() is None
    world.memory.writes.release()
    world.turn()
    assert [e.name for e in romeo.client.received()][-2:] == ["iq", "a"]


@pytest.mark.parametrize("past", [-2, -1, 0, 1])
def test_xep0198_4_after_the_greatest_number_comes_zero(world: World, past: int):
    romeo, juliet = managed(world, "romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    session = romeo.client.handler._session
    assert session is not None
    assert session.outbox is not None
    session.received += WRAP + past - session.handled
    session.outbox.confirmed += WRAP + past - session.outbox.sent
    for number in range(3):
        romeo.send(chat(number))
        juliet.send(chat(number, "romeo@example.org"))
    assert romeo.handled() == str((past + 3) % WRAP)
    assert romeo.bodies() == []  # read with the answer
    romeo.send(f"<a xmlns='{NS}' h='{(past + 2) % WRAP}'/>")
    assert len(session.outbox) == 1
    romeo.send(f"<a xmlns='{NS}' h='{(past + 3) % WRAP}'/>")
    assert not session.outbox
    assert not romeo.client.closed


# What the server asks


def test_xep0198_4_it_asks_with_each_message_but_not_again_before_the_answer(world: World, romeo: Managed):
    other = world.online("juliet@example.org/balcony")
    other.send(chat(1, "romeo@example.org"))
    assert asked(romeo.client) == 1
    other.send(chat(2, "romeo@example.org"))
    assert asked(romeo.client) == 0
    romeo.got += 1
    romeo.send(f"<a xmlns='{NS}' h='{romeo.got}'/>")
    assert asked(romeo.client) == 0
    world.advance(MOMENT)
    assert asked(romeo.client) == 1  # for the second one
    romeo.got += 1
    romeo.send(f"<a xmlns='{NS}' h='{romeo.got}'/>")
    assert asked(romeo.client) == 0


def test_xep0198_4_and_when_many_other_stanzas_gather(world: World, romeo: Managed):
    for _ in range(15):
        romeo.send(PING)
    assert asked(romeo.client) == 0
    romeo.send(PING)
    assert asked(romeo.client) == 1


def test_xep0198_4_an_answer_that_says_nothing_new_is_not_asked_for_at_once(world: World, romeo: Managed):
    world.online("juliet@example.org/balcony").send(chat(1, "romeo@example.org"))
    assert asked(romeo.client) == 1
    romeo.send(f"<a xmlns='{NS}' h='{romeo.got}'/>")
    assert asked(romeo.client) == 0


def test_xep0198_4_what_was_sent_before_it_was_on_may_not_have_arrived(world: World):
    """The client may have asked for it before it read what came."""
    sender = world.online("romeo@example.org/orchard")
    juliet = world.online("juliet@example.org/balcony")
    sender.send(chat(1))
    assert juliet.bodies() == ["1"]
    juliet.send(f"<enable xmlns='{NS}' resume='true'/>")
    assert [e.name for e in juliet.received()] == ["enabled", "r"]
    juliet.cut()
    world.advance(24 * 3600)
    assert waiting(world, "juliet@example.org/other") == ["1"]


def test_xep0198_4_any_count_says_that_it_has(world: World):
    juliet = world.online("juliet@example.org/balcony")
    world.online("romeo@example.org/orchard").send(chat(1))
    juliet.send(f"<enable xmlns='{NS}' resume='true'/><a xmlns='{NS}' h='0'/>")
    juliet.cut()
    world.restart()
    assert waiting(world, "juliet@example.org/other") == []


# What can be agreed


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", {}),
        ("resume='false'", {}),
        ("resume='0' max='10'", {}),
        ("resume='true'", {"resume": "true", "max": "600"}),
        ("resume='1'", {"resume": "true", "max": "600"}),
        ("resume='1' max='60'", {"resume": "true", "max": "60"}),
        ("resume='1' max='100000'", {"resume": "true", "max": "600"}),
        (f"resume='1' max='{'9' * 300}'", {"resume": "true", "max": "600"}),
        ("resume='1' max='0'", {"resume": "true", "max": "1"}),
    ],
)
def test_xep0198_3_what_is_offered(world: World, attributes: str, expected: dict[str, str]):
    answer = enable(world.login("romeo@example.org/orchard"), attributes)
    given = {key: value for key, value in answer.attributes.items() if key != "id"}
    assert (answer.name, given) == ("enabled", expected)
    assert ("id" in answer.attributes) == bool(expected)


def test_xep0198_3_a_service_can_do_without_resumption():
    options = with_options(stream_management=StreamManagement(resume_within=0))
    world = World("romeo@example.org", settings=options)
    assert enable(world.login("romeo@example.org/orchard")).attributes == {}
    client = connected(world, "romeo@example.org")
    client.send(f"<resume xmlns='{NS}' previd='x' h='0'/>")
    assert condition(client.one()) == "feature-not-implemented"
    client.bind("orchard")


def test_names_of_streams_are_never_used_twice(world: World):
    names = {enable(world.login(f"romeo@example.org/{number}")).get("id") for number in range(9)}
    assert len(names) == 9


def test_who_sends_much_while_the_disk_is_slow_is_not_read_any_more(world: World, romeo: Managed):
    world.memory.writes.hold()
    for number in range(2 * HIGH_WATER):
        romeo.send(chat(number))
    assert romeo.client.paused
    world.memory.writes.release()
    world.turn()
    assert not romeo.client.paused
    assert romeo.handled() == str(2 * HIGH_WATER + 1)
