"""RFC 6120 §8, §10: what a client's stanzas become, and in which order."""

import pytest

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_ROSTER
from tests.conversations.world import World, condition

PING = "<ping xmlns='urn:xmpp:ping'/>"


@pytest.fixture
def world() -> World:
    return World("juliet@example.org", "romeo@example.org")


# Errors


@pytest.mark.parametrize("name", ["message", "presence"])
def test_rfc6120_8_3_3_8_a_malformed_to_is_told_to_the_sender(world, name):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send(f"<{name} id='1' to='romeo@@example.org'/>")
    answer = juliet.one()
    assert (answer.name, answer.get("type"), answer.get("id")) == (name, "error", "1")
    assert condition(answer) == "jid-malformed"


def test_rfc6120_8_2_3_a_request_without_a_child_is_told_to_the_sender(world):
    juliet = world.online("juliet@example.org/balcony")
    assert condition(juliet.ask("<iq type='get' id='1' to='romeo@example.org/orchard'/>")) == "bad-request"


def test_rfc6120_8_2_3_rule_4_stray_results_and_errors_are_ignored(world):
    juliet = world.online("juliet@example.org/balcony")
    for to in ("", " to='example.org'", " to='juliet@example.org'", " to='nobody@example.org'"):
        juliet.send(f"<iq type='result' id='1'{to}/><iq type='error' id='2'{to}/>")
    assert juliet.received() == []


def test_rfc6120_10_3_3_rule_2_a_namespace_that_nobody_understands_is_unavailable(world):
    juliet = world.online("juliet@example.org/balcony")
    assert condition(juliet.ask("<iq type='get' id='1'><x xmlns='urn:x'/></iq>")) == "service-unavailable"


# Addresses


@pytest.mark.parametrize(
    "sender",
    ["", " from='juliet@example.org'", " from='juliet@example.org/balcony'", " from='JULIET@example.ORG'"],
)
def test_rfc6120_8_1_2_1_rule_1_the_sender_is_the_full_address(world, sender):
    juliet, romeo = world.login("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send(f"<message to='romeo@example.org/orchard'{sender}><body>hi</body></message>")
    assert romeo.one().get("from") == "juliet@example.org/balcony"


def test_rfc6120_8_1_1_1_the_recipient_sees_to_as_it_was_sent(world):
    juliet, romeo = world.login("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    for to in ("romeo@example.org", "romeo@example.org/orchard"):
        juliet.send(f"<message to='{to}' type='chat'><body>hi</body></message>")
        assert romeo.one().get("to") == to


def test_rfc6120_10_3_1_a_message_without_to_is_for_the_own_account(world):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<message type='chat'><body>note</body></message>")
    message = juliet.one()
    assert (message.get("to"), message.child_text(NS_CLIENT, "body")) == ("juliet@example.org", "note")


def test_rfc6120_10_3_2_a_presence_without_to_is_broadcast(world):
    world.befriend("juliet@example.org", "romeo@example.org")
    juliet, romeo = world.login("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send("<presence><show>away</show></presence>")
    assert romeo.told() == ["available juliet@example.org/balcony"]


def test_rfc6120_10_3_3_rule_1_a_request_without_to_is_answered_for_the_own_account(world):
    juliet = world.online("juliet@example.org/balcony")
    answer = juliet.ask(f"<iq type='get' id='1'><query xmlns='{NS_ROSTER}'/></iq>")
    assert answer.get("type") == "result"
    assert answer.get("from") in (None, "juliet@example.org")
    assert juliet.ask(f"<iq type='get' id='2' to='example.org'>{PING}</iq>").get("from") == "example.org"


# Languages and namespaces


def test_rfc6120_8_1_5_a_stanza_carries_its_streams_language_to_others(world):
    romeo = world.online("romeo@example.org/orchard")
    juliet = world.connect()
    juliet.open("example.org")
    juliet.authenticate("juliet", "secret")
    juliet.send(
        "<stream:stream to='example.org' version='1.0' xml:lang='it' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    juliet.received()
    juliet.bind("balcony")
    juliet.send(
        "<message to='romeo@example.org/orchard'/><message to='romeo@example.org/orchard' xml:lang='la'/>"
    )
    assert [message.get("xml:lang") for message in romeo.received()] == ["it", "la"]


def test_rfc6120_8_4_extensions_arrive_as_they_were_sent(world):
    juliet, romeo = world.login("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send(
        "<message to='romeo@example.org/orchard' xmlns:e='urn:e' xmlns:f='urn:f' e:a='1' f:b='2'>"
        "<e:x e:y='&lt;&#10;'><f:z>a &amp; b</f:z></e:x></message>"
    )
    message = romeo.one()
    assert (message.get("{urn:e}a"), message.get("{urn:f}b")) == ("1", "2")
    inside = Element("urn:f", "z", None, "a & b")
    assert message.elements() == [Element("urn:e", "x", {"{urn:e}y": "<\n"}, inside)]


# §10.1: order


def test_rfc6120_10_1_bare_and_full_addresses_are_one_recipient(world):
    juliet, romeo = world.login("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    for number in range(20):
        to = "romeo@example.org" if number % 2 else "romeo@example.org/orchard"
        juliet.send(f"<message to='{to}' type='chat'><body>{number}</body></message>")
    assert romeo.bodies() == [str(number) for number in range(20)]


def test_rfc6120_10_1_what_follows_something_slow_waits_for_it(world):
    juliet = world.online("juliet@example.org/balcony")
    world.memory.writes.hold()
    juliet.send(
        f"<iq type='set' id='1'><query xmlns='{NS_ROSTER}'><item jid='romeo@example.org'/></query></iq>"
    )
    juliet.send(f"<iq type='get' id='2'>{PING}</iq><iq type='get' id='3'/><iq type='get' id='4'>{PING}</iq>")
    before = [
        element.get("id") for element in juliet.received() if element.get("type") in ("result", "error")
    ]
    assert "2" not in before
    assert "4" not in before
    world.memory.writes.release()
    world.turn()
    after = [element.get("id") for element in juliet.received() if element.get("type") in ("result", "error")]
    order = [stanza_id for stanza_id in before + after if stanza_id != "3"]
    assert order == ["1", "2", "4"]


def test_rfc6120_10_1_one_clients_wait_is_not_anothers(world):
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    world.memory.writes.hold()
    juliet.send(
        f"<iq type='set' id='1'><query xmlns='{NS_ROSTER}'><item jid='romeo@example.org'/></query></iq>"
    )
    assert romeo.ask(f"<iq type='get' id='2' to='example.org'>{PING}</iq>").get("type") == "result"
    world.memory.writes.release()
    world.turn()
