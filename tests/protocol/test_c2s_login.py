"""RFC 6120 §6: logging in, over a whole stream."""

from base64 import b64decode

import pytest

from commonroom.protocol.sasl import SaslCondition
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL, NS_STANZA_ERRORS
from tests.protocol.sasl.peer import BINDINGS, SCRAM_MECHANISMS, attributes, client_final
from tests.protocol.streams import Peer, auth, bind, failure, header, plain, response, stream_error

ABORT = f"<abort xmlns='{NS_SASL}'/>"
PLUS = tuple(name for name in SCRAM_MECHANISMS if name.endswith("-PLUS"))
FIRST = b"n,,n=juliet,r=abcdef"


def challenge_of(elements: list[Element]) -> str:
    (challenge,) = elements
    assert challenge.name == "challenge"
    return b64decode(challenge.text()).decode()


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    peer.open()
    return peer


# Who is not let in


def test_rfc6120_6_4_5_after_so_many_failures_the_stream_is_closed(peer):
    assert failure(peer.send(plain(password="wrong"))) == "not-authorized"
    assert failure(peer.send(plain(password="wrong"))) == "not-authorized"
    elements = peer.send(plain(password="wrong"), plain())
    assert [element.name for element in elements] == ["failure", "error"]
    assert stream_error(elements) == "policy-violation"
    assert peer.text.endswith("</stream:stream>")
    assert len(peer.asked) == 3


def test_rfc6120_6_4_5_a_client_may_try_again_and_succeed(peer):
    assert failure(peer.send(plain(password="wrong"))) == "not-authorized"
    assert peer.scram("SCRAM-SHA-256", password="wrong").elements()[0].name == "not-authorized"
    assert peer.scram("SCRAM-SHA-256").name == "success"


def test_rfc6120_6_4_4_aborting_is_answered_and_uses_a_try_up(peer):
    peer.send(auth("SCRAM-SHA-1", FIRST))
    assert failure(peer.send(ABORT)) == "aborted"
    assert failure(peer.send(ABORT)) == "aborted"
    assert stream_error(peer.send(ABORT)) == "policy-violation"


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (auth("CRAM-MD5"), "invalid-mechanism"),
        (f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>?</auth>", "incorrect-encoding"),
        (auth("PLAIN", b"juliet"), "malformed-request"),
        (auth("SCRAM-SHA-1", b"juliet"), "malformed-request"),
        (auth("SCRAM-SHA-1-PLUS", FIRST), "malformed-request"),
        (auth("SCRAM-SHA-1", b"y,,n=juliet,r=abc"), "not-authorized"),  # somebody hid what was offered
        (auth("SCRAM-SHA-1-PLUS", b"p=tls-unique,,n=juliet,r=abc"), "not-authorized"),
        (plain(authzid="romeo@example.com"), "invalid-authzid"),
        (plain(authzid="juliet@example.com/balcony"), "invalid-authzid"),
        (auth("SCRAM-SHA-1", b"n,a=romeo@example.com,n=juliet,r=abc"), "invalid-authzid"),
        (response(b"data"), "malformed-request"),
    ],
)
def test_rfc6120_6_5_each_failure_leaves_the_stream_open(peer, sent, condition):
    assert failure(peer.send(sent)) == condition
    assert peer.asked == []
    assert not peer.closed
    assert peer.scram("SCRAM-SHA-1").name == "success"


def test_rfc6120_6_5_11_what_cannot_be_looked_up_now_is_a_temporary_failure(peer):
    peer.check_password = lambda account, password, answer: answer(SaslCondition.TEMPORARY_AUTH_FAILURE)
    assert failure(peer.send(plain())) == "temporary-auth-failure"
    assert peer.scram("SCRAM-SHA-1").name == "success"


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_a_wrong_password_is_refused_by_every_mechanism(peer, mechanism):
    assert failure([peer.scram(mechanism, password="wrong")]) == "not-authorized"
    assert peer.events == [("failed", "juliet@example.com", "not-authorized", mechanism)]


@pytest.mark.parametrize("mechanism", PLUS)
@pytest.mark.parametrize("data", [b"of another connection", b"", BINDINGS["tls-server-end-point"]()])
def test_rfc5802_6_another_channel_is_refused(peer, mechanism, data):
    assert failure([peer.scram(mechanism, binding=data)]) == "not-authorized"


def test_rfc9266_4_1_a_binding_may_serve_for_another_try_but_no_message_fits_two(peer):
    first = b"p=tls-exporter,,n=juliet,r=abcdef"
    binding = b"p=tls-exporter,," + BINDINGS["tls-exporter"]()
    server_first = challenge_of(peer.send(auth("SCRAM-SHA-256-PLUS", first)))
    final = client_final(first, server_first, binding=binding)
    assert failure(peer.send(ABORT)) == "aborted"
    challenge_of(peer.send(auth("SCRAM-SHA-256-PLUS", first)))
    assert failure(peer.send(response(final))) == "not-authorized"  # right a moment ago
    assert peer.scram("SCRAM-SHA-256-PLUS").name == "success"


def test_rfc9266_4_1_after_a_success_there_is_no_other_login(peer):
    assert peer.scram("SCRAM-SHA-256-PLUS").name == "success"
    peer.open()
    assert (
        stream_error(peer.send(auth("SCRAM-SHA-256-PLUS", b"p=tls-exporter,,n=juliet,r=abcdef")))
        == "not-authorized"
    )


# §6.5.10: nobody learns which accounts exist


def transcript(user: str, password: str, mechanism: str, **settings: object) -> tuple[str, list[str]]:
    """What the server says to an attempt, and what it asks its host."""
    peer = Peer(**settings)  # type: ignore[arg-type]
    peer.open()
    peer.new_text()
    if mechanism == "PLAIN":
        peer.send(plain(user, password))
    else:
        peer.scram(mechanism, user, password)
    return peer.text, [question[0] for question in peer.asked]


@pytest.mark.parametrize("user", ["nobody", "no one", "a@b", "a/b", "\u2665"])
def test_rfc6120_6_5_10_for_plain_an_unknown_account_is_a_wrong_password(user):
    assert transcript(user, "pencil", "PLAIN") == transcript("juliet", "wrong", "PLAIN")


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_rfc6120_6_5_10_for_scram_an_unknown_account_differs_in_the_salt_alone(mechanism):
    unknown, asked = transcript("nobody", "pencil", mechanism)
    known, also_asked = transcript("juliet", "wrong", mechanism)
    assert asked == also_asked == ["keys"]
    assert len(unknown) == len(known)
    without_challenge = [
        text.split("<challenge")[0] + text.split("</challenge>")[1] for text in (unknown, known)
    ]
    assert without_challenge[0] == without_challenge[1]


def test_rfc6120_6_5_10_an_unknown_account_has_the_same_salt_every_time():
    salts = set()
    for user in ("nobody", "NoBody", "nobody"):
        peer = Peer()
        peer.open()
        challenge = challenge_of(peer.send(auth("SCRAM-SHA-1", f"n,,n={user},r=abc".encode())))
        salts.add(attributes(challenge)["s"])
    assert len(salts) == 1


# Who is let in


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_rfc6120_13_8_3_every_scram_mechanism_logs_in(peer, mechanism):
    assert peer.scram(mechanism).name == "success"
    assert peer.events == [("succeeded", "juliet@example.com", mechanism)]


@pytest.mark.parametrize("mechanism", PLUS)
@pytest.mark.parametrize("kind", BINDINGS)
def test_xep0440_2_every_announced_binding_serves(peer, mechanism, kind):
    assert peer.scram(mechanism, gs2=f"p={kind},,", binding=BINDINGS[kind]()).name == "success"


def test_rfc6120_13_8_3_plain_logs_in_over_tls(peer):
    (success,) = peer.send(plain())
    assert (success.namespace, success.name, success.children) == (NS_SASL, "success", [])
    assert peer.events == [("succeeded", "juliet@example.com", "PLAIN")]


def test_rfc6120_6_4_6_success_carries_the_servers_proof(peer):
    success = peer.scram("SCRAM-SHA-1")
    assert b64decode(success.text()).startswith(b"v=")


def test_rfc6120_6_3_7_the_user_name_is_normalised(peer):
    peer.send(plain("JULIET"))
    peer.open()
    peer.send(bind("balcony"))
    assert peer.asked == [("password", "juliet@example.com"), ("bind", "juliet@example.com", "balcony")]


def test_rfc6120_6_3_7_the_user_name_belongs_to_the_domain_of_the_stream():
    peer = Peer()
    peer.open(to="example.org")
    assert failure(peer.send(plain("juliet"))) == "not-authorized"
    assert [element.name for element in peer.send(plain("romeo"))] == ["success"]


def test_rfc6120_6_3_8_the_own_bare_address_may_be_named(peer):
    assert peer.scram("SCRAM-SHA-512-PLUS", gs2="p=tls-exporter,a=juliet@example.com,").name == "success"


def test_rfc6120_6_3_10_without_an_initial_response_there_is_one_round_trip_more(peer):
    (challenge,) = peer.send(auth("PLAIN"))
    assert (challenge.name, challenge.children) == ("challenge", [])
    assert [element.name for element in peer.send(response(b"\0juliet\0pencil"))] == ["success"]


def test_rfc6120_6_3_6_what_was_sent_with_the_last_response_is_discarded(peer):
    for injected in (header() + bind(), "</stream:stream>", "<message", plain("romeo")):
        peer = Peer()
        peer.open()
        assert [element.name for element in peer.send(plain() + injected)] == ["success"]
        assert not peer.closed
        assert [element.name for element in peer.open().elements()] == ["bind", "session", "limits"]
        assert len(peer.asked) == 1


# While the host is looking something up


def waiting() -> Peer:
    peer = Peer(patient=True)
    peer.open()
    return peer


def test_rfc6120_6_4_2_another_auth_while_the_first_waits_gets_its_own_answer():
    peer = waiting()
    peer.send(auth("SCRAM-SHA-256", b"n,,n=nobody,r=first"), plain())
    assert peer.asked == [("keys", "nobody@example.com", "SHA-256")]  # the second has to wait for its turn
    peer.answer()
    (challenge,) = peer.received()
    assert challenge.name == "challenge"
    assert peer.asked[1:] == [("password", "juliet@example.com")]
    peer.answer()
    assert [element.name for element in peer.received()] == ["success"]


def test_rfc6120_6_4_2_an_answer_that_comes_twice_is_taken_once():
    peer = waiting()
    peer.send(plain(password="wrong"))
    late = peer.questions[0]
    peer.answer()
    assert failure(peer.received()) == "not-authorized"
    peer.passwords["juliet@example.com"] = "wrong"
    peer.send(plain(password="wrong"))
    late()
    assert peer.received() == []
    assert peer.events == [("failed", "juliet@example.com", "not-authorized", "PLAIN")]


def test_rfc6120_10_1_an_abort_is_read_after_the_answer():
    peer = waiting()
    peer.send(auth("SCRAM-SHA-256", FIRST), ABORT)
    assert peer.received() == []
    peer.answer()
    challenge, aborted = peer.received()
    assert (challenge.name, failure([aborted])) == ("challenge", "aborted")


def test_rfc6120_13_12_reading_pauses_when_more_comes_while_the_host_is_asked():
    peer = waiting()
    peer.send(plain(password="wrong"))
    assert not peer.paused  # what a client does that waits for its answer costs nothing
    peer.send(plain(password="wrong"))
    assert peer.paused
    peer.answer()
    assert not peer.paused
    peer.answer()
    assert [failure([element]) for element in peer.received()] == ["not-authorized", "not-authorized"]


def test_rfc6120_13_12_reading_pauses_again_for_the_next_question():
    peer = waiting()
    peer.send(plain(password="wrong"), plain(password="wrong") + plain())
    assert peer.paused
    peer.answer()
    assert peer.paused  # the third waits for the second
    peer.answer()
    assert not peer.paused
    assert len(peer.asked) == 3


def test_reading_goes_on_after_a_login_although_what_was_held_is_discarded():
    peer = waiting()
    peer.send(plain(), plain("romeo"))
    peer.answer()
    assert not peer.paused
    assert [element.name for element in peer.received()] == ["success"]
    assert [element.name for element in peer.open().elements()] == ["bind", "session", "limits"]
    assert len(peer.asked) == 1


def test_an_end_that_comes_meanwhile_is_taken_after_the_answer():
    peer = waiting()
    peer.send(plain(password="wrong"), "</stream:stream>")
    assert not peer.closed
    peer.answer()
    assert failure(peer.received()) == "not-authorized"
    assert peer.closed


def test_bad_xml_that_comes_meanwhile_is_refused_after_the_answer():
    peer = waiting()
    peer.send(plain(password="wrong"), "<<")
    peer.answer()
    assert [element.name for element in peer.received()] == ["failure", "error"]


@pytest.mark.parametrize("password", ["pencil", "wrong"])
def test_an_answer_for_a_connection_that_is_gone_is_dropped(password):
    peer = waiting()
    peer.send(plain(password=password))
    said = peer.text
    peer.stream.lost()
    peer.answer()
    assert (peer.text, peer.events, peer.closed) == (said, [], False)


# XEP-0077: registration


REGISTER = "<iq type='{}' id='r1'{}><query xmlns='jabber:iq:register'/></iq>"


@pytest.mark.parametrize("sent", [REGISTER.format("get", " to='example.com'"), REGISTER.format("set", "")])
def test_xep0077_3_1_who_wants_an_account_is_told_where_and_may_log_in(peer, sent):
    (answer,) = peer.send(sent)
    assert (answer.name, answer.get("type"), answer.get("id")) == ("iq", "error", "r1")
    error = answer.only_child()
    assert error is not None
    assert (error.get("type"), error.elements()[0].name) == ("cancel", "not-allowed")
    assert error.child_text(NS_STANZA_ERRORS, "text") == "Ask the IT Service Desk."
    assert [element.name for element in peer.send(plain())] == ["success"]


def test_xep0077_3_1_without_words_of_the_operator_there_are_none():
    peer = Peer(registration_closed="")
    peer.open()
    (answer,) = peer.send(REGISTER.format("set", ""))
    assert "<text" not in repr(answer)


def test_xep0077_3_1_a_malformed_request_is_a_bad_request(peer):
    (answer,) = peer.send("<iq type='get'><query xmlns='jabber:iq:register'/></iq>")
    assert "bad-request" in repr(answer)
    assert not peer.closed


def test_registration_after_login_is_too_late_before_binding(peer):
    peer.send(plain())
    peer.open()
    assert stream_error(peer.send(REGISTER.format("get", ""))) == "not-authorized"
