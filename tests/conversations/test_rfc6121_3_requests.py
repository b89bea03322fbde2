"""RFC 6121 §3.1.3: a request is kept in full until it is answered. §2.5.2: what ends with a contact."""

from dataclasses import replace

import pytest

from commonroom.config.schema import Roster
from tests.conversations.test_rfc6121_2_roster import change
from tests.conversations.test_rfc6121_3_subscriptions import MUTUAL, Two, rosters
from tests.conversations.world import Client, World, condition, with_options

REQUEST = (
    "<presence to='juliet@example.org/balcony' type='subscribe' id='r1' xml:lang='it'"
    " xmlns:a='urn:a' a:x='1'>"
    "<status>sono io</status><nick xmlns='http://jabber.org/protocol/nick'>Romeo &amp; co</nick></presence>"
)


def available(world: World, jid: str) -> list[str]:
    """What a client is told that becomes available."""
    client = world.login(jid)
    client.send("<presence/>")
    return client.told()


def requests(world: World, jid: str) -> list[str]:
    """The requests among that."""
    return [word for word in available(world, jid) if word.startswith("subscribe")]


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


def test_rfc6121_3_1_3_the_complete_request_is_kept_and_delivered(world: World, romeo: Client):
    romeo.send(REQUEST)
    for _ in range(2):
        juliet = world.login("juliet@example.org/balcony")
        juliet.send("<presence/>")
        _, request = juliet.received()
        assert request.attributes == {
            "type": "subscribe",
            "to": "juliet@example.org",
            "from": "romeo@example.org",
            "id": "r1",
            "xml:lang": "it",
            "{urn:a}x": "1",
        }
        status, nick = request.elements()
        assert status.text() == "sono io"
        assert (nick.namespace, nick.text()) == ("http://jabber.org/protocol/nick", "Romeo & co")
        world.restart()


def test_rfc6121_3_1_3_it_is_delivered_to_each_new_available_resource_until_it_is_answered(
    world: World, romeo: Client
):
    juliet = world.online("juliet@example.org/balcony")
    romeo.send(REQUEST)
    assert juliet.told() == ["subscribe romeo@example.org"]
    assert requests(world, "juliet@example.org/chamber") == ["subscribe romeo@example.org"]
    assert requests(world, "juliet@example.org/garden") == ["subscribe romeo@example.org"]
    juliet.send("<presence type='unavailable'/><presence/>")
    assert juliet.told().count("subscribe romeo@example.org") == 1
    juliet.send("<presence><show>away</show></presence>")
    assert "subscribe romeo@example.org" not in juliet.told()


@pytest.mark.parametrize("answer", ["subscribed", "unsubscribed"])
def test_rfc6121_3_1_3_an_answered_request_is_not_delivered_any_more(
    world: World, romeo: Client, answer: str
):
    romeo.send(REQUEST)
    juliet = world.login("juliet@example.org/balcony")  # an answer needs no presence
    juliet.send(f"<presence to='romeo@example.org' type='{answer}'/>")
    assert requests(world, "juliet@example.org/chamber") == []
    world.restart()
    assert requests(world, "juliet@example.org/chamber") == []


def test_rfc6121_3_1_3_a_resource_that_is_merely_connected_gets_no_request(world: World, romeo: Client):
    juliet = world.login("juliet@example.org/balcony")
    romeo.send(REQUEST)
    assert juliet.received() == []


def test_rfc6121_3_1_3_one_request_of_each_contact_is_delivered(world: World, romeo: Client):
    """However often it is sent: the first one is kept."""
    for number in range(3):
        romeo.send(f"<presence to='juliet@example.org' type='subscribe' id='r{number}'/>")
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    _, request = juliet.received()
    assert request.get("id") == "r0"
    romeo.send("<presence to='juliet@example.org' type='subscribe' id='r9'/>")
    assert juliet.received() == []


def test_rfc6121_3_1_3_a_request_that_follows_a_refusal_is_new(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    for _ in range(2):
        romeo.send(REQUEST)
        assert juliet.told() == ["subscribe romeo@example.org"]
        juliet.send("<presence to='romeo@example.org' type='unsubscribed'/>")


def test_rfc6121_3_1_3_the_contact_is_not_in_the_roster_until_approved(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    romeo.send(REQUEST)
    assert rosters(juliet) == []
    juliet.send("<presence to='romeo@example.org' type='subscribed'/>")
    assert rosters(juliet) == [{"jid": "romeo@example.org", "subscription": "from"}]


def test_rfc6121_3_1_1_the_contact_may_be_in_the_roster_before_the_request(world: World, romeo: Client):
    """ "In either order": the name that was set stays."""
    romeo.send(change("<item jid='juliet@example.org' name='J'/>"))
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    (item,) = rosters(romeo)
    assert item == {"jid": "juliet@example.org", "name": "J", "subscription": "none", "ask": "subscribe"}


def test_rfc6121_3_1_1_the_contact_may_be_named_after_the_request(world: World, romeo: Client):
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    romeo.send(change("<item jid='juliet@example.org' name='J'/>"))
    (item,) = rosters(romeo)
    assert item == {"jid": "juliet@example.org", "name": "J", "subscription": "none", "ask": "subscribe"}


def test_rfc6121_3_1_3_one_who_asks_may_be_added_without_being_answered(world: World, romeo: Client):
    romeo.send(REQUEST)
    juliet = world.online("juliet@example.org/balcony")
    juliet.send(change("<item jid='romeo@example.org' name='R'/>"))
    assert rosters(juliet) == [{"jid": "romeo@example.org", "name": "R", "subscription": "none"}]
    assert requests(world, "juliet@example.org/chamber") == ["subscribe romeo@example.org"]
    juliet.send(change("<item jid='romeo@example.org' subscription='remove'/>"))
    assert rosters(juliet) == []
    assert requests(world, "juliet@example.org/garden") == ["subscribe romeo@example.org"]


# Resource exhaustion


def test_rfc6121_3_1_3_a_flood_of_requests_is_bounded_and_takes_nothing_from_the_roster():
    crowd = [f"user{n}@example.org" for n in range(5)]
    world = World("juliet@example.org", *crowd, settings=with_options(roster=replace(Roster(), items=3)))
    for who in crowd:
        world.login(f"{who}/x").send("<presence to='juliet@example.org' type='subscribe'/>")
    assert requests(world, "juliet@example.org/balcony") == [f"subscribe {who}" for who in crowd[:3]]
    juliet = world.online("juliet@example.org/chamber")
    juliet.send(change("<item jid='romeo@example.org'/>"))
    assert juliet.told() == ["push romeo@example.org none", "iq result s"]
    juliet.send(f"<presence to='{crowd[0]}' type='unsubscribed'/>")
    world.login(f"{crowd[4]}/y").send("<presence to='juliet@example.org' type='subscribe'/>")
    assert juliet.told() == [f"subscribe {crowd[4]}"]


def test_rfc6121_3_1_3_a_full_roster_still_hears_those_who_are_in_it():
    settings = with_options(roster=replace(Roster(), items=1))
    world = World("romeo@example.org", "juliet@example.org", "nurse@example.org", settings=settings)
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    juliet.send(change("<item jid='romeo@example.org'/>"))
    juliet.received()
    world.login("nurse@example.org/x").send("<presence to='juliet@example.org' type='subscribe'/>")
    romeo.send(REQUEST)
    assert juliet.told() == ["subscribe nurse@example.org", "subscribe romeo@example.org"]
    juliet.send("<presence to='romeo@example.org' type='subscribed'/>")
    assert juliet.told() == ["push romeo@example.org from"]
    answer = juliet.ask("<presence to='nurse@example.org' type='subscribed'/>")
    assert condition(answer) == "not-acceptable"
    juliet.send("<presence to='nurse@example.org' type='unsubscribed'/>")
    assert requests(world, "juliet@example.org/chamber") == []


def test_rfc6121_3_1_3_a_request_has_a_size(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    answer = romeo.ask(
        f"<presence to='juliet@example.org' type='subscribe'><status>{'x' * 10_000}</status></presence>"
    )
    assert condition(answer) == "not-acceptable"
    assert rosters(romeo) == []
    assert juliet.received() == []


# §2.5.2: removing a contact


def test_rfc6121_2_5_2_removing_a_contact_ends_both_subscriptions():
    two = Two(*MUTUAL)
    two.romeo.send(change("<item jid='juliet@example.org' subscription='remove'/>"))
    assert two.juliet.told() == [
        "unavailable romeo@example.org/foo",
        "unavailable romeo@example.org/bar",
        "unsubscribe romeo@example.org",
        "push romeo@example.org to",
        "unsubscribed romeo@example.org",
        "push romeo@example.org none",
    ]
    assert two.romeo.told() == [
        "push juliet@example.org remove",
        "unavailable juliet@example.org/balcony",
        "unavailable juliet@example.org/chamber",
        "iq result s",
    ]
    assert rosters(two.juliet) == [{"jid": "romeo@example.org", "subscription": "none"}]
    two.juliet.send("<presence/>")
    two.romeo.send("<presence/>")
    assert two.romeo.told() == ["available romeo@example.org/foo"]
    assert two.juliet.told() == ["available juliet@example.org/balcony"]


def test_rfc6121_2_5_2_a_subscription_to_the_contact_is_ended():
    two = Two(*MUTUAL[:2])
    two.romeo.send(change("<item jid='juliet@example.org' subscription='remove'/>"))
    assert two.juliet.told() == ["unsubscribe romeo@example.org", "push romeo@example.org none"]


def test_rfc6121_2_5_2_a_subscription_of_the_contact_is_ended():
    two = Two(*MUTUAL[:2])
    two.juliet.send(change("<item jid='romeo@example.org' subscription='remove'/>"))
    assert two.romeo.told() == [
        "unavailable juliet@example.org/balcony",
        "unavailable juliet@example.org/chamber",
        "unsubscribed juliet@example.org",
        "push juliet@example.org none",
    ]


def test_rfc6121_2_5_2_a_request_that_waits_is_withdrawn():
    two = Two("romeo subscribe")
    two.romeo.send(change("<item jid='juliet@example.org' subscription='remove'/>"))
    assert two.juliet.told() == ["unsubscribe romeo@example.org"]
    assert requests(two.world, "juliet@example.org/new") == []


def test_rfc6121_2_5_2_removing_a_contact_who_is_offline_ends_the_subscriptions_too():
    two = Two(*MUTUAL)
    for client in (two.juliet, two.chamber, *two.connected):
        client.leave()
    two.romeo.send(change("<item jid='juliet@example.org' subscription='remove'/>"))
    two.world.restart()
    juliet = two.world.login("juliet@example.org/balcony")
    assert rosters(juliet) == [{"jid": "romeo@example.org", "subscription": "none"}]
