"""RFC 6120 §7: binding a resource, over a whole stream."""

import pytest

from commonroom.protocol.errors import bad_request, conflict, not_allowed, resource_constraint
from commonroom.xml.names import NS_BIND, NS_CLIENT, NS_STANZA_ERRORS
from tests.conversations.world import condition
from tests.protocol.streams import Peer, bind, stream_error


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    peer.login()
    return peer


@pytest.mark.parametrize(
    ("error", "name", "kind"),
    [
        (resource_constraint(), "resource-constraint", "wait"),
        (not_allowed(), "not-allowed", "cancel"),
        (bad_request(), "bad-request", "modify"),
        (conflict(), "conflict", "cancel"),
    ],
)
def test_rfc6120_7_6_2_a_refusal_is_told_and_the_client_may_try_again(peer, error, name, kind):
    peer.refusals.append(error)
    (answer,) = peer.send(bind("balcony", id="first"))
    assert (answer.name, answer.get("type"), answer.get("id")) == ("iq", "error", "first")
    refusal = answer.child(NS_CLIENT, "error")
    assert refusal is not None
    assert refusal.get("type") == kind
    assert refusal.child(NS_STANZA_ERRORS, name) is not None
    (answer,) = peer.send(bind("chamber", id="second"))
    assert (answer.get("type"), answer.get("id")) == ("result", "second")


def test_rfc6120_7_7_3_after_ten_tries_the_stream_is_closed(peer):
    peer.refusals = [conflict() for _ in range(20)]
    for _ in range(9):
        assert [element.name for element in peer.send(bind("balcony"))] == ["iq"]
    elements = peer.send(bind("balcony"))
    assert [element.name for element in elements] == ["iq", "error"]
    assert stream_error(elements) == "policy-violation"
    assert len(peer.refusals) == 10


@pytest.mark.parametrize(
    "malformed",
    [
        f"<iq type='set'><bind xmlns='{NS_BIND}'/></iq>",
        f"<iq type='get' id='b1'><bind xmlns='{NS_BIND}'/></iq>",
        f"<iq id='b1'><bind xmlns='{NS_BIND}'/></iq>",
        f"<iq type='set' id='b1'><bind xmlns='{NS_BIND}'/><bind xmlns='{NS_BIND}'/></iq>",
    ],
)
def test_rfc6120_8_2_3_a_malformed_attempt_is_a_bad_request_and_uses_a_try_up(peer, malformed):
    for _ in range(9):
        (answer,) = peer.send(malformed)
        assert condition(answer) == "bad-request"
    assert stream_error(peer.send(malformed)) == "policy-violation"
    assert [question[0] for question in peer.asked] == ["password"]


@pytest.mark.parametrize("kind", ["result", "error"])
def test_rfc6120_8_3_1_an_attempt_that_looks_like_an_answer_is_not_answered(peer, kind):
    assert peer.send(f"<iq type='{kind}' id='b1'><bind xmlns='{NS_BIND}'/></iq>") == []
    assert not peer.closed


def test_rfc6120_7_6_1_without_a_resource_the_server_makes_one(peer):
    for wish in (None, ""):
        peer = Peer()
        peer.login()
        (answer,) = peer.send(bind(wish))
        assert peer.asked[-1] == ("bind", "juliet@example.com", None)
        assert answer.elements()[0].child_text(NS_BIND, "jid") == "juliet@example.com/made-here"


def test_rfc6120_7_7_1_the_client_is_told_its_full_address(peer):
    (answer,) = peer.send(bind("balcony", id="wy2xa82b4"))
    assert (answer.get("type"), answer.get("id")) == ("result", "wy2xa82b4")
    result = answer.only_child()
    assert result is not None
    assert (result.namespace, result.name) == (NS_BIND, "bind")
    assert result.child_text(NS_BIND, "jid") == "juliet@example.com/balcony"


def test_rfc6120_10_1_stanzas_that_come_while_binding_wait_and_stay_in_order():
    peer = Peer(patient=True)
    peer.open()
    peer.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABwZW5jaWw=</auth>")
    peer.answer()
    peer.received()
    peer.open()
    peer.send(
        bind("balcony") + "<presence id='1'/>", "<presence id='2'/>", "<presence id='3'/></stream:stream>"
    )
    assert peer.paused
    assert peer.received() == []
    peer.answer()
    assert not peer.paused
    assert [element.get("type") for element in peer.received()] == ["result"]
    assert peer.session is not None
    assert [stanza.id for stanza in peer.session.taken] == ["1", "2", "3"]
    assert peer.closed


def test_rfc6120_7_7_3_an_attempt_that_comes_while_another_waits_has_its_own_answer():
    peer = Peer(patient=True)
    peer.open()
    peer.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABwZW5jaWw=</auth>")
    peer.answer()
    peer.received()
    peer.open()
    peer.refusals.append(conflict())
    peer.send(bind("balcony", id="1") + bind("chamber", id="2"))
    peer.answer()
    (refused,) = peer.received()
    assert (refused.get("id"), condition(refused)) == ("1", "conflict")
    peer.answer()
    (bound,) = peer.received()
    assert (bound.get("id"), bound.get("type")) == ("2", "result")


def test_a_session_for_a_connection_that_is_gone_is_not_begun():
    peer = Peer(patient=True)
    peer.open()
    peer.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABwZW5jaWw=</auth>")
    peer.answer()
    peer.received()
    peer.open()
    peer.send(bind() + "<presence/>")
    peer.stream.lost()
    said = peer.text
    peer.answer()
    assert peer.text == said
    assert peer.session is not None
    assert peer.session.taken == []
