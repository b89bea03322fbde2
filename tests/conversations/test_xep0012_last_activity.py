"""XEP-0012: Last Activity."""

import pytest

from tests.conversations.world import Client, World, condition


def last(to: str = "") -> str:
    return f"<iq type='get' id='l'{to and f' to={to!r}'}><query xmlns='jabber:iq:last'/></iq>"


def seconds(client: Client, to: str = "") -> tuple[str | None, str]:
    """What is answered: the seconds and the status."""
    query = client.ask(last(to)).only_child()
    assert query is not None
    return query.get("seconds"), query.text()


@pytest.fixture
def world() -> World:
    world = World("romeo@example.org", "juliet@example.org", "nurse@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


def test_xep0012_3_a_stranger_learns_nothing(world: World):
    """service-unavailable, as from an account that does not exist; see also RFC 6121 §8.5.1."""
    nurse = world.login("nurse@example.org/x")
    for to in ("juliet@example.org", "nobody@example.org"):
        assert condition(nurse.ask(last(to))) == "service-unavailable"


def test_xep0012_3_one_who_shows_their_presence_without_seeing_the_others_learns_nothing(world: World):
    nurse, juliet = world.online("nurse@example.org/x"), world.online("juliet@example.org/x")
    juliet.send("<presence to='nurse@example.org' type='subscribe'/>")
    nurse.send("<presence to='juliet@example.org' type='subscribed'/>")
    assert condition(nurse.ask(last("juliet@example.org"))) == "service-unavailable"


def test_xep0012_3_of_one_who_never_left_nothing_is_known():
    """Romeo saw Juliet before the service was restarted the hard way; when she left, nobody noted."""
    world = World("romeo@example.org", "juliet@example.org")
    romeo, juliet = world.online("romeo@example.org/x"), world.online("juliet@example.org/x")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    juliet.send("<presence to='romeo@example.org' type='subscribed'/>")
    world.restart()
    romeo = world.online("romeo@example.org/x")
    assert condition(romeo.ask(last("juliet@example.org"))) == "item-not-found"


@pytest.mark.parametrize("how", [Client.leave, Client.cut])
def test_xep0012_3_a_subscriber_learns_since_when_the_account_is_offline(world: World, how):
    juliet = world.online("juliet@example.org/balcony")
    world.advance(10)
    how(juliet)
    world.advance(903.9)
    romeo = world.online("romeo@example.org/x")
    assert seconds(romeo, "juliet@example.org") == ("903", "")
    world.restart()
    assert seconds(world.online("romeo@example.org/x"), "juliet@example.org") == ("903", "")


def test_xep0012_3_with_the_status_of_the_last_unavailable_presence(world: World):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<presence type='unavailable'><status>Heading &lt;Home></status></presence>")
    juliet.leave()
    world.advance(5)
    romeo = world.online("romeo@example.org/x")
    assert seconds(romeo, "juliet@example.org") == ("5", "Heading <Home>")


def test_xep0012_3_the_last_resource_counts(world: World):
    romeo = world.online("romeo@example.org/x")
    balcony, chamber = world.online("juliet@example.org/balcony"), world.login("juliet@example.org/chamber")
    balcony.leave()
    world.advance(10)
    romeo.received()
    assert seconds(romeo, "juliet@example.org") == ("0", "")
    chamber.leave()
    world.advance(7)
    assert seconds(romeo, "juliet@example.org") == ("7", "")


def test_xep0012_4_a_query_to_a_resource_is_for_the_client(world: World):
    romeo, juliet = world.online("romeo@example.org/x"), world.online("juliet@example.org/balcony")
    romeo.send(last("juliet@example.org/balcony"))
    assert juliet.told() == ["iq get l"]


def test_xep0012_3_whoever_asks_is_online(world: World):
    romeo = world.login("romeo@example.org/x")
    assert seconds(romeo) == seconds(romeo, "romeo@example.org") == ("0", "")


def test_xep0012_5_the_server_tells_how_long_it_has_been_up(world: World):
    world.advance(100)
    world.restart()
    world.advance(42.5)
    assert seconds(world.login("nurse@example.org/x"), "example.org") == ("42", "")
