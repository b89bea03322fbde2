"""XEP-0030: Service Discovery, with XEP-0115 and XEP-0157: what the server and accounts say of themselves."""

import base64
import hashlib
from dataclasses import replace

import pytest

from commonroom.config.schema import Contact
from commonroom.xml.element import Element
from tests.conversations.world import Client, World, condition, with_options

NS_INFO = "http://jabber.org/protocol/disco#info"
NS_ITEMS = "http://jabber.org/protocol/disco#items"
NS_DATA = "jabber:x:data"


def disco(kind: str = "info", to: str = "", node: str = "") -> str:
    inside = f"<query xmlns='http://jabber.org/protocol/disco#{kind}'{node and f' node={node!r}'}/>"
    return f"<iq type='get' id='d'{to and f' to={to!r}'}>{inside}</iq>"


def features(query: Element) -> list[str | None]:
    return [e.get("var") for e in query.elements() if (e.namespace, e.name) == (NS_INFO, "feature")]


def identities(query: Element) -> list[dict[str, str]]:
    return [e.attributes for e in query.elements() if (e.namespace, e.name) == (NS_INFO, "identity")]


@pytest.fixture
def world() -> World:
    world = World("romeo@example.org", "juliet@example.org", "nurse@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


# §7, §8: errors


@pytest.mark.parametrize("kind", ["info", "items"])
def test_xep0030_8_a_stranger_learns_nothing_of_an_account(world: World, kind: str):
    nurse = world.login("nurse@example.org/x")
    for to in ("juliet@example.org", "nobody@example.org"):
        assert condition(nurse.ask(disco(kind, to))) == "service-unavailable"


@pytest.mark.parametrize("kind", ["info", "items"])
@pytest.mark.parametrize("to", ["", "romeo@example.org", "juliet@example.org", "example.org"])
def test_xep0030_7_an_unknown_node_is_not_found(romeo: Client, to: str, kind: str):
    assert condition(romeo.ask(disco(kind, to, "unknown"))) == "item-not-found"


def test_xep0030_3_1_nothing_can_be_set(romeo: Client):
    answer = romeo.ask(disco(to="example.org").replace("'get'", "'set'"))
    assert condition(answer) == "feature-not-implemented"


# §3: who and what


def test_xep0030_3_1_the_server_is_one(romeo: Client):
    query = romeo.ask(disco(to="example.org")).elements()[0]
    assert identities(query) == [{"category": "server", "type": "im", "name": "Common Room"}]
    assert features(query) == sorted({str(var) for var in features(query)})
    assert set(features(query)) >= {
        NS_INFO,
        NS_ITEMS,
        "http://jabber.org/protocol/caps",  # XEP-0115 §7
        "jabber:iq:last",  # XEP-0012 §6
        "jabber:iq:version",
        "msgoffline",  # XEP-0160 §4
        "urn:xmpp:ping",
        "urn:xmpp:time",  # XEP-0202 §4
    }


@pytest.mark.parametrize("to", ["", "romeo@example.org", "juliet@example.org"])
def test_xep0030_3_1_an_account_is_registered(romeo: Client, to: str):
    query = romeo.ask(disco(to=to)).elements()[0]
    assert identities(query) == [{"category": "account", "type": "registered"}]
    assert {NS_INFO, NS_ITEMS, "jabber:iq:last"} <= set(features(query))
    assert len(set(features(query))) == len(features(query))


def test_xep0030_4_1_the_services_beside_the_server_are_its_items(romeo: Client):
    query = romeo.ask(disco("items", "example.org")).elements()[0]
    assert [item.attributes for item in query.elements()] == [{"jid": "group.example.org"}]


@pytest.mark.parametrize("to", ["", "romeo@example.org", "juliet@example.org"])
def test_xep0030_4_1_there_are_no_items(romeo: Client, to: str):
    query = romeo.ask(disco("items", to)).elements()[0]
    assert (query.namespace, query.name, query.children) == (NS_ITEMS, "query", [])


def test_xep0030_3_1_a_resource_answers_for_itself(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    romeo.received()
    romeo.send(disco(to="juliet@example.org/balcony", node="http://psi-im.org#q07"))
    request = juliet.one()
    assert request.elements()[0].get("node") == "http://psi-im.org#q07"


# XEP-0115: the server's capabilities


def stream_caps(world: World) -> Element:
    client = world.connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    (announced,) = client.open("example.org")
    caps = announced.child("http://jabber.org/protocol/caps", "c")
    assert caps is not None
    return caps


def expected_ver(query: Element) -> str:
    """XEP-0115 §5.1, for one identity and at most one form."""
    (identity,) = identities(query)
    parts = [f"{identity['category']}/{identity['type']}//{identity['name']}"]
    parts += sorted(str(var) for var in features(query))
    for form in (e for e in query.elements() if e.namespace == NS_DATA):
        fields = {e.get("var"): [v.text() for v in e.elements()] for e in form.elements()}
        parts += fields.pop("FORM_TYPE")
        for var in sorted(map(str, fields)):
            parts += [var, *sorted(fields[var])]
    text = "".join(f"{part}<" for part in parts)
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


@pytest.mark.parametrize(
    "contact", [Contact(), Contact(admin=("mailto:b@x.org", "mailto:a@x.org"), abuse=("xmpp:c@x.org",))]
)
def test_xep0115_6_3_the_stream_announces_what_disco_says(contact: Contact):
    world = World("romeo@example.org", settings=with_options(contact=contact))
    caps = stream_caps(world)
    romeo = world.online("romeo@example.org/orchard")
    query = romeo.ask(disco(to="example.org")).elements()[0]
    assert caps.get("hash") == "sha-1"
    assert caps.get("ver") == expected_ver(query)
    node = f"{caps.get('node')}#{caps.get('ver')}"
    same = romeo.ask(disco(to="example.org", node=node)).elements()[0]
    assert same.get("node") == node  # XEP-0030 §3.2: mirrored
    assert same.children == query.children


# XEP-0157, XEP-0128


def test_xep0157_3_without_addresses_there_is_no_form(romeo: Client):
    query = romeo.ask(disco(to="example.org")).elements()[0]
    assert query.child(NS_DATA, "x") is None


def test_xep0157_3_anybody_learns_whom_to_turn_to():
    contact = replace(
        Contact(), abuse=("mailto:abuse@example.org", "xmpp:abuse@example.org"), admin=("x:a&b",)
    )
    world = World("romeo@example.org", settings=with_options(contact=contact))
    query = world.online("romeo@example.org/orchard").ask(disco(to="example.org")).elements()[0]
    form = query.child(NS_DATA, "x")
    assert form is not None
    assert form.get("type") == "result"
    fields = {e.get("var"): (e.get("type"), [v.text() for v in e.elements()]) for e in form.elements()}
    assert fields["FORM_TYPE"] == ("hidden", ["http://jabber.org/network/serverinfo"])
    assert {var: values for var, (_, values) in fields.items() if var != "FORM_TYPE"} == {
        "abuse-addresses": ["mailto:abuse@example.org", "xmpp:abuse@example.org"],
        "admin-addresses": ["x:a&b"],
    }
