"""XEP-0494: users see which clients have access, and take it away."""

import pytest

from commonroom.features.client_access import NS_CLIENT_ACCESS
from commonroom.xml.element import Element
from tests.conversations.returning import OTHER, WANTS, by_password, by_token
from tests.conversations.world import Client, World, condition

JULIET, ROMEO = "juliet@example.org", "romeo@example.org"
BIND = "<bind xmlns='urn:xmpp:bind:0'/>"


def listed(client: Client) -> list[Element]:
    answer = client.ask(f"<iq type='get' id='l'><list xmlns='{NS_CLIENT_ACCESS}'/></iq>")
    clients = answer.only_child()
    assert clients is not None, answer
    return clients.elements()


def revoke(client: Client, id: str | None) -> Element:
    return client.ask(f"<iq type='set' id='r'><revoke xmlns='{NS_CLIENT_ACCESS}' id='{id}'/></iq>")


@pytest.mark.parametrize("to", [JULIET, "example.org", f"{JULIET}/balcony"])
def test_xep0494_5_nobody_else_sees_or_revokes_anything(to):
    here = World(JULIET, ROMEO)
    by_password(here, JULIET)
    romeo = here.online(f"{ROMEO}/orchard")
    for request in ("get' id='1'><list", "set' id='2'><revoke id='x'"):
        romeo.send(f"<iq to='{to}' type='{request} xmlns='{NS_CLIENT_ACCESS}'/></iq>")
        assert condition(romeo.one()) == "service-unavailable"


@pytest.mark.parametrize("id", ["", "x", OTHER])
def test_a_client_that_is_not_there_cannot_be_revoked(id):
    here = World(JULIET)
    login = by_password(here, JULIET)
    assert condition(revoke(login.client, id)) == "item-not-found"


def test_xep0494_3_1_the_list_has_what_clients_said():
    here = World(JULIET, ROMEO)
    by_password(here, ROMEO)
    gone = by_password(here, JULIET, id=OTHER)
    gone.client.leave()
    here.seconds += 5
    login = by_password(here, JULIET, WANTS + BIND)
    now, before = listed(login.client)
    assert (now.get("connected"), before.get("connected")) == ("true", "false")
    assert now.get("type") == "session"
    texts = {element.name: element for element in now.elements()}
    assert texts["first-seen"].text() == texts["last-seen"].text() == "2026-03-01T12:00:05.000000Z"
    assert [element.name for element in texts["auth"].elements()] == ["password", "fast"]
    assert texts["permission"].get("status") == "unrestricted"
    agent = [(element.name, element.text()) for element in texts["user-agent"].elements()]
    assert agent == [("software", "Nightingale"), ("device", "Balcony")]
    assert [e.name for e in before.elements()[2].elements()] == ["password"]


def test_xep0494_3_2_who_is_revoked_is_cut_off_and_needs_the_password():
    here = World(JULIET)
    login = by_password(here, JULIET, WANTS + BIND, id=OTHER)
    token, mine = login.token, by_password(here, JULIET)
    theirs = next(
        client.get("id") for client in listed(mine.client) if len(client.elements()[2].elements()) == 2
    )
    answer = revoke(mine.client, theirs)
    assert condition(answer) == "service-unavailable"
    error = answer.child("jabber:client", "error")
    assert error is not None
    assert error.child(NS_CLIENT_ACCESS, "password-reset-required") is not None
    assert login.client.closed
    assert not mine.client.closed
    assert by_token(here, JULIET, token, id=OTHER).outcome == "not-authorized"


def test_ids_of_clients_are_not_shown_to_others():
    here = World(JULIET)
    by_password(here, JULIET, id=OTHER)
    mine = by_password(here, JULIET)
    assert OTHER not in {client.get("id") for client in listed(mine.client)}
