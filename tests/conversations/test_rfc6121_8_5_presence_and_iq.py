"""RFC 6121 §8.5.1 to §8.5.3: what becomes of presence and IQs for an account or one of its resources."""

import pytest

from tests.conversations.test_rfc6121_8_5_messages import ADDRESSES, SITUATIONS, arranged
from tests.conversations.world import World

WHERE = [
    (situation, address)
    for situation in SITUATIONS
    for address in ADDRESSES
    if address != "full match" or "balcony" in SITUATIONS[situation]
]
# The available resources of each situation get presence for the bare address (§8.5.2.1.2).
AVAILABLE = {
    s: {name for name, p in resources.items() if p is not None} for s, resources in SITUATIONS.items()
}


@pytest.mark.parametrize("kind", ["", "unavailable"])
@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_presence_reaches_available_resources_or_the_one_that_is_named(
    situation: str, address: str, kind: str
):
    _, romeo, juliet = arranged(situation)
    to = f"juliet@example.org{ADDRESSES[address]}"
    romeo.send(f"<presence to='{to}'{kind and f' type={kind!r}'} id='p1'><status>hi</status></presence>")
    expected = {"bare": AVAILABLE[situation], "full match": {"balcony"}, "full no match": set()}[address]
    delivered = {name: client.received() for name, client in juliet.items()}
    assert {name for name, got in delivered.items() if got} == expected
    for presence in (presence for got in delivered.values() for presence in got):
        assert (presence.get("to"), presence.get("from")) == (to, "romeo@example.org/orchard")
        assert (presence.get("type", ""), presence.get("id")) == (kind, "p1")
        assert presence.child_text("jabber:client", "status") == "hi"
    assert romeo.received() == []


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribe", "unsubscribed"])
@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_subscription_stanzas_that_change_nothing_are_ignored(
    situation: str, address: str, kind: str
):
    _, romeo, juliet = arranged(situation)
    romeo.send(f"<presence to='juliet@example.org{ADDRESSES[address]}' type='{kind}'/>")
    assert not any(client.received() for client in juliet.values())
    assert romeo.received() == []


@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_a_request_reaches_every_available_resource_however_it_is_addressed(
    situation: str, address: str
):
    """RFC 6121 §3.1.3: a resource in the address does not count; §8.5.1: no account, no answer."""
    _, romeo, juliet = arranged(situation)
    romeo.send(f"<presence to='juliet@example.org{ADDRESSES[address]}' type='subscribe'/>")
    got = {name for name, client in juliet.items() if client.told() == ["subscribe romeo@example.org"]}
    assert got == AVAILABLE[situation]
    assert romeo.received() == []


@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_a_strangers_probe_gets_one_answer(situation: str, address: str):
    """RFC 6121 §4.3.2: `unsubscribed` from the bare address, be there an account or not."""
    _, romeo, juliet = arranged(situation)
    romeo.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    romeo.received()
    romeo.send(f"<presence to='juliet@example.org{ADDRESSES[address]}' type='probe' id='p1'/>")
    answer, push = romeo.received()
    assert answer.attributes == {
        "type": "unsubscribed",
        "from": "juliet@example.org",
        "to": "romeo@example.org",
        "id": "p1",
    }
    assert push.get("type") == "set"
    assert not any("probe" in told for client in juliet.values() for told in client.told())


@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_a_strangers_request_is_refused(situation: str, address: str, kind: str):
    _, romeo, juliet = arranged(situation)
    to = f"juliet@example.org{ADDRESSES[address]}"
    romeo.send(f"<iq to='{to}' type='{kind}' id='q1'><unknown xmlns='urn:unknown'/></iq>")
    assert romeo.told() == [f"iq error service-unavailable {to}"]
    assert not any(client.received() for client in juliet.values())


@pytest.mark.parametrize("kind", ["result", "error"])
@pytest.mark.parametrize(("situation", "address"), WHERE)
def test_rfc6121_8_5_answers_reach_the_resource_that_is_named(situation: str, address: str, kind: str):
    """And are never answered (RFC 6120 §8.2.3)."""
    _, romeo, juliet = arranged(situation)
    to = f"juliet@example.org{ADDRESSES[address]}"
    romeo.send(f"<iq to='{to}' type='{kind}' id='q1'/>")
    delivered = {name: client.received() for name, client in juliet.items()}
    assert {name for name, got in delivered.items() if got} == (
        {"balcony"} if address == "full match" else set()
    )
    assert [iq.attributes for got in delivered.values() for iq in got] == [
        {"to": to, "from": "romeo@example.org/orchard", "type": kind, "id": "q1", "xml:lang": "en"}
        for _ in range(address == "full match")
    ]
    assert romeo.received() == []


# §8.5.3.1: requests to a full address


REQUEST = "<iq to='juliet@example.org/balcony' type='get' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>"


def test_rfc6121_8_5_3_1_a_subscriber_may_ask_a_resource():
    world = World("romeo@example.org", "juliet@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    juliet, romeo = world.login("juliet@example.org/balcony"), world.login("romeo@example.org/orchard")
    romeo.send(REQUEST)
    request = juliet.one()
    assert (request.get("from"), request.get("type")) == ("romeo@example.org/orchard", "get")
    juliet.send("<iq to='romeo@example.org/orchard' type='result' id='q1'/>")
    assert romeo.told() == ["iq result q1"]


def test_rfc6121_8_5_3_1_one_who_merely_shows_their_own_presence_may_not_ask():
    world = World("romeo@example.org", "juliet@example.org")
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send("<presence to='romeo@example.org' type='subscribe'/>")
    romeo.send("<presence to='juliet@example.org' type='subscribed'/>")
    juliet.received()
    romeo.received()
    romeo.send(REQUEST)
    assert romeo.told() == ["iq error service-unavailable juliet@example.org/balcony"]
    assert juliet.received() == []


def test_rfc6121_8_5_3_1_directed_presence_lets_its_recipient_ask_until_it_ends():
    world = World("romeo@example.org", "juliet@example.org")
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send("<presence to='romeo@example.org'/>")
    romeo.received()
    romeo.send(REQUEST)
    assert juliet.told() == ["iq get q1"]
    juliet.send("<presence to='romeo@example.org' type='unavailable'/>")
    romeo.received()
    romeo.send(REQUEST)
    assert romeo.told() == ["iq error service-unavailable juliet@example.org/balcony"]
    assert juliet.received() == []


def test_rfc6121_8_5_3_1_directed_presence_of_one_resource_opens_no_other():
    world = World("romeo@example.org", "juliet@example.org")
    juliet, chamber = world.online("juliet@example.org/balcony"), world.online("juliet@example.org/chamber")
    romeo = world.online("romeo@example.org/orchard")
    chamber.send("<presence to='romeo@example.org'/>")
    romeo.received()
    juliet.received()
    romeo.send(REQUEST)
    assert romeo.told() == ["iq error service-unavailable juliet@example.org/balcony"]
    assert juliet.received() == []


def test_rfc6121_8_5_3_1_ones_own_resources_may_be_asked():
    world = World("juliet@example.org")
    juliet, chamber = world.login("juliet@example.org/balcony"), world.login("juliet@example.org/chamber")
    chamber.send(REQUEST)
    assert juliet.told() == ["iq get q1"]
