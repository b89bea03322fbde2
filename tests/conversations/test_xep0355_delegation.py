"""XEP-0355: a component answers the requests of the namespaces that the operator delegates to it."""

from dataclasses import replace

import pytest

from commonroom.config.schema import Contact
from commonroom.xml.element import Element
from tests.conversations.components import (
    PUBSUB,
    ComponentWorld,
    Connected,
    admitted,
    component,
    privileges,
    with_components,
)
from tests.conversations.world import condition

DOMAIN = "pubsub.capulet.lit"
NS = "urn:xmpp:delegation:2"
REQUEST = "<iq type='set' id='pep1'{to}><pubsub xmlns='http://jabber.org/protocol/pubsub'{more}/></iq>"
REPLY = (
    "<iq from='{sender}' to='{to}' id='{id}' type='{kind}'><delegation xmlns='urn:xmpp:delegation:2'>"
    "<forwarded xmlns='urn:xmpp:forward:0'>{inside}</forwarded></delegation></iq>"
)
INSIDE = "<iq xmlns='jabber:client'{attributes}><pubsub xmlns='http://jabber.org/protocol/pubsub'/></iq>"
RIGHT = {"to": "juliet@capulet.lit/balcony", "id": "pep1", "type": "result"}


def world(**delegations: tuple[str, ...]) -> ComponentWorld:
    names = delegations or {"pubsub": ()}
    return in_world(pubsub_capulet_lit=component(**names))


def in_world(**components: object) -> ComponentWorld:
    settings = with_components(("capulet.lit", "montague.lit"), **components)  # type: ignore[arg-type]
    return ComponentWorld("juliet@capulet.lit", "nurse@capulet.lit", "romeo@montague.lit", settings=settings)


def manager(here: ComponentWorld, domain: str = DOMAIN) -> Connected:
    """It is connected, and has been asked what it can do."""
    connected = admitted(here, domain)
    connected.received()
    return connected


def wrapped(delegated: Element) -> Element:
    assert (delegated.name, delegated.get("type"), delegated.get("from")) == ("iq", "set", "capulet.lit")
    (delegation,) = delegated.elements()
    (forwarded,) = delegation.elements()
    (iq,) = forwarded.elements()
    assert (delegation.namespace, forwarded.namespace) == (NS, "urn:xmpp:forward:0")
    return iq


def reply(delegated: Element, kind: str = "result", inside: str | None = None, **attributes: str) -> str:
    """What the component answers; None leaves an attribute out."""
    if inside is None:
        written = "".join(f" {k}='{v}'" for k, v in (RIGHT | attributes).items() if v)
        inside = INSIDE.format(attributes=written)
    addresses = {"sender": DOMAIN, "to": "capulet.lit", "id": delegated.get("id")}
    return REPLY.format(kind=kind, inside=inside, **addresses)


# What goes wrong: the account hears of service-unavailable


def asked(here: ComponentWorld) -> tuple[Connected, Element, "object"]:
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(REQUEST.format(to="", more=""))
    return connected, connected.one(), juliet


@pytest.mark.parametrize(
    "attributes",
    [
        {"to": ""},
        {"to": "juliet@capulet.lit"},
        {"to": "nurse@capulet.lit/kitchen"},
        {"id": ""},
        {"id": "pep2"},
        {"type": "error"},
        {"type": "set"},
        {"type": ""},
        {"from": "nurse@capulet.lit"},
        {"from": "pubsub.capulet.lit"},
        {"from": "montague.lit"},
    ],
)
def test_xep0355_4_3_an_answer_with_wrong_attributes_is_not_passed_on(
    attributes: dict[str, str], caplog: pytest.LogCaptureFixture
):
    here = world()
    connected, delegated, juliet = asked(here)
    connected.send(reply(delegated, **attributes))
    answer = juliet.one()  # type: ignore[attr-defined]
    assert (answer.get("id"), condition(answer)) == ("pep1", "service-unavailable")
    assert "a component did not answer for its namespace" in caplog.messages


@pytest.mark.parametrize(
    "inside", ["", "<message xmlns='jabber:client'/>", "<iq xmlns='urn:example' type='result' id='pep1'/>"]
)
def test_xep0355_4_3_an_answer_that_wraps_no_iq_is_not_passed_on(inside: str):
    connected, delegated, juliet = asked(world())
    connected.send(reply(delegated, inside=inside))
    assert condition(juliet.one()) == "service-unavailable"  # type: ignore[attr-defined]


def test_xep0355_4_3_an_empty_answer_is_not_passed_on():
    connected, delegated, juliet = asked(world())
    connected.send(f"<iq from='{DOMAIN}' to='capulet.lit' id='{delegated.get('id')}' type='result'/>")
    assert condition(juliet.one()) == "service-unavailable"  # type: ignore[attr-defined]


def test_xep0355_4_3_note_1_a_component_that_is_not_there():
    juliet = world().online("juliet@capulet.lit/balcony")
    assert condition(juliet.ask(REQUEST.format(to="", more=""))) == "service-unavailable"


def test_xep0355_4_3_note_1_a_component_that_does_not_answer():
    here = world()
    _, _, juliet = asked(here)
    here.advance(61)
    assert condition(juliet.one()) == "service-unavailable"  # type: ignore[attr-defined]


def test_xep0355_4_3_note_2_an_error_of_any_kind():
    connected, delegated, juliet = asked(world())
    connected.send(
        f"<iq from='{DOMAIN}' to='capulet.lit' id='{delegated.get('id')}' type='error'><error type='auth'>"
        "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
    assert condition(juliet.one()) == "service-unavailable"  # type: ignore[attr-defined]


@pytest.mark.parametrize("sender", ["other.capulet.lit", "somebody@pubsub.capulet.lit"])
def test_xep0355_4_3_only_the_managing_entity_can_answer(sender: str):
    here = in_world(pubsub_capulet_lit=component(pubsub=()), other_capulet_lit=component())
    connected, delegated, juliet = asked(here)
    other = admitted(here, "other.capulet.lit")
    by = other if sender.startswith("other") else connected
    by.send(reply(delegated).replace(f"from='{DOMAIN}'", f"from='{sender}'"))
    assert juliet.received() == []  # type: ignore[attr-defined]
    connected.send(reply(delegated))
    assert juliet.one().get("type") == "result"  # type: ignore[attr-defined]


def test_xep0355_4_3_it_answers_once():
    connected, delegated, juliet = asked(world())
    connected.send(reply(delegated) * 2)
    assert juliet.one().get("type") == "result"  # type: ignore[attr-defined]


def test_xep0355_8_the_namespace_of_delegation_is_forbidden():
    here = in_world(pubsub_capulet_lit=component(pubsub=()))
    connected = manager(here)
    question = (
        f"<iq from='{DOMAIN}' to='capulet.lit' type='get' id='d'><query xmlns='{NS}' to='juliet@capulet.lit'>"
        "<delegate namespace='{}'/></query></iq>"
    )
    assert condition(connected.ask(question.format(NS))) == "forbidden"
    assert (
        condition(connected.ask(question.format(PUBSUB))) == "feature-not-implemented"
    )  # §9: no client mode


# What is delegated, and what is not


@pytest.mark.parametrize(
    "to", ["", " to='capulet.lit'", " to='juliet@capulet.lit'", " to='nurse@capulet.lit'"]
)
def test_xep0355_4_3_requests_to_the_server_and_to_bare_addresses_are(to: str):
    here = world()
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(REQUEST.format(to=to, more=""))
    iq = wrapped(connected.one())
    assert (iq.get("from"), iq.get("to") or "") == ("juliet@capulet.lit/balcony", to[5:-1])
    assert juliet.received() == []


@pytest.mark.parametrize(
    "to", ["juliet@capulet.lit/other", "romeo@montague.lit", "nobody@capulet.lit", "montague.lit"]
)
def test_xep0355_4_3_other_requests_are_not(to: str):
    here = world()
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    assert condition(juliet.ask(REQUEST.format(to=f" to='{to}'", more=""))) == "service-unavailable"
    assert connected.received() == []


def test_xep0355_4_3_results_and_other_namespaces_are_not():
    here = world()
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(REQUEST.format(to="", more="").replace("'set'", "'result'"))
    assert juliet.ask("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").get("type") == "result"
    assert connected.received() == []


def test_xep0355_4_3_requests_from_other_servers_are():
    here = world()
    connected = manager(here)
    romeo = here.online("romeo@montague.lit/orchard")
    romeo.send(REQUEST.format(to=" to='juliet@capulet.lit'", more=""))
    delegated = connected.one()
    connected.send(reply(delegated, to="romeo@montague.lit/orchard", **{"from": "juliet@capulet.lit"}))
    answer = romeo.one()
    assert (answer.get("from"), answer.get("type")) == ("juliet@capulet.lit", "result")


def test_xep0355_4_3_note_3_what_lacks_the_attributes_is_handled_as_ever():
    here = world(jabber_iq_private=("node", "more"))
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    ask = "<iq type='get' id='q'><query xmlns='jabber:iq:private'{}><a xmlns='urn:x'/></query></iq>"
    assert juliet.ask(ask.format("")).get("type") == "result"
    assert juliet.ask(ask.format(" node='1'")).get("type") == "result"
    assert connected.received() == []
    juliet.send(ask.format(" node='1' more=''"))
    assert wrapped(connected.one()).get("id") == "q"


def test_xep0355_9_what_follows_is_not_held_up():
    here = world()
    connected, delegated, juliet = asked(here)
    pong = juliet.ask("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")  # type: ignore[attr-defined]
    assert pong.get("id") == "p"
    connected.send(reply(delegated))
    assert juliet.one().get("id") == "pep1"  # type: ignore[attr-defined]


def test_xep0355_4_3_1_what_the_managing_entity_sends_is_not_forwarded():
    here = in_world(
        filter_capulet_lit=component(privileges("both", jabber_iq_roster="both"), jabber_iq_roster=())
    )
    connected = manager(here, "filter.capulet.lit")
    answer = connected.ask(
        "<iq to='juliet@capulet.lit' from='filter.capulet.lit' id='r' type='get'>"
        "<query xmlns='jabber:iq:roster'/></iq>"
    )
    assert answer.get("type") == "result"
    wrapping = (
        "<iq from='filter.capulet.lit' to='juliet@capulet.lit' type='get' id='p'>"
        "<privileged_iq xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' type='get' id='i'>"
        "<query xmlns='jabber:iq:roster'/></iq></privileged_iq></iq>"
    )
    assert "subscription" in repr(connected.ask(wrapping)) or "ver=" in repr(connected.ask(wrapping))


def test_xep0355_4_3_1_clients_get_pushes_whoever_answered_for_their_roster():
    here = in_world(filter_capulet_lit=component(privileges("both", push=False), jabber_iq_roster=()))
    connected = manager(here, "filter.capulet.lit")
    juliet = here.login("juliet@capulet.lit/balcony")
    juliet.send("<iq type='get' id='pep1'><query xmlns='jabber:iq:roster'/></iq>")
    connected.send(reply(connected.one()).replace(f"from='{DOMAIN}'", "from='filter.capulet.lit'"))
    assert juliet.one().get("type") == "result"
    connected.send(
        "<iq to='juliet@capulet.lit' from='filter.capulet.lit' id='r' type='set'><query "
        "xmlns='jabber:iq:roster'><item jid='romeo@montague.lit'/></query></iq>"
    )
    assert juliet.told() == ["push romeo@montague.lit none"]


def test_a_component_that_comes_back_is_told_and_asked_again():
    here = world()
    first = Connected(here, DOMAIN)
    assert [e.name for e in first.received()] == ["handshake", "message", "iq", "iq"]
    second = Connected(here, DOMAIN)
    assert [e.name for e in second.received()] == ["handshake", "message"]
    first.die()
    assert [e.name for e in second.received()] == ["iq", "iq"]


# Who is told, and what is announced


def features(info: Element) -> set[str | None]:
    (query,) = info.elements()
    return {e.get("var") for e in query.elements() if e.name == "feature"}


INFO = "<iq type='get' id='i'{}><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"


def test_xep0355_7_1_it_is_announced_where_something_is_delegated():
    juliet = world().online("juliet@capulet.lit/balcony")
    assert NS in features(juliet.ask(INFO.format(" to='capulet.lit'")))
    juliet = in_world(pubsub_capulet_lit=component()).online("juliet@capulet.lit/balcony")
    assert NS not in features(juliet.ask(INFO.format(" to='capulet.lit'")))


def answered(connected: Connected) -> None:
    """What it can do for the server, and for accounts."""
    for question in connected.received()[2:]:
        node = question.elements()[0].get("node") or ""
        kind = "bare" if ":bare:" in node else "server"
        connected.send(
            f"<iq type='result' id='{question.get('id')}' from='{DOMAIN}' to='capulet.lit'>"
            f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'>"
            f"<identity category='pubsub' type='{kind}'/><feature var='{PUBSUB}#{kind}'/>"
            f"<feature var='urn:xmpp:ping'/><x xmlns='jabber:x:data' type='result'>"
            f"<field var='FORM_TYPE' type='hidden'><value>{kind}</value></field></x></query></iq>"
        )


@pytest.mark.parametrize(
    ("to", "kind"), [(" to='capulet.lit'", "server"), ("", "bare"), (" to='juliet@capulet.lit'", "bare")]
)
def test_xep0355_7_2_what_it_can_do_is_announced_while_it_is_there(to: str, kind: str):
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    before = juliet.ask(INFO.format(to))
    connected = Connected(here, DOMAIN)
    answered(connected)
    info = juliet.ask(INFO.format(to))
    assert features(info) == features(before) | {f"{PUBSUB}#{kind}", "urn:xmpp:ping"}
    assert f"<identity category='pubsub' type='{kind}'/>" in repr(info)
    assert f"<value>{kind}</value>" in repr(info)
    connected.die()
    assert juliet.ask(INFO.format(to)) == before


def test_xep0355_7_2_1_the_servers_own_features_of_the_namespace_are_not_announced():
    juliet = world(urn_xmpp_mam_2=()).online("juliet@capulet.lit/balcony")
    announced = features(juliet.ask(INFO.format("")))
    assert not any(str(each).startswith("urn:xmpp:mam:2") for each in announced)
    usual = in_world(pubsub_capulet_lit=component()).online("juliet@capulet.lit/balcony")
    assert "urn:xmpp:mam:2#extended" in features(usual.ask(INFO.format("")))


def test_xep0355_7_2_3_nor_are_its_forms():
    about = "http://jabber.org/network/serverinfo"
    shown = []
    for namespace in (about, PUBSUB):
        settings = with_components(pubsub_capulet_lit=component(**{namespace: ()}))
        settings = replace(settings, contact=Contact(abuse=("mailto:abuse@capulet.lit",)))
        here = ComponentWorld("juliet@capulet.lit", settings=settings)
        juliet = here.online("juliet@capulet.lit/balcony")
        shown.append(about in repr(juliet.ask(INFO.format(" to='capulet.lit'"))))
    assert shown == [False, True]


def test_xep0115_6_3_no_capabilities_are_announced_where_components_have_a_part_in_them():
    here = world()
    client = here.connect()
    client.open("capulet.lit")
    client.authenticate("juliet", "secret")
    (told,) = client.open("capulet.lit")
    assert all(each.name != "c" for each in told.elements())


NODE = "<iq type='get' id='i' to='{}'><query xmlns='http://jabber.org/protocol/disco#{}' node='n'/></iq>"


@pytest.mark.parametrize("kind", ["info", "items"])
def test_xep0355_7_2_4_nodes_of_accounts_that_the_server_does_not_know(kind: str):
    name = f"urn:xmpp:delegation:2:bare:disco#{kind}:*"
    here = in_world(pubsub_capulet_lit=component(**{name.replace(":", "_"): ()}))
    connected = manager(here)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(NODE.format("juliet@capulet.lit", kind))
    assert wrapped(connected.one()).get("to") == "juliet@capulet.lit"
    assert condition(juliet.ask(NODE.format("capulet.lit", kind))) == "item-not-found"
    assert connected.received() == []


def test_xep0030_8_nodes_of_accounts_are_for_those_who_see_their_presence():
    name = "urn:xmpp:delegation:2:bare:disco#info:*".replace(":", "_")
    here = in_world(pubsub_capulet_lit=component(**{name: ()}))
    connected = manager(here)
    romeo = here.online("romeo@montague.lit/orchard")
    for account in ("juliet@capulet.lit", "nobody@capulet.lit"):
        assert condition(romeo.ask(NODE.format(account, "info"))) == "service-unavailable"
    assert connected.received() == []


def test_xep0355_7_2_5_items_of_accounts_without_a_node_are_its_too():
    name = "urn:xmpp:delegation:2:bare:disco#items:*".replace(":", "_")
    here = in_world(pubsub_capulet_lit=component(**{name: ()}))
    connected = manager(here)
    here.online("juliet@capulet.lit/balcony").send(
        NODE.format("juliet@capulet.lit", "items").replace(" node='n'", "")
    )
    assert wrapped(connected.one()).get("id") == "i"
