"""XEP-0199: XMPP Ping, XEP-0092: Software Version, XEP-0202: Entity Time, RFC 3921 §3: what clients ask."""

import re

import pytest

from commonroom import __version__
from tests.conversations.world import Client, World, condition

TO = pytest.mark.parametrize("to", ["", " to='romeo@example.org'", " to='example.org'"])


@pytest.fixture
def romeo() -> Client:
    return World("romeo@example.org").login("romeo@example.org/orchard")


@TO
def test_xep0199_4_2_a_ping_is_answered(romeo: Client, to: str):
    answer = romeo.ask(f"<iq type='get' id='p'{to}><ping xmlns='urn:xmpp:ping'/></iq>")
    assert (answer.get("type"), answer.get("id"), answer.children) == ("result", "p", [])


def test_xep0199_4_4_a_ping_to_a_client_is_the_clients(romeo: Client):
    romeo.send("<iq type='get' id='p' to='romeo@example.org/orchard'><ping xmlns='urn:xmpp:ping'/></iq>")
    ping = romeo.one()
    assert (ping.get("type"), ping.get("from")) == ("get", "romeo@example.org/orchard")


@TO
def test_xep0092_4_the_server_tells_its_name_and_version_but_not_its_system(romeo: Client, to: str):
    query = romeo.ask(f"<iq type='get' id='v'{to}><query xmlns='jabber:iq:version'/></iq>").elements()[0]
    assert {e.name: e.text() for e in query.elements()} == {"name": "Common Room", "version": __version__}


@TO
def test_xep0202_2_the_server_tells_its_time(romeo: Client, to: str):
    romeo.world.advance(3.9)
    time = romeo.ask(f"<iq type='get' id='t'{to}><time xmlns='urn:xmpp:time'/></iq>").elements()[0]
    assert time.child_text("urn:xmpp:time", "utc") == "2026-03-01T12:00:03Z"
    assert re.fullmatch(r"[+-]\d\d:\d\d", time.child_text("urn:xmpp:time", "tzo") or "")


@TO
def test_rfc3921_3_a_session_can_be_established_and_need_not(romeo: Client, to: str):
    request = f"<iq type='set' id='s'{to}><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
    answer = romeo.ask(request)
    assert (answer.get("type"), answer.get("id"), answer.children) == ("result", "s", [])
    assert condition(romeo.ask(request.replace("'set'", "'get'"))) == "feature-not-implemented"


def test_rfc3921_3_the_stream_announces_it_as_optional():
    client = World("romeo@example.org").connect()
    client.open("example.org")
    client.authenticate("romeo", "secret")
    (features,) = client.open("example.org")
    session = features.child("urn:ietf:params:xml:ns:xmpp-session", "session")
    assert session is not None
    assert [e.name for e in session.elements()] == ["optional"]
