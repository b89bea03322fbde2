"""XEP-0077: In-Band Registration, closed: what a client is told that logged in."""

import pytest

from commonroom.config.schema import Registration
from tests.conversations.world import Client, World, condition, with_options

TO = pytest.mark.parametrize("to", ["", " to='romeo@example.org'", " to='example.org'"])
PAGE = "https://www.example.org/password?a=1&b=2"


@pytest.fixture
def romeo() -> Client:
    registration = Registration(instructions="Ask <us>.", password_page=PAGE)
    world = World("romeo@example.org", settings=with_options(registration=registration))
    return world.login("romeo@example.org/orchard")


def register(kind: str, content: str, to: str) -> str:
    return f"<iq type='{kind}' id='r'{to}><query xmlns='jabber:iq:register'>{content}</query></iq>"


@TO
@pytest.mark.parametrize(
    "content",
    [
        "",
        "<remove/>",
        "<username>romeo</username><password>new</password>",
        "<username>juliet</username><password>new</password>",
        "<username>romeo</username><password/>",
        "<x xmlns='jabber:x:data' type='submit'/>",
    ],
)
def test_xep0077_3_2_nothing_can_be_changed(romeo: Client, content: str, to: str):
    answer = romeo.ask(register("set", content, to))
    assert (answer.get("id"), condition(answer)) == ("r", "not-allowed")
    error = answer.child("jabber:client", "error")
    assert error is not None
    assert PAGE in (error.child_text("urn:ietf:params:xml:ns:xmpp-stanzas", "text") or "")
    assert romeo.world.login("romeo@example.org/again").jid  # the password is still the same


@TO
def test_xep0077_3_1_the_account_is_registered_and_is_told_where_to_go(romeo: Client, to: str):
    query = romeo.ask(register("get", "", to)).elements()[0]
    assert [(e.namespace, e.name) for e in query.elements()] == [
        ("jabber:iq:register", "registered"),
        ("jabber:iq:register", "username"),
        ("jabber:iq:register", "instructions"),
        ("jabber:x:oob", "x"),
    ]
    assert query.child_text("jabber:iq:register", "username") == "romeo"
    assert query.child_text("jabber:iq:register", "instructions") == "Ask <us>."
    assert query.elements()[3].child_text("jabber:x:oob", "url") == PAGE


def test_xep0077_5_without_a_page_there_is_no_link():
    romeo = World("romeo@example.org").login("romeo@example.org/orchard")
    query = romeo.ask(register("get", "", "")).elements()[0]
    assert [e.name for e in query.elements()] == ["registered", "username", "instructions"]
    assert condition(romeo.ask(register("set", "", ""))) == "not-allowed"
