"""XEP-0045 §6, XEP-0433: how people find rooms."""

import pytest

from commonroom.config.schema import Contact
from commonroom.xml.element import Element
from tests.conversations.rooms import HALL, SERVICE, enter, make
from tests.conversations.world import Client, World, condition, with_options

INFO, ITEMS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"
SEARCH, RSM = "urn:xmpp:channel-search:0:search", "http://jabber.org/protocol/rsm"
PARAMS = "urn:xmpp:channel-search:0:search-params"


@pytest.fixture
def w() -> World:
    return World("alice@example.org", "bob@example.org")


@pytest.fixture
def alice(w: World) -> Client:
    return w.online("alice@example.org/a")


def ask(client: Client, namespace: str, to: str = SERVICE, inside: str = "", name: str = "query") -> Element:
    answer = client.ask(f"<iq type='get' id='q' to='{to}'><{name} xmlns='{namespace}'>{inside}</{name}></iq>")
    return answer if answer.get("type") == "error" else answer.elements()[0]


def page(most: int, after: str = "") -> str:
    place = f"<after>{after}</after>" if after else ""
    return f"<set xmlns='{RSM}'><max>{most}</max>{place}</set>"


def listed(query: Element) -> list[str]:
    return [item.get("jid") or item.get("address") or "" for item in query.elements() if item.name == "item"]


def search(client: Client, inside: str = "", **fields: str) -> Element:
    values = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    kind = f"<field var='FORM_TYPE'><value>{PARAMS}</value></field>"
    form = f"<x xmlns='jabber:x:data' type='submit'>{kind}{values}</x>"
    return ask(client, SEARCH, inside=inside + form, name="search")


def test_xep0045_6_2_the_service_says_what_it_is(alice: Client) -> None:
    query = ask(alice, INFO)
    (identity,) = [e.attributes for e in query.elements() if e.name == "identity"]
    assert (identity["category"], identity["type"]) == ("conference", "text")
    features = {e.get("var") for e in query.elements() if e.name == "feature"}
    assert {INFO, ITEMS, SEARCH, RSM, "http://jabber.org/protocol/muc"} <= features
    assert "http://jabber.org/protocol/muc#stable_id" in features  # XEP-0045 §7.4: "on both"


def test_xep0157_3_the_service_says_whom_to_turn_to() -> None:
    w = World("alice@example.org", settings=with_options(contact=Contact(admin=("mailto:a@example.org",))))
    query = ask(w.online("alice@example.org/a"), INFO)
    assert [e.name for e in query.elements()][-1] == "x"


def test_what_the_service_does_not_know_is_refused(alice: Client) -> None:
    assert condition(ask(alice, "jabber:iq:private")) == "service-unavailable"
    assert condition(ask(alice, SEARCH, name="nonsense")) == "feature-not-implemented"
    alice.send(f"<message to='{SERVICE}'><body>hello</body></message>")
    assert condition(alice.one()) == "service-unavailable"
    alice.send(f"<presence to='{SERVICE}'/>")
    assert alice.received() == []


def test_xep0199_4_2_the_service_answers_pings(alice: Client) -> None:
    alice.send(f"<iq type='get' id='p' to='{SERVICE}'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert alice.told() == ["iq result p"]


def test_xep0045_6_3_public_rooms_are_listed_and_no_others(alice: Client) -> None:
    make(alice, "A", f"two@{SERVICE}", publicroom="1", roomname="Number two")
    make(alice, "A", f"one@{SERVICE}", publicroom="1", persistentroom="0")
    make(alice, "A", f"secret@{SERVICE}", publicroom="0")
    enter(alice, "A", f"locked@{SERVICE}")
    query = ask(alice, ITEMS)
    assert listed(query) == [f"one@{SERVICE}", f"two@{SERVICE}"]
    assert query.elements()[1].get("name") == "Number two"
    assert query.child(RSM, "set") is None


def test_xep0059_2_2_long_lists_come_in_pages(alice: Client) -> None:
    for number in range(5):
        kept = str(number % 2)
        make(alice, "A", f"r{number}@{SERVICE}", publicroom="1", persistentroom=kept)
    first = ask(alice, ITEMS, inside=page(2))
    assert listed(first) == [f"r0@{SERVICE}", f"r1@{SERVICE}"]
    rsm = first.child(RSM, "set")
    assert rsm is not None
    assert (rsm.child_text(RSM, "count"), rsm.child_text(RSM, "last")) == ("5", f"r1@{SERVICE}")
    assert listed(ask(alice, ITEMS, inside=page(9, f"r1@{SERVICE}"))) == [
        f"r{n}@{SERVICE}" for n in (2, 3, 4)
    ]
    assert listed(ask(alice, ITEMS, inside=page(0))) == []
    assert condition(ask(alice, ITEMS, inside=page(2, "@@"))) == "item-not-found"


def test_xep0313_6_1_2_a_room_announces_its_archive(alice: Client) -> None:
    make(alice, "A", enablelogging="1")
    make(alice, "A", f"deaf@{SERVICE}", enablelogging="0")
    for room, has_archive in ((HALL, True), (f"deaf@{SERVICE}", False)):
        features = [e.get("var") for e in ask(alice, INFO, room).elements()]
        assert ("urn:xmpp:mam:2" in features) is has_archive


def test_a_room_that_is_not_there_is_not_described(alice: Client) -> None:
    assert condition(ask(alice, INFO, HALL)) == "item-not-found"


def test_xep0433_4_2_1_the_form_names_what_can_be_asked(alice: Client) -> None:
    form = ask(alice, SEARCH, name="search").elements()[0]
    assert {f.get("var") for f in form.elements()} >= {"q", "all", "sinname", "key", "types"}


def test_xep0433_4_2_2_wrong_searches_are_told_apart(alice: Client) -> None:
    nusers = "{urn:xmpp:channel-search:0:order}nusers"
    for fields, name, application in (
        ({"key": nusers, "q": "tea"}, "feature-not-implemented", "invalid-sort-key"),
        ({"q": "a"}, "bad-request", "invalid-search-terms"),
        ({"q": "tea", "all": "true"}, "bad-request", "conflicting-fields"),
        ({}, "bad-request", "no-search-conditions"),
    ):
        answer = search(alice, **fields)
        assert condition(answer) == name
        error = answer.child("jabber:client", "error")
        assert error is not None
        assert error.elements()[-1].name == application


def test_xep0433_4_2_2_1_rooms_are_found_by_their_words(alice: Client) -> None:
    make(alice, "A", f"maths@{SERVICE}", publicroom="1", roomname="Algebra", roomdesc="For 2nd-years")
    make(alice, "A", f"tea@{SERVICE}", publicroom="1", roomdesc="ALGEBRA and cake", membersonly="1")
    make(alice, "A", f"algebra@{SERVICE}", publicroom="0")
    assert listed(search(alice, q="algebra")) == [f"maths@{SERVICE}", f"tea@{SERVICE}"]
    assert listed(search(alice, q="algebra cake")) == [f"tea@{SERVICE}"]
    assert listed(search(alice, q="algebra", sindescription="false")) == [f"maths@{SERVICE}"]
    assert listed(search(alice, q="maths", sinaddress="0")) == []
    assert listed(search(alice, all="true")) == [f"maths@{SERVICE}", f"tea@{SERVICE}"]
    assert listed(search(alice, q="nothing")) == []
    assert listed(search(alice, q="algebra", types="xep-0369")) == []
    assert listed(search(alice, page(1), q="algebra")) == [f"maths@{SERVICE}"]
    assert listed(search(alice, page(1, f"maths@{SERVICE}"), q="algebra")) == [f"tea@{SERVICE}"]
    item = search(alice, q="tea").elements()[0]
    said = {e.name: e.text() for e in item.elements()}
    assert said == {
        "name": "tea",
        "description": "ALGEBRA and cake",
        "nusers": "1",
        "service-type": "xep-0045",
        "is-open": "false",
        "anonymity-mode": "muc_semianonymous",
    }
