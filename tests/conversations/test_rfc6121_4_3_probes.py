"""RFC 6121 §4.3: probes that a client sends all the same, and what the server tells in answer."""

import pytest

from tests.conversations.world import Client, World


@pytest.fixture
def world() -> World:
    world = World("romeo@example.org", "juliet@example.org", "tybalt@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


def probe(client: Client, to: str) -> None:
    client.send(f"<presence to='{to}' type='probe' id='probe-1'/>")


@pytest.mark.parametrize("to", ["juliet@example.org", "juliet@example.org/balcony"])
def test_rfc6121_4_3_2_a_stranger_learns_nothing(world: World, to: str):
    """ "MUST NOT reveal the user's presence if the sender … is not authorized" (RFC 6121 §11)."""
    tybalt, juliet = world.online("tybalt@example.org/x"), world.online("juliet@example.org/balcony")
    probe(tybalt, to)
    assert tybalt.received() == juliet.received() == []


def test_rfc6121_4_3_2_every_available_resource_is_told_with_its_last_presence(world: World, romeo: Client):
    for number, resource in enumerate(("balcony", "chamber")):
        client = world.online(f"juliet@example.org/{resource}")
        client.send(f"<presence id='pres{number}'><show>dnd</show><status>{resource}</status></presence>")
    world.login("juliet@example.org/connected")
    romeo.received()
    probe(romeo, "juliet@example.org")
    got = {presence.get("from"): presence for presence in romeo.received()}
    assert set(got) == {"juliet@example.org/balcony", "juliet@example.org/chamber"}
    for number, resource in enumerate(("balcony", "chamber")):
        presence = got[f"juliet@example.org/{resource}"]
        assert presence.get("id") == f"pres{number}"  # §4.3.2.1: that of the original presence
        assert [child.text() for child in presence.elements()] == ["dnd", resource]


@pytest.mark.parametrize("is_connected", [True, False])
def test_rfc6121_4_3_2_of_one_who_is_offline_the_bare_address_is_unavailable(
    world: World, romeo: Client, is_connected: bool
):
    if is_connected:
        world.login("juliet@example.org/connected")
    world.restart()
    romeo = world.online("romeo@example.org/orchard")
    probe(romeo, "juliet@example.org")
    presence = romeo.one()
    assert (presence.get("type"), presence.get("from")) == ("unavailable", "juliet@example.org")
    assert presence.get("id") == "probe-1"  # §4.3.2.1: mirrored


def test_rfc6121_4_3_2_of_a_resource_that_is_named_it_tells_only_whether_it_is_available(
    world: World, romeo: Client
):
    juliet = world.online("juliet@example.org/balcony")
    world.online("juliet@example.org/chamber")
    world.login("juliet@example.org/connected")
    juliet.send("<presence><show>dnd</show></presence>")
    romeo.received()
    probe(romeo, "juliet@example.org/balcony")
    presence = romeo.one()
    assert (presence.get("type"), presence.get("from")) == (None, "juliet@example.org/balcony")
    assert presence.children == []
    for resource in ("connected", "elsewhere"):
        probe(romeo, f"juliet@example.org/{resource}")
        presence = romeo.one()
        assert (presence.get("type"), presence.get("id")) == ("unavailable", "probe-1")
        assert presence.get("from") == f"juliet@example.org/{resource}"


def test_rfc6121_4_3_the_own_account_can_be_probed(world: World, romeo: Client):
    foo = world.online("romeo@example.org/foo")
    romeo.received()
    probe(romeo, "romeo@example.org")
    assert sorted(romeo.told()) == ["available romeo@example.org/foo", "available romeo@example.org/orchard"]
    assert foo.received() == []
