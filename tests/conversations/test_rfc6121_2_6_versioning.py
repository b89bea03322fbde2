"""RFC 6121 §2.6: a client that knows the roster is told only what changed since."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from tests.conversations.test_rfc6121_2_roster import GET, change, interested
from tests.conversations.world import Client, World, words


def version(iq: Element) -> str:
    """The version in a roster result or push."""
    query = iq.only_child()
    assert query is not None
    return query.get("ver") or ""


def ask(client: Client, ver: str) -> list[Element]:
    """Everything that a roster get with this version brings."""
    client.received()
    client.send(f"<iq type='get' id='g'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>")
    return client.received()


@pytest.fixture
def world() -> World:
    return World("juliet@example.org", "romeo@example.org")


@pytest.fixture
def juliet(world: World) -> Client:
    """A client with two contacts in its roster."""
    client = interested(world, "juliet@example.org/balcony")
    client.send(change("<item jid='a@example.org'/>"))
    client.send(change("<item jid='b@example.org'/>"))
    client.received()
    return client


def test_rfc6121_2_6_1_the_stream_announces_it(world: World):
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    (features,) = client.open("example.org")
    assert features.child("urn:xmpp:features:rosterver", "ver") is not None


@pytest.mark.parametrize("ver", ["", "0", "x", ".", "9.9", "ver14", "\uff11.\uff11", "9" * 40, "-1", "1.-1"])
def test_rfc6121_2_6_3_a_version_nobody_gave_out_brings_the_whole_roster(juliet: Client, ver: str):
    (result,) = ask(juliet, ver)
    assert result.get("type") == "result"
    assert len(result.elements()[0].elements()) == 2
    assert version(result)


def test_rfc6121_2_6_3_a_version_from_the_future_brings_the_whole_roster(juliet: Client):
    epoch, _, number = version(juliet.ask(GET)).rpartition(".")
    (result,) = ask(juliet, f"{epoch}.{int(number) + 1}")
    assert len(result.elements()[0].elements()) == 2


def test_rfc6121_2_6_3_an_unchanged_roster_is_an_empty_result(juliet: Client):
    (result,) = ask(juliet, version(juliet.ask(GET)))
    assert result.attributes.keys() >= {"type", "id"}
    assert (result.get("type"), result.get("id"), result.children) == ("result", "g", [])


def test_rfc6121_2_6_3_each_changed_item_is_pushed_once_and_in_order_of_its_last_change(juliet: Client):
    before = version(juliet.ask(GET))
    for item in ("c", "a", "d", "c"):
        juliet.send(change(f"<item jid='{item}@example.org' name='{item}'/>"))
    live = {words(iq): version(iq) for iq in juliet.received() if iq.get("type") == "set"}
    result, *pushes = ask(juliet, before)
    assert result.children == []
    assert [words(push) for push in pushes] == [f"push {c}@example.org none" for c in "adc"]
    versions = [version(push) for push in pushes]
    assert versions == [live[words(push)] for push in pushes]
    assert len(set(versions)) == 3
    assert ask(juliet, versions[-1])[1:] == []
    assert [words(push) for push in ask(juliet, versions[0])[1:]] == [
        f"push {c}@example.org none" for c in "dc"
    ]


def test_rfc6121_2_6_3_after_a_removal_older_versions_bring_the_whole_roster(juliet: Client):
    before = version(juliet.ask(GET))
    juliet.send(change("<item jid='a@example.org' subscription='remove'/>"))
    push, _ = juliet.received()
    (result,) = ask(juliet, before)
    assert [item.get("jid") for item in result.elements()[0].elements()] == ["b@example.org"]
    (result,) = ask(juliet, version(push))
    assert result.children == []


def test_rfc6121_2_6_3_versions_outlive_a_restart(world: World, juliet: Client):
    before = version(juliet.ask(GET))
    juliet.send(change("<item jid='c@example.org'/>"))
    world.restart()
    client = world.login("juliet@example.org/balcony")
    assert [words(iq) for iq in ask(client, before)] == ["iq result g", "push c@example.org none"]
    client.send(change("<item jid='c@example.org' subscription='remove'/>"))
    removed = version(client.received()[0])
    world.restart()
    client = world.login("juliet@example.org/balcony")
    (result,) = ask(client, removed)
    assert result.children == []
    (result,) = ask(client, before)
    assert len(result.elements()[0].elements()) == 2


def test_rfc6121_2_6_3_an_account_that_was_made_again_has_versions_of_its_own(world: World, juliet: Client):
    before = version(juliet.ask(GET))
    world.stores.accounts.remove(JID.parse("juliet@example.org"))
    world.advance(1)
    world.restart()
    world.add("juliet@example.org")
    client = interested(world, "juliet@example.org/balcony")
    client.send(change("<item jid='c@example.org'/>"))
    client.send(change("<item jid='d@example.org'/>"))
    (result,) = ask(client, before)
    assert [item.get("jid") for item in result.elements()[0].elements()] == ["c@example.org", "d@example.org"]


# §3.1.3: "the contact's server MUST NOT add an item for the user to the contact's roster"


def test_rfc6121_3_1_3_a_request_shows_in_no_version_of_the_roster(world: World, juliet: Client):
    before = version(juliet.ask(GET))
    romeo = world.login("romeo@example.org/orchard")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    assert juliet.received() == []
    assert [words(iq) for iq in ask(juliet, before)] == ["iq result g"]
    assert "romeo" not in str(juliet.ask(GET))
    juliet.send("<presence to='romeo@example.org' type='unsubscribed'/>")
    assert juliet.received() == []
    assert "romeo" not in str(ask(juliet, before))


def test_rfc6121_3_1_3_a_contact_who_still_asks_is_removed_for_clients_with_older_versions(
    world: World, juliet: Client
):
    juliet.send(change("<item jid='romeo@example.org'/>"))
    before = version(juliet.ask(GET))
    romeo = world.login("romeo@example.org/orchard")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    juliet.send(change("<item jid='romeo@example.org' subscription='remove'/>"))
    assert "push romeo@example.org remove" in juliet.told()
    for _ in range(2):
        (result,) = ask(juliet, before)
        assert [i.get("jid") for i in result.elements()[0].elements()] == ["a@example.org", "b@example.org"]
        world.restart()
        juliet = world.login("juliet@example.org/balcony")
