"""XEP-0494: users see which clients have access, and take it away."""

from datetime import UTC, datetime, timedelta

import pytest

from commonroom.features.client_access import NS_CLIENT_ACCESS, reference
from commonroom.protocol.jid import JID
from commonroom.storage.records import Device
from commonroom.xml.element import Element
from tests.conversations.returning import OTHER, WANTS, by_password, by_token
from tests.conversations.world import Client, World, condition
from tests.protocol.sasl2 import CLIENT

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


# The examples of §3, byte for byte


def client_of(here: World, id: str, *, password: bool) -> str:
    """A client that was here once; gives what it is called."""
    seen = datetime(2023, 3, 27, 15, 16, 9, tzinfo=UTC)
    device = Device(id, "REST client", "", seen, seen + timedelta(minutes=21, seconds=15), password)
    here.stores.devices.put(JID.parse(JULIET), device)
    return reference(device)


def test_xep0494_3_1_the_example_of_a_list():
    here = World(JULIET)
    rest = client_of(here, OTHER, password=False)
    login = by_password(here, JULIET)
    login.client.send("<iq id='5468616e6b73' type='get'><list xmlns='urn:xmpp:cam:0'/></iq>")
    mine = reference(Device(CLIENT, "", "", here.now(), here.now(), True))
    moment = "2026-03-01T12:00:00.000000Z"
    assert login.client.bytes == (
        f"<iq type='result' to='{login.jid}' id='5468616e6b73'>"
        "<clients xmlns='urn:xmpp:cam:0'>"
        f"<client connected='true' id='{mine}' type='session'><first-seen>{moment}</first-seen>"
        f"<last-seen>{moment}</last-seen><auth><password/></auth><permission status='unrestricted'/>"
        "<user-agent><software>Nightingale</software><device>Balcony</device></user-agent></client>"
        f"<client connected='false' id='{rest}' type='session'>"
        "<first-seen>2023-03-27T15:16:09.000000Z</first-seen>"
        "<last-seen>2023-03-27T15:37:24.000000Z</last-seen><auth/>"
        "<permission status='unrestricted'/><user-agent><software>REST client</software></user-agent>"
        "</client></clients></iq>"
    )


def test_xep0494_3_2_the_example_of_a_revocation():
    here = World(JULIET)
    rest = client_of(here, OTHER, password=False)
    login = by_password(here, JULIET)
    login.client.send(f"<iq id='4e4c6e6574' type='set'><revoke xmlns='urn:xmpp:cam:0' id='{rest}'/></iq>")
    assert login.client.bytes == f"<iq type='result' to='{login.jid}' id='4e4c6e6574'/>"


def test_xep0494_3_2_the_example_of_a_client_that_knows_the_password():
    here = World(JULIET)
    rest = client_of(here, OTHER, password=True)
    login = by_password(here, JULIET)
    login.client.send(f"<iq id='4e4c6e6574' type='set'><revoke xmlns='urn:xmpp:cam:0' id='{rest}'/></iq>")
    said = login.client.bytes
    assert said.startswith(
        f"<iq type='error' to='{login.jid}' id='4e4c6e6574'><error type='cancel'>"
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    ), said
    assert said.endswith("<password-reset-required xmlns='urn:xmpp:cam:0'/></error></iq>")
