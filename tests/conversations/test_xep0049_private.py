"""XEP-0049: Private XML Storage."""

from dataclasses import replace

import pytest

from commonroom.config.schema import PrivateStorage
from tests.conversations.world import Client, World, condition, with_options


def private(kind: str, content: str = "", to: str = "") -> str:
    inside = f"<query xmlns='jabber:iq:private'>{content}</query>"
    return f"<iq type='{kind}' id='p'{to and f' to={to!r}'}>{inside}</iq>"


PREFERENCES = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def romeo(world: World) -> Client:
    return world.login("romeo@example.org/orchard")


@pytest.mark.parametrize("content", ["", "text", "<x xmlns=''/>", "<x/>", f"{PREFERENCES}<x xmlns=''/>"])
def test_xep0049_2_3_what_has_no_namespace_of_its_own_is_not_acceptable(romeo: Client, content: str):
    assert condition(romeo.ask(private("set", content))) == "not-acceptable"


@pytest.mark.parametrize("content", ["", "text", f"{PREFERENCES}<x xmlns='urn:x'/>"])
def test_xep0049_2_3_a_get_names_one_element(romeo: Client, content: str):
    assert condition(romeo.ask(private("get", content))) == "bad-request"


@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("to", ["juliet@example.org", "nobody@example.org", "example.org"])
def test_xep0049_2_3_nobody_gets_at_what_is_anothers(world: World, romeo: Client, kind: str, to: str):
    juliet = world.login("juliet@example.org/balcony")
    juliet.ask(private("set", "<exodus xmlns='exodus:prefs'>hers</exodus>"))
    assert condition(romeo.ask(private(kind, PREFERENCES, to))) == "service-unavailable"
    stored = juliet.ask(private("get", "<exodus xmlns='exodus:prefs'/>"))
    assert stored.elements()[0].elements()[0].text() == "hers"


def test_xep0049_2_3_what_was_never_stored_is_empty(romeo: Client):
    answer = romeo.ask(private("get", "<exodus xmlns='exodus:prefs'/>"))
    (element,) = answer.elements()[0].elements()
    assert (element.namespace, element.name, element.children) == ("exodus:prefs", "exodus", [])


def test_xep0049_2_3_what_is_stored_comes_back_as_it_was(world: World, romeo: Client):
    content = (
        "<exodus xmlns='exodus:prefs' a='&apos;&lt;' xml:lang='it' xmlns:b='urn:b' b:c='1'>"
        " <x xmlns=''>&amp;\r\n</x><query xmlns='jabber:iq:private'/><y xmlns='jabber:client'/></exodus>"
    )
    answer = romeo.ask(private("set", content))
    assert (answer.get("type"), answer.children) == ("result", [])
    first = romeo.ask(private("get", "<exodus xmlns='exodus:prefs'/>")).elements()[0].elements()[0]
    assert first.attributes == {"a": "'<", "xml:lang": "it", "{urn:b}c": "1"}
    assert [(e.namespace, e.name, e.text()) for e in first.elements()] == [
        ("", "x", "&\n"),
        ("jabber:iq:private", "query", ""),
        ("jabber:client", "y", ""),
    ]
    world.restart()
    romeo = world.login("romeo@example.org/elsewhere")
    again = romeo.ask(private("get", "<exodus xmlns='exodus:prefs'/>")).elements()[0].elements()[0]
    assert again == first


def test_xep0049_2_3_elements_are_kept_apart_by_namespace_and_name(romeo: Client):
    romeo.ask(private("set", "<a xmlns='urn:1'>1a</a><b xmlns='urn:1'>1b</b><a xmlns='urn:2'>2a</a>"))
    romeo.ask(private("set", "<b xmlns='urn:1'>new</b>"))
    found = [
        romeo.ask(private("get", f"<{name} xmlns='{namespace}'/>")).elements()[0].elements()[0].text()
        for name, namespace in (("a", "urn:1"), ("b", "urn:1"), ("a", "urn:2"), ("b", "urn:2"))
    ]
    assert found == ["1a", "new", "2a", ""]


def test_xep0049_2_3_the_own_bare_address_is_the_account(romeo: Client):
    romeo.ask(private("set", PREFERENCES, "romeo@example.org"))
    answer = romeo.ask(private("get", "<exodus xmlns='exodus:prefs'/>", "romeo@example.org"))
    assert "Hamlet" in str(answer)


def test_xep0049_2_1_so_much_and_no_more():
    """What is replaced makes room; what does not fit changes nothing."""
    options = with_options(private_storage=replace(PrivateStorage(), bytes=1000))
    romeo = World("romeo@example.org", settings=options).login("romeo@example.org/orchard")
    for number in range(3):
        answer = romeo.ask(private("set", f"<a xmlns='urn:1'>{'ä' * 400}{number}</a>"))
        assert answer.get("type") == "result"
    for content in (
        f"<b xmlns='urn:1'>{'ä' * 100}</b>",
        f"<a xmlns='urn:1'>{'ä' * 500}</a><b xmlns='urn:1'/>",
    ):
        assert condition(romeo.ask(private("set", content))) == "resource-constraint"
    assert "ää2" in str(romeo.ask(private("get", "<a xmlns='urn:1'/>")))
    assert romeo.ask(private("set", "<a xmlns='urn:1'/>")).get("type") == "result"
    assert romeo.ask(private("set", f"<b xmlns='urn:1'>{'ä' * 100}</b>")).get("type") == "result"
