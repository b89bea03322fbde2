"""RFC 6120 §7.7: what happens when a resource is bound twice, or too many are."""

from dataclasses import replace

import pytest

from commonroom.config.c2s import C2s, ResourceConflict
from tests.conversations.world import Client, World, condition, with_options
from tests.core.test_session import WAIT, Slow, chat

BIND = (
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
)


def service(policy: ResourceConflict, sessions: int = 20) -> World:
    settings = with_options(c2s=replace(C2s(), resource_conflict=policy, sessions_per_account=sessions))
    world = World("romeo@example.org", "juliet@example.org", settings=settings)
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


def authenticated(world: World) -> Client:
    """A client of Romeo's that may bind."""
    client = world.connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    client.open("example.org")
    return client


# Refused


def test_rfc6120_7_7_2_2_refuse_tells_the_new_one_and_lets_it_try_another_name():
    world = service(ResourceConflict.REFUSE)
    old = world.online("romeo@example.org/orchard")
    new = authenticated(world)
    answer = new.ask(BIND.format("orchard"))
    assert (answer.get("id"), condition(answer)) == ("b", "conflict")
    new.bind("garden")
    assert new.jid == "romeo@example.org/garden"
    assert not old.closed
    assert old.received() == []


@pytest.mark.parametrize("policy", ResourceConflict)
def test_rfc6120_7_6_2_1_too_many_sessions_are_refused(policy: ResourceConflict):
    world = service(policy, sessions=2)
    one = world.login("romeo@example.org/one")
    two = world.login("romeo@example.org/two")
    three = authenticated(world)
    for resource in ("three", ""):
        assert condition(three.ask(BIND.format(resource))) == "resource-constraint"
    two.leave()
    three.bind("three")
    assert not one.closed
    world.login("juliet@example.org/one")  # another account's


def test_rfc6120_7_7_2_2_one_that_replaces_another_does_not_count_twice():
    world = service(ResourceConflict.REPLACE, sessions=1)
    old = world.login("romeo@example.org/orchard")
    world.login("romeo@example.org/orchard")
    assert old.closed


@pytest.mark.parametrize("policy", ResourceConflict)
@pytest.mark.parametrize("resource", ["a" * 1024, "&#x378;", "&#10;"])
def test_rfc6120_7_7_2_1_a_resource_that_is_none_is_a_bad_request(policy: ResourceConflict, resource: str):
    new = authenticated(service(policy))
    answer = new.ask(BIND.format(resource))
    assert (answer.get("id"), condition(answer)) == ("b", "bad-request")


def test_rfc6120_7_7_2_2_rename_cannot_make_a_long_name_longer():
    world = service(ResourceConflict.RENAME)
    world.login(f"romeo@example.org/{'a' * 1020}")
    new = authenticated(world)
    assert condition(new.ask(BIND.format("a" * 1020))) == "bad-request"
    new.bind("b")


# Settled


def test_rfc6120_7_7_2_2_rename_gives_the_new_one_another_name():
    world = service(ResourceConflict.RENAME)
    old = world.online("romeo@example.org/orchard")
    new = world.login("romeo@example.org/orchard")
    assert new.jid.startswith("romeo@example.org/orchard")
    assert new.jid != "romeo@example.org/orchard"
    assert not old.closed


def test_rfc6120_7_6_1_without_a_name_the_server_makes_one():
    world = service(ResourceConflict.REFUSE)
    names = {world.login("romeo@example.org").jid for _ in range(3)}
    assert len(names) == 3


def test_rfc6120_7_7_2_2_replace_ends_the_old_stream():
    world = service(ResourceConflict.REPLACE)
    juliet = world.online("juliet@example.org/balcony")
    old, other = world.online("romeo@example.org/orchard"), world.online("romeo@example.org/other")
    juliet.received()
    old.received()
    new = world.login("ROMEO@example.org/orchard")
    assert [condition(e) for e in old.received() if e.name == "error"] == ["conflict"]
    assert old.closed
    assert juliet.told() == other.told() == ["unavailable romeo@example.org/orchard"]
    new.send("<presence/>")
    assert juliet.told() == other.told() == ["available romeo@example.org/orchard"]
    old.cut()  # the connection follows at last
    assert juliet.received() == []
    juliet.send(chat(1, "romeo@example.org/orchard"))
    assert "message 1 juliet@example.org/balcony" in new.told()


def test_rfc6120_7_7_2_2_the_new_one_inherits_nothing():
    world = service(ResourceConflict.REPLACE)
    juliet = world.online("juliet@example.org/balcony")
    old = world.online("romeo@example.org/orchard")
    old.send("<presence to='stranger@example.org'/>")
    new = world.login("romeo@example.org/orchard")
    juliet.send(chat(1, "romeo@example.org"))
    juliet.send("<presence to='romeo@example.org' type='unsubscribed'/>")
    assert new.received() == []
    new.send("<presence/>")
    assert new.bodies() == ["1"]


# While what the old one sent is still being handled


@pytest.mark.parametrize("how", [None, Client.leave, Client.cut], ids=["replaced", "left", "cut"])
def test_rfc6120_7_7_2_2_others_see_the_old_one_leave_before_the_new_one_comes(how):
    world = service(ResourceConflict.REPLACE)
    slow = Slow()
    world.declare(slow)
    juliet = world.online("juliet@example.org/balcony")
    old = world.online("romeo@example.org/orchard")
    old.send("<presence to='juliet@example.org/balcony'/>")
    juliet.received()
    old.send(WAIT)
    old.send(chat(1))
    old.send("<presence><show>away</show></presence>")
    old.send("<presence to='juliet@example.org/balcony'/>")
    old.send("<presence type='unavailable'/>")
    old.send(chat(2))
    if how is not None:
        how(old)
    new = world.online("romeo@example.org/orchard")
    assert juliet.told() == ["unavailable romeo@example.org/orchard", "available romeo@example.org/orchard"]
    slow.gate.is_open = True
    world.turn()
    assert juliet.told() == [f"message {n} romeo@example.org/orchard" for n in (1, 2)]
    new.leave()
    assert juliet.told() == ["unavailable romeo@example.org/orchard"]


def test_rfc6120_7_7_2_2_the_end_of_the_old_one_takes_nothing_from_the_new_one():
    """Neither its interest in the roster, nor what it was asked."""
    world = service(ResourceConflict.REPLACE)
    slow = Slow()
    world.declare(slow)
    juliet, old = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    old.send(chat("0#slow"))
    old.cut()
    juliet.send(chat(1, "romeo@example.org"))
    new = world.login("romeo@example.org/orchard")
    new.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
    (asked,) = (e for e in new.received() if e.get("type") == "get")
    slow.gate.is_open = True
    world.turn()
    new.send(f"<iq type='result' to='example.org' id='{asked.get('id')}'/>")
    new.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@example.org'/></query></iq>")
    assert new.told() == ["push a@example.org none", "iq result s"]
    new.cut()
    again = world.login("romeo@example.org/orchard")
    again.send("<presence/>")
    assert again.bodies() == []  # the message was confirmed
