"""XEP-0356: what a component is told that it may do, and what becomes of what it does."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from tests.conversations.components import (
    ComponentWorld,
    Connected,
    admitted,
    component,
    privileges,
    with_components,
)
from tests.conversations.test_xep0356_privileges import (
    DOMAIN,
    INSIDE,
    MESSAGE,
    ROSTER_GET,
    ROSTER_SET,
    inner,
    privileged_iq,
    refused,
    world,
)
from tests.conversations.world import Client, condition, words

# What it is told


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (privileges(), []),
        (privileges("get"), ["<perm access='roster' type='get' push='true'/>"]),
        (privileges("set"), ["<perm access='roster' type='set' push='false'/>"]),
        (privileges("both", push=False), ["<perm access='roster' type='both' push='false'/>"]),
        (privileges(presence="managed_entity"), ["<perm access='presence' type='managed_entity'/>"]),
        (privileges(pubsub="none"), []),
    ],
)
def test_xep0356_4_2_it_is_told_what_it_may_do_and_no_more(allowed: object, expected: list[str]):
    connected = Connected(world(allowed), DOMAIN)
    _, *told = connected.received()
    assert [
        "".join(
            repr(perm).replace(" xmlns='urn:xmpp:privilege:2'", "") for perm in m.elements()[0].elements()
        )
        for m in told
    ] == (expected)


def test_xep0356_4_2_each_domain_tells_it():
    here = ComponentWorld(
        settings=with_components(
            ("capulet.lit", "montague.lit"),
            pubsub_capulet_lit=component(privileges("get"), ("montague.lit", "capulet.lit")),
        )
    )
    _, *told = Connected(here, DOMAIN).received()
    assert [message.get("from") for message in told] == ["capulet.lit", "montague.lit"]


# Rosters


def test_xep0356_4_3_it_manages_a_roster_of_somebody_who_is_not_here():
    here = world()
    connected = admitted(here, DOMAIN)
    answer = connected.ask(ROSTER_GET.format(to="juliet@capulet.lit"))
    assert (answer.get("type"), answer.get("from"), answer.get("id")) == (
        "result",
        "juliet@capulet.lit",
        "r1",
    )
    connected.send(ROSTER_SET.format(to="juliet@capulet.lit"))
    push, result = connected.received()
    assert words(push) == "push nurse@example.com none"
    assert (result.get("type"), result.get("from"), result.get("id")) == (
        "result",
        "juliet@capulet.lit",
        "r2",
    )
    again = connected.ask(ROSTER_GET.format(to="juliet@capulet.lit"))
    assert "nurse@example.com" in repr(again)


def test_xep0356_4_3_clients_of_the_account_are_told():
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    admitted(here, DOMAIN).send(ROSTER_SET.format(to="juliet@capulet.lit"))
    assert juliet.told() == ["push nurse@example.com none"]


def test_rfc6121_2_6_3_a_known_version_gets_the_whole_roster_all_the_same():
    here = world()
    connected = admitted(here, DOMAIN)
    connected.send(ROSTER_SET.format(to="juliet@capulet.lit"))
    query = connected.ask(ROSTER_GET.format(to="juliet@capulet.lit")).elements()[0]
    stanza = ROSTER_GET.replace("<query ", f"<query ver='{query.get('ver')}' ")
    assert connected.ask(stanza.format(to="juliet@capulet.lit")).elements() == [query]


def test_rfc6121_2_3_3_it_is_bound_by_the_same_rules():
    connected = admitted(world(), DOMAIN)
    stanza = ROSTER_SET.replace("nurse@example.com", "juliet@capulet.lit").format(to="juliet@capulet.lit")
    assert refused(connected, stanza) == "not-allowed"


@pytest.mark.parametrize(
    ("allowed", "pushed"),
    [
        (privileges("get"), 1),
        (privileges("both"), 1),
        (privileges("set"), 0),
        (privileges("both", push=False), 0),
        (privileges(message=True), 0),
    ],
)
def test_xep0356_4_4_pushes_are_sent_if_they_are_wanted_and_allowed(allowed: object, pushed: int):
    here = world(allowed)
    connected = admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>"
    )
    pushes = connected.received()
    assert len(pushes) == pushed
    for push in pushes:
        assert (push.get("from"), push.get("to")) == ("juliet@capulet.lit", DOMAIN)
        connected.send(f"<iq type='result' id='{push.get('id')}' from='{DOMAIN}' to='juliet@capulet.lit'/>")
    assert connected.received() == []
    juliet.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>"
        "<item jid='nurse@example.com' subscription='remove'/></query></iq>"
    )
    assert [words(push) for push in connected.received()] == ["push nurse@example.com remove"] * pushed


def test_xep0356_4_4_no_pushes_of_another_domain():
    here = world()
    connected = admitted(here, DOMAIN)
    romeo = here.online("romeo@montague.lit/orchard")
    romeo.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>"
    )
    assert connected.received() == []


# Messages


def wrapped(here: ComponentWorld, sender: str, to: str) -> Connected:
    connected = admitted(here, DOMAIN)
    connected.send(MESSAGE.format(server="capulet.lit", inside=INSIDE.format(sender=sender, to=to)))
    return connected


def test_xep0356_5_3_a_message_is_sent_as_if_by_the_account():
    here = world()
    romeo = here.online("romeo@montague.lit/orchard")
    connected = wrapped(here, "juliet@capulet.lit", "romeo@montague.lit/orchard")
    assert romeo.told() == ["message Wrapped juliet@capulet.lit"]
    assert connected.received() == []


def test_xep0356_5_3_a_message_is_sent_as_if_by_the_server():
    here = world()
    romeo = here.online("romeo@montague.lit/orchard")
    wrapped(here, "capulet.lit", "romeo@montague.lit")
    assert romeo.told() == ["message Wrapped capulet.lit"]


def test_xep0280_8_the_accounts_clients_get_copies():
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    wrapped(here, "juliet@capulet.lit", "romeo@montague.lit")
    copy = juliet.one().elements()[0]
    assert (copy.name, copy.namespace) == ("sent", "urn:xmpp:carbons:2")


def test_xep0313_6_1_1_both_archives_keep_it_and_it_waits_for_who_is_not_there():
    here = world()
    wrapped(here, "juliet@capulet.lit", "romeo@montague.lit")
    for account in ("juliet@capulet.lit", "romeo@montague.lit"):
        (kept,) = here.memory.archive.kept[JID.parse(account)]
        assert "Wrapped" in kept.xml
    romeo = here.online("romeo@montague.lit/orchard")
    assert here.memory.archive.kept[JID.parse("juliet@capulet.lit")][0].outgoing
    assert romeo.handler is not None


def test_messages_wait_for_the_disk_in_order():
    here = world()
    romeo = here.online("romeo@montague.lit/orchard")
    here.online("juliet@capulet.lit/balcony")
    connected = admitted(here, DOMAIN)
    here.memory.writes.hold()
    for number in range(3):
        inside = INSIDE.format(sender="juliet@capulet.lit", to="romeo@montague.lit")
        connected.send(MESSAGE.format(server="capulet.lit", inside=inside.replace("Wrapped", str(number))))
    assert romeo.bodies() == []
    here.memory.writes.release()
    here.turn()
    assert romeo.bodies() == ["0", "1", "2"]


# Requests


def test_xep0356_6_3_the_answer_comes_back_wrapped_also_if_it_is_an_error():
    here = world()
    connected = admitted(here, DOMAIN)
    answer = connected.ask(privileged_iq(inner("nobody@montague.lit")))
    assert (answer.get("type"), answer.get("from"), answer.get("id")) == (
        "result",
        "juliet@capulet.lit",
        "priv_iq_1",
    )
    privilege = answer.elements()[0]
    (forwarded,) = privilege.elements()
    (iq,) = forwarded.elements()
    assert (privilege.name, forwarded.name, iq.namespace) == ("privilege", "forwarded", NS_CLIENT)
    assert (iq.get("type"), iq.get("id"), condition(iq)) == ("error", "sub_1", "service-unavailable")


@pytest.mark.parametrize("to", [None, "juliet@capulet.lit"])
def test_xep0356_6_3_it_may_ask_the_account_itself(to: str | None):
    here = world()
    connected = admitted(here, DOMAIN)
    put = "<query xmlns='jabber:iq:private'><a xmlns='urn:example'>kept</a></query>"
    stored = connected.ask(privileged_iq(inner(to, payload=put)))
    assert inside(stored).get("type") == "result"
    get = "<query xmlns='jabber:iq:private'><a xmlns='urn:example'/></query>"
    found = connected.ask(privileged_iq(inner(to, "get", payload=get), kind="get"))
    assert "kept" in repr(inside(found))
    juliet = here.login("juliet@capulet.lit/balcony")
    assert "kept" in repr(juliet.ask(f"<iq type='get' id='g'>{get}</iq>"))


def inside(answer: Element) -> Element:
    (iq,) = answer.elements()[0].elements()[0].elements()
    return iq


def asked(here: ComponentWorld) -> tuple[Connected, Client]:
    """Somebody who has yet to answer."""
    here.befriend("juliet@capulet.lit", "romeo@montague.lit")
    romeo = here.online("romeo@montague.lit/orchard")
    connected = admitted(here, DOMAIN)
    connected.send(privileged_iq(inner("romeo@montague.lit/orchard")))
    iq = romeo.one()
    assert (iq.get("from"), iq.get("id")) == ("juliet@capulet.lit", "sub_1")
    return connected, romeo


def test_only_who_was_asked_can_answer():
    here = world()
    connected, romeo = asked(here)
    for other in ("nurse@capulet.lit/kitchen", "romeo@montague.lit/elsewhere"):
        here.online(other).send("<iq type='result' to='juliet@capulet.lit' id='sub_1'/>")
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send("<iq type='result' to='juliet@capulet.lit' id='sub_1'/>")
    connected.received()  # presence
    romeo.send("<iq type='result' to='juliet@capulet.lit' id='other'/>")
    assert connected.received() == []
    romeo.send("<iq type='result' to='juliet@capulet.lit' id='sub_1'/>")
    assert inside(connected.one()).get("from") == "romeo@montague.lit/orchard"
    romeo.send("<iq type='result' to='juliet@capulet.lit' id='sub_1'/>")
    assert connected.received() == []


def test_two_requests_of_one_id_to_one_entity_are_a_conflict():
    here = world()
    connected, _ = asked(here)
    assert refused(connected, privileged_iq(inner("romeo@montague.lit/orchard"))) == "conflict"


def test_who_does_not_answer_in_time():
    here = world()
    connected, _ = asked(here)
    here.advance(61)
    answer = connected.one()
    assert (answer.get("id"), condition(answer)) == ("priv_iq_1", "remote-server-timeout")


def test_so_many_requests_may_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commonroom.features.privileged_entity.WAITING", 1)
    here = world()
    connected, romeo = asked(here)
    second = privileged_iq(inner("romeo@montague.lit/orchard").replace("sub_1", "sub_2"))
    assert refused(connected, second) == "resource-constraint"
    romeo.send("<iq type='result' to='juliet@capulet.lit' id='sub_1'/>")
    connected.received()
    connected.send(second)
    assert romeo.one().get("id") == "sub_2"
