"""XEP-0198 §3, §6: what is not allowed, and what the client is told."""

import pytest

from tests.conversations.managed import NS, Managed, chat, connected, enable, managed
from tests.conversations.world import Client, World, condition, plain

TOO_EARLY = [f"<enable xmlns='{NS}' resume='true'/>", f"<resume xmlns='{NS}' previd='x' h='0'/>"]


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


def ended(client: Client) -> str | None:
    """The condition of the stream error that ended it."""
    error = client.one()
    assert error.name == "error"
    assert client.closed
    return condition(error)


@pytest.mark.parametrize("element", TOO_EARLY)
def test_xep0198_3_before_the_login_it_is_refused_and_the_stream_lives_on(world: World, element: str):
    client = world.connect()
    client.open("example.org")
    client.send(element)
    answer = client.one()
    assert (answer.name, condition(answer)) == ("failed", "unexpected-request")
    client.authenticate("romeo", "secret")


def test_xep0198_3_before_a_resource_is_bound_it_is_refused(world: World):
    client = connected(world, "romeo@example.org")
    client.send(TOO_EARLY[0])
    answer = client.one()
    assert (answer.name, condition(answer)) == ("failed", "unexpected-request")
    client.bind("orchard")
    assert enable(client).name == "enabled"


def test_xep0198_5_to_resume_is_too_late_once_a_resource_is_bound(world: World):
    client = world.login("romeo@example.org/orchard")
    client.send(TOO_EARLY[1])
    assert condition(client.one()) == "unexpected-request"
    assert enable(client).name == "enabled"


def test_xep0198_3_the_second_attempt_ends_the_stream(world: World):
    romeo = managed(world, "romeo@example.org/orchard")
    romeo.send(TOO_EARLY[0])
    assert ended(romeo.client) == "policy-violation"


@pytest.mark.parametrize("attributes", ["resume='maybe'", "max='soon'", "max='-1'", "resume='true' max=''"])
def test_xep0198_6_an_attempt_that_makes_no_sense_is_refused(world: World, attributes: str):
    client = world.login("romeo@example.org/orchard")
    answer = enable(client, attributes)
    assert (answer.name, condition(answer)) == ("failed", "bad-request")
    client.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert client.told() == ["iq result p"]


@pytest.mark.parametrize("element", [f"<r xmlns='{NS}'/>", f"<a xmlns='{NS}' h='0'/>"])
def test_xep0198_4_nothing_is_asked_or_answered_before_it_is_on(world: World, element: str):
    client = world.login("romeo@example.org/orchard")
    client.send(element)
    assert ended(client) == "policy-violation"


@pytest.mark.parametrize("element", [f"<r xmlns='{NS}'/>", f"<a xmlns='{NS}' h='0'/>", "<r xmlns='urn:x'/>"])
def test_xep0198_4_nor_before_there_is_a_session(world: World, element: str):
    client = connected(world, "romeo@example.org")
    client.send(element)
    assert ended(client) == "not-authorized"


@pytest.mark.parametrize("name", ["enabled", "resumed", "failed", "sm", "stanza"])
def test_xep0198_what_only_the_server_says_is_no_stanza(world: World, name: str):
    romeo = managed(world, "romeo@example.org/orchard")
    romeo.send(f"<{name} xmlns='{NS}'/>")
    assert ended(romeo.client) == "unsupported-stanza-type"


@pytest.mark.parametrize("count", ["", " h=''", " h='-1'", " h='a'", " h='4294967296'", f" h='{'1' * 5000}'"])
def test_xep0198_4_an_acknowledgement_must_have_a_count(world: World, count: str):
    romeo = managed(world, "romeo@example.org/orchard")
    romeo.send(f"<a xmlns='{NS}'{count}/>")
    assert ended(romeo.client) == "policy-violation"


@pytest.mark.parametrize("more", [1, 2, 1000, 2**31 - 10])
def test_xep0198_6_who_acknowledges_more_than_was_sent_is_told_so(world: World, more: int):
    romeo = managed(world, "romeo@example.org/orchard")
    sent = romeo.got
    romeo.send(f"<a xmlns='{NS}' h='{sent + more}'/>")
    error = romeo.client.one()
    assert condition(error) == "undefined-condition"
    detail = error.child(NS, "handled-count-too-high")
    assert detail is not None
    assert (detail.get("h"), detail.get("send-count")) == (str(sent + more), str(sent))
    assert romeo.client.closed


def test_xep0198_4_an_older_count_says_nothing_new(world: World):
    """It can be an answer that was made before the last one."""
    juliet = managed(world, "juliet@example.org/balcony")
    romeo = world.online("romeo@example.org/orchard")
    romeo.send(chat(1))
    assert juliet.bodies() == ["1"]
    juliet.acknowledge()
    juliet.client.received()
    juliet.send(f"<a xmlns='{NS}' h='{juliet.got - 1}'/><a xmlns='{NS}' h='0'/>")
    assert juliet.client.received() == []
    juliet.cut()
    world.advance(24 * 3600)
    assert Managed(world.online("juliet@example.org/chamber")).bodies() == []


def test_xep0198_4_plain_login_is_not_disturbed_by_it(world: World):
    client = world.connect()
    client.open("example.org")
    client.send(TOO_EARLY[0] + plain("romeo", "secret"))
    assert [e.name for e in client.received()] == ["failed", "success"]
