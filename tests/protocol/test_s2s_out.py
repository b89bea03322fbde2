"""A server that we connect to: what we ask of it, and what we do with its answers."""

import base64

import pytest

from commonroom.protocol.dialback import DialbackKeys, Outcome, Pair, Verification, Verified
from tests.protocol.peers import (
    BIDI,
    CLEAR,
    CONTENT,
    DIALBACK,
    EXTERNAL,
    OURS,
    PAIR,
    STARTTLS,
    STRICT,
    THEIRS,
    Outgoing,
)

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SUCCESS = f"<success xmlns='{SASL}'/>"
FAILURE = f"<failure xmlns='{SASL}'><not-authorized/><text>who are you?</text></failure>"
MESSAGE = "<message from='juliet@example.net' to='romeo@example.org'><body>hi</body></message>"


def answer(kind: str, sender: str = THEIRS, to: str = OURS) -> str:
    return f"<db:result from='{sender}' to='{to}' type='{kind}'/>"


# TLS


def test_rfc6120_5_4_2_1_tls_is_started_when_it_is_offered():
    server = Outgoing(THEIRS, secure=False)
    assert [e.name for e in server.offer(STARTTLS, DIALBACK)] == ["starttls"]
    server.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert server.tls_started == 1
    assert server.bytes == ""
    server.stream.start()
    assert [e.name for e in server.offer(EXTERNAL)] == ["auth"]


@pytest.mark.parametrize("features", [(DIALBACK,), ()])
def test_rfc7590_3_4_a_server_without_tls_gets_nothing(features: tuple[str, ...]):
    server = Outgoing(secure=False)
    server.offer(*features)
    assert server.closed
    assert server.failures == ["it offers no encryption (STARTTLS)"]


def test_rfc6120_5_4_2_2_a_refusal_of_tls_is_the_end():
    server = Outgoing(secure=False)
    server.offer(STARTTLS)
    server.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert server.closed
    assert server.tls_started == 0


def test_without_tls_only_where_the_operator_allows_it():
    server = Outgoing(secure=False, terms=CLEAR)
    assert [e.name for e in server.offer(DIALBACK)] == ["result"]


def test_what_comes_before_the_proceed_is_not_taken_for_tls():
    server = Outgoing(THEIRS, secure=False)
    server.offer(STARTTLS)
    server.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><stream:features/>" + SUCCESS)
    assert server.up == []
    assert server.bytes == ""


# The peer's certificate


def test_rfc6120_13_7_2_1_a_server_that_is_somebody_else_gets_nothing():
    server = Outgoing("example.com")
    server.offer(EXTERNAL, DIALBACK)
    assert server.closed
    assert server.failures == ["its certificate is not accepted: it is for somebody else"]


def test_any_certificate_where_the_operator_is_content():
    assert [e.name for e in Outgoing(terms=CONTENT).offer(DIALBACK)] == ["result"]


def test_rfc6120_4_7_1_a_server_that_calls_itself_another_gets_nothing():
    server = Outgoing(THEIRS)
    server.offer(EXTERNAL, sender="example.com")
    assert server.closed
    assert "invalid-from" in server.failures[0]


# SASL EXTERNAL


def test_xep0178_3_our_certificate_with_our_domain():
    server = Outgoing(THEIRS)
    (auth,) = server.offer(EXTERNAL, DIALBACK)
    assert (auth.get("mechanism"), base64.b64decode(auth.text())) == ("EXTERNAL", OURS.encode())
    server.send(SUCCESS)
    assert server.up == []
    server.offer(DIALBACK)
    assert server.up == [PAIR]


def test_rfc6120_6_4_3_an_empty_challenge_is_answered():
    server = Outgoing(THEIRS)
    server.offer(EXTERNAL)
    server.send(f"<challenge xmlns='{SASL}'/>")
    assert server.one().text() == "="


def test_xep0178_3_dialback_follows_when_our_certificate_is_refused():
    server = Outgoing(THEIRS)
    server.offer(EXTERNAL, DIALBACK)
    server.send(FAILURE)
    assert server.one().name == "result"
    assert server.stream.external_failed == "not-authorized: who are you?"


@pytest.mark.parametrize("features", [(EXTERNAL,), (DIALBACK,)])
def test_no_dialback_where_the_operator_wants_certificates(features: tuple[str, ...]):
    server = Outgoing(THEIRS, terms=STRICT)
    server.offer(*features)
    server.send(FAILURE)
    assert server.closed
    assert "does not accept our certificate" in server.failures[0]


# Dialback


def test_xep0220_2_1_1_our_key_for_their_stream():
    server = Outgoing(THEIRS)
    (result,) = server.offer(DIALBACK, id="417GAF25")
    assert result.text() == DialbackKeys(b"our secret").make(PAIR, "417GAF25")
    assert (result.get("from"), result.get("to")) == (OURS, THEIRS)
    server.send(answer("valid"))
    assert server.up == [PAIR]


def test_xep0220_2_1_1_an_invalid_key_is_lasting():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(answer("invalid"))
    ((pair, reason, is_lasting),) = server.refusals
    assert (pair, is_lasting) == (PAIR, True)
    assert "invalid" in reason


def test_xep0220_2_1_1_an_error_is_no_end_of_the_stream():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(
        f"<db:result from='{THEIRS}' to='{OURS}' type='error'><error type='cancel'>"
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"
    )
    ((_, reason, is_lasting),) = server.refusals
    assert (is_lasting, "item-not-found" in reason, server.closed) == (False, True, False)


@pytest.mark.parametrize(
    ("sender", "to"), [("example.com", OURS), (THEIRS, "rooms.example.org"), ("rooms.example.net", OURS)]
)
def test_xep0220_3_1_results_that_were_not_asked_for_are_ignored(sender: str, to: str):
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(answer("valid", sender, to))
    assert server.up == []
    assert server.offences == ["it answers a dialback question that nobody asked"]


def test_xep0220_3_1_a_result_counts_once():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(answer("valid") + answer("valid") + answer("invalid"))
    assert server.up == [PAIR]
    assert server.refusals == []


def test_xep0220_2_6_1_another_domain_of_ours_over_the_same_stream():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(answer("valid"))
    also = Pair("rooms.example.org", THEIRS)
    assert server.stream.takes_more
    assert server.stream.authorize(also)
    assert server.one().get("from") == "rooms.example.org"
    server.send(answer("valid", to="rooms.example.org"))
    assert server.up == [PAIR, also]


def test_xep0220_2_6_2_not_without_errors_being_announced():
    server = Outgoing(THEIRS)
    server.offer("<dialback xmlns='urn:xmpp:features:dialback'/>")
    assert not server.stream.takes_more


# Verification of others' keys


REQUEST = Verification(Pair(THEIRS, OURS), "our-stream", "their key")


def test_xep0220_2_1_2_the_authoritative_server_is_asked_and_answers():
    server = Outgoing(THEIRS, verifications=(REQUEST,))
    (verify,) = server.offer(EXTERNAL, DIALBACK)
    assert verify.name == "verify"
    assert [verify.get(name) for name in ("from", "to", "id")] == [OURS, THEIRS, "our-stream"]
    server.send(f"<db:verify from='{THEIRS}' to='{OURS}' id='our-stream' type='valid'/>")
    assert server.answered == [(REQUEST, Verified(Outcome.VALID))]
    assert server.up == []


def test_xep0220_2_1_2_only_somebody_who_proves_to_be_it_is_asked():
    server = Outgoing("example.com", verifications=(REQUEST,))
    assert [e.name for e in server.offer(DIALBACK)] == []
    assert server.closed


@pytest.mark.parametrize(
    ("sender", "to", "id"),
    [("example.com", OURS, "our-stream"), (THEIRS, "rooms.example.org", "our-stream"), (THEIRS, OURS, "x")],
)
def test_xep0220_3_1_answers_to_other_questions_are_ignored(sender: str, to: str, id: str):
    server = Outgoing(THEIRS, verifications=(REQUEST,))
    server.offer(DIALBACK)
    server.send(f"<db:verify from='{sender}' to='{to}' id='{id}' type='valid'/>")
    assert server.answered == []
    assert server.offences == ["it answers a dialback question that nobody asked"]


# Stanzas that come


def test_rfc6120_8_1_2_2_a_stream_of_ours_brings_nothing():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(answer("valid") + MESSAGE)
    assert server.stanzas == []
    assert server.closed


def test_xep0288_2_2_unless_it_carries_both_directions():
    server = Outgoing(THEIRS)
    assert [e.name for e in server.offer(DIALBACK, BIDI)] == ["bidi", "result"]
    server.send(answer("valid") + MESSAGE)
    (message,) = server.stanzas
    assert message.sender == "juliet@example.net"


@pytest.mark.parametrize(
    "stanza",
    [
        MESSAGE.replace("example.net", "example.com"),
        MESSAGE.replace("example.net", OURS),
        MESSAGE.replace("romeo@example.org", "romeo@rooms.example.org"),
    ],
)
def test_xep0288_2_2_and_then_only_of_the_pairs_that_it_carries(stanza: str):
    server = Outgoing(THEIRS)
    server.offer(DIALBACK, BIDI)
    server.send(answer("valid") + stanza)
    assert server.stanzas == []
    assert server.closed


def test_xep0288_2_2_not_before_anything_was_proved():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK, BIDI)
    server.send(MESSAGE)
    assert server.stanzas == []
    assert server.closed


# Acknowledgements


def test_xep0198_3_they_are_asked_for_where_they_are_offered():
    server = Outgoing(THEIRS)
    server.offer(EXTERNAL)
    server.send(SUCCESS)
    assert [e.name for e in server.offer(DIALBACK, "<sm xmlns='urn:xmpp:sm:3'/>")] == ["enable"]
    assert server.management == ["managed"]
    server.send("<enabled xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/>")
    server.send("<failed xmlns='urn:xmpp:sm:3'/>")
    assert server.management == ["managed", "counts", "acknowledged 1", "unmanaged"]


# The end


def test_rfc6120_4_9_1_1_a_stream_error_is_told_in_its_own_words():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send(
        "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>not here</text></stream:error>"
    )
    assert server.failures == ["it ends the stream: host-unknown: not here"]


def test_a_stream_that_ends_too_early_has_failed():
    server = Outgoing(THEIRS)
    server.offer(DIALBACK)
    server.send("</stream:stream>")
    assert server.failures == ["it closed the stream"]


@pytest.mark.parametrize("text", ["<what/>", "<!-- c -->", "HTTP/1.1 400 Bad Request\r\n"])
def test_what_is_no_xmpp_is_the_end(text: str):
    server = Outgoing(THEIRS)
    server.send(text)
    assert server.closed
    assert server.failures
