"""RFC 6120 §7: resources, as a whole service binds them."""

import re

import pytest

from commonroom.config.c2s import C2s, ResourceConflict
from commonroom.core.sessions import CHANGED
from commonroom.protocol.jid import JID
from tests.conversations.world import HEADER, Client, World, condition, with_options

JULIET = JID.parse("juliet@example.org")
JID_PATTERN = re.compile(r"juliet@example\.org/[0-9a-f]{24}")


def bind(resource: str | None) -> str:
    inside = "" if resource is None else f"<resource>{resource}</resource>"
    return f"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inside}</bind></iq>"


def logged_in(world: World) -> Client:
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    client.open("example.org")
    return client


def conflicting(policy: ResourceConflict) -> tuple[Client, Client]:
    """Two clients of an account; the first has bound `balcony`, the second is about to."""
    world = World("juliet@example.org", settings=with_options(c2s=C2s(resource_conflict=policy)))
    return world.online("juliet@example.org/balcony"), logged_in(world)


@pytest.mark.parametrize("resource", ["a&#10;b", "x" * 1024, "&#x200d;"])
def test_rfc6120_7_7_2_1_a_resource_that_cannot_be_one_is_a_bad_request(resource):
    client = logged_in(World("juliet@example.org"))
    client.send(bind(resource))
    assert condition(client.one()) == "bad-request"
    client.bind("balcony")
    assert client.jid == "juliet@example.org/balcony"


def test_rfc6120_7_6_2_1_an_account_has_only_so_many_resources():
    world = World("juliet@example.org", settings=with_options(c2s=C2s(sessions_per_account=2)))
    first, _ = world.online("juliet@example.org/one"), world.online("juliet@example.org/two")
    client = logged_in(world)
    client.send(bind("three"))
    assert condition(client.one()) == "resource-constraint"
    first.leave()
    client.bind("three")
    assert client.jid == "juliet@example.org/three"


def test_rfc6120_7_6_2_2_an_account_that_is_gone_cannot_be_bound():
    world = World("juliet@example.org")
    client = logged_in(world)
    world.stores.accounts.remove(JULIET)
    world.core.users.outdate(JULIET, world.memory.revision, CHANGED)
    client.send(bind("balcony"))
    assert condition(client.one()) == "not-allowed"


def test_a_session_does_not_begin_with_a_password_that_was_changed_since():
    world = World("juliet@example.org")
    client = logged_in(world)
    world.add("juliet@example.org")  # another revision
    world.core.users.outdate(JULIET, world.memory.revision, CHANGED)
    client.send(bind("balcony"))
    assert condition(client.one()) == "not-allowed"
    assert world.login("juliet@example.org/balcony").jid == "juliet@example.org/balcony"


def test_a_login_after_a_change_that_nobody_has_noticed_yet_ends_the_sessions_from_before():
    world = World("juliet@example.org")
    old = world.online("juliet@example.org/chamber")
    world.add("juliet@example.org")
    new = logged_in(world)
    assert not old.closed
    new.bind("balcony")
    assert condition(old.received()[-1]) == "not-authorized"
    world.core.users.outdate(JULIET, world.memory.revision, CHANGED)  # when it is noticed
    assert not new.closed


def test_rfc6121_2_1_4_what_another_session_changes_meanwhile_is_in_the_roster():
    world = World("juliet@example.org")
    other = world.online("juliet@example.org/chamber")
    client = logged_in(world)
    other.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.org'/></query></iq>"
    )
    client.bind("balcony")
    result = client.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    assert "nurse@example.org" in str(result)


def test_rfc6120_7_7_2_2_policy_2_the_new_client_is_refused_and_may_choose_another():
    old, new = conflicting(ResourceConflict.REFUSE)
    new.send(bind("balcony"))
    assert condition(new.one()) == "conflict"
    assert not old.closed
    new.bind("chamber")
    assert new.jid == "juliet@example.org/chamber"


def test_rfc6120_7_7_2_2_policy_1_the_new_client_gets_a_name_that_is_free():
    old, new = conflicting(ResourceConflict.RENAME)
    new.bind("balcony")
    assert re.fullmatch(r"juliet@example\.org/balcony [0-9a-f]{24}", new.jid)
    assert not old.closed


def test_rfc6120_7_7_2_2_policy_3_the_old_client_is_ended():
    old, new = conflicting(ResourceConflict.REPLACE)
    new.bind("balcony")
    assert new.jid == "juliet@example.org/balcony"
    assert condition(old.received()[-1]) == "conflict"
    assert old.closed


def test_rfc6120_7_7_2_2_another_account_may_have_the_same_resource():
    world = World("juliet@example.org", "romeo@example.org")
    juliet, romeo = world.online("juliet@example.org/home"), world.online("romeo@example.org/home")
    assert not juliet.closed
    assert not romeo.closed


def test_rfc6120_7_7_3_after_ten_refusals_the_stream_is_closed():
    _, new = conflicting(ResourceConflict.REFUSE)
    new.send(bind("balcony") * 12)
    assert [condition(element) for element in new.received()] == ["conflict"] * 10 + ["policy-violation"]
    assert new.closed


def test_rfc6120_7_1_a_connection_has_one_resource():
    world = World("juliet@example.org")
    client = world.login("juliet@example.org/balcony")
    answer = client.ask(bind("chamber"))
    assert answer.get("type") == "error"
    user = world.core.users.find(JID.parse("juliet@example.org"))
    assert user is not None
    assert list(user.sessions) == ["balcony"]


def test_rfc6120_7_3_2_after_binding_the_stream_is_not_restarted():
    client = World("juliet@example.org").login("juliet@example.org/balcony")
    client.send(HEADER.format(domain="example.org"))
    assert condition(client.received()[-1]) == "not-well-formed"


def test_rfc6120_7_6_the_servers_resources_are_random_and_differ():
    world = World("juliet@example.org")
    clients = [logged_in(world) for _ in range(3)]
    for client in clients:
        client.bind(None)
        assert JID_PATTERN.fullmatch(client.jid)
    assert len({client.jid for client in clients}) == 3


def test_rfc6120_7_7_1_the_clients_resource_is_taken_as_it_is():
    client = logged_in(World("juliet@example.org"))
    client.bind("Balcony \u2665")
    assert client.jid == "juliet@example.org/Balcony \u2665"


def test_rfc3921_3_a_session_may_still_be_asked_for():
    client = World("juliet@example.org").login("juliet@example.org/balcony")
    session = "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
    assert client.ask(session).get("type") == "result"
    assert client.ask(session.replace("<iq ", "<iq to='example.org' ")).get("type") == "result"
