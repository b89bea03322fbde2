"""A server that connects to us: it may do what it has shown that it may, and nothing before."""

import base64

import pytest

from commonroom.protocol.dialback import DialbackKeys, Outcome, Pair, Verified
from commonroom.protocol.stanza import Iq, Message
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_ERRORS
from tests.protocol.peers import ALSO_OURS, OURS, STARTTLS, THEIRS, Demanded, Incoming

MESSAGE = "<message from='juliet@example.net/balcony' to='romeo@example.org' id='1'><body>hi</body></message>"


def ended(peer: Incoming) -> str:
    """The condition of the stream error that ended the stream."""
    assert peer.closed
    error = (peer.said() or peer.opening)[-1]
    assert error.name == "error", error
    return error.elements()[0].name


def condition(answer: Element) -> str:
    (error,) = answer.elements()
    return next(child.name for child in error.elements() if child.namespace == NS_STANZA_ERRORS)


# Headers


@pytest.mark.parametrize("to", [None, "example.com", "romeo@example.org", ""])
def test_rfc6120_4_9_3_6_a_stream_to_nobody_here_is_refused(to: str | None):
    peer = Incoming()
    peer.open(to=to)
    assert ended(peer) in ("host-unknown", "improper-addressing")


@pytest.mark.parametrize("sender", [OURS, ALSO_OURS, "juliet@example.net", "example.net/x"])
def test_rfc6120_4_9_3_9_who_claims_to_be_us_or_a_person_is_refused(sender: str):
    peer = Incoming(sender)
    peer.open(sender)
    assert ended(peer) == "invalid-from"


def test_a_domain_that_the_operator_denies_is_refused():
    peer = Incoming(THEIRS)
    peer.demanded[THEIRS] = Demanded(refused="not with you")
    peer.open()
    assert ended(peer) == "policy-violation"


def test_rfc6120_5_4_1_tls_comes_first():
    peer = Incoming(secure=False)
    assert peer.open() == ["starttls"]
    peer.send("<db:result from='example.net' to='example.org'>key</db:result>")
    assert condition(peer.one()) == "policy-violation"
    peer.send(STARTTLS)
    assert peer.one().name == "proceed"
    assert peer.tls_started == 1
    assert "starttls" not in peer.open()


def test_rfc6120_5_4_3_3_what_came_before_tls_is_forgotten():
    peer = Incoming(secure=False)
    peer.demanded[THEIRS] = Demanded(needs_tls=False)
    assert peer.open() == ["starttls", "dialback"]
    peer.result()
    (request,) = peer.verifications
    peer.send(STARTTLS)
    peer.said()
    peer.stream.verified(request, Verified(Outcome.VALID))
    assert not peer.stream.is_authenticated
    assert peer.bytes == ""


def test_rfc6120_5_4_2_2_tls_is_started_once():
    peer = Incoming()
    peer.open()
    peer.send(STARTTLS)
    assert peer.one().name == "failure"
    assert peer.closed


# SASL EXTERNAL


def test_xep0178_3_external_is_offered_to_whom_the_certificate_names():
    assert Incoming(THEIRS).open() == ["mechanisms", "dialback", "bidi"]
    assert Incoming("example.com").open() == ["dialback", "bidi"]
    assert Incoming(THEIRS).open(None) == ["dialback", "bidi"]


@pytest.mark.parametrize("response", ["=", base64.b64encode(THEIRS.encode()).decode()])
def test_xep0178_3_the_certificate_proves_who_it_is(response: str):
    peer = Incoming(THEIRS)
    peer.open()
    assert peer.external(response).name == "success"
    assert peer.authenticated_as == [(Pair(THEIRS, OURS), "EXTERNAL")]
    assert peer.open() == ["dialback", "sm"]
    peer.send(MESSAGE)
    (message,) = peer.stanzas
    assert (message.sender, message.to) == ("juliet@example.net/balcony", "romeo@example.org")


def test_rfc6120_6_4_2_without_an_initial_response_there_is_a_challenge():
    peer = Incoming(THEIRS)
    peer.open()
    assert peer.external("").name == "challenge"
    peer.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>")
    assert peer.one().name == "success"


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (base64.b64encode(b"example.com").decode(), "invalid-authzid"),
        ("%%%", "incorrect-encoding"),
        (base64.b64encode(b"\xff").decode(), "incorrect-encoding"),
    ],
)
def test_xep0178_3_it_may_not_be_somebody_else(response: str, failure: str):
    peer = Incoming(THEIRS, "example.com")
    peer.open()
    assert peer.external(response).elements()[0].name == failure
    assert not peer.stream.is_authenticated


def test_xep0178_3_a_certificate_for_another_domain_proves_nothing():
    peer = Incoming("example.com")
    peer.open()
    failure = peer.external()
    assert failure.elements()[0].name == "not-authorized"
    assert peer.refusals == [(THEIRS, "it is for somebody else")]
    peer.send(MESSAGE)
    assert ended(peer) == "not-authorized"


def test_other_mechanisms_and_endless_tries_are_refused():
    peer = Incoming()
    peer.open()
    peer.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")
    assert peer.one().elements()[0].name == "invalid-mechanism"
    for _ in range(3):
        peer.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
    assert ended(peer) == "policy-violation"


def test_external_without_tls_is_refused():
    peer = Incoming(THEIRS, secure=False)
    peer.open()
    assert peer.external().elements()[0].name == "encryption-required"


def test_who_authenticated_does_not_become_somebody_else():
    peer = Incoming(THEIRS, "example.com")
    peer.open()
    peer.external()
    peer.open("example.com")
    assert ended(peer) == "invalid-from"


# Dialback: the peer wants to send


def test_xep0220_2_2_1_the_authoritative_server_is_asked():
    peer = Incoming()
    peer.open()
    peer.result(key=" abc ")
    (request,) = peer.verifications
    assert peer.header is not None
    assert (request.pair, request.key) == (Pair(THEIRS, OURS), "abc")
    assert request.stream_id == peer.header.attributes["id"]
    assert peer.bytes == ""
    peer.send(MESSAGE)
    assert ended(peer) == "not-authorized"


def test_xep0220_2_2_1_valid_lets_it_send_for_that_pair_alone():
    peer = Incoming().authenticated_by_dialback()
    assert peer.authenticated_as == [(Pair(THEIRS, OURS), "dialback")]
    peer.send(MESSAGE)
    assert len(peer.stanzas) == 1
    peer.send(MESSAGE.replace("romeo@example.org", "orchard@rooms.example.org"))
    assert ended(peer) == "invalid-from"


def test_xep0220_2_6_one_stream_carries_several_pairs():
    peer = Incoming().authenticated_by_dialback()
    peer.result(to=ALSO_OURS)
    peer.result(sender="rooms.example.net")
    assert [v.pair for v in peer.verifications[1:]] == [
        Pair(THEIRS, ALSO_OURS),
        Pair("rooms.example.net", OURS),
    ]
    peer.stream.verified(peer.verifications[1], Verified(Outcome.VALID))
    answer = peer.one()
    assert (answer.get("from"), answer.get("to"), answer.get("type")) == (ALSO_OURS, THEIRS, "valid")
    peer.send(MESSAGE.replace("romeo@example.org", "orchard@rooms.example.org"))
    assert len(peer.stanzas) == 1


def test_xep0220_2_2_1_invalid_ends_a_stream_that_has_shown_nothing_else():
    peer = Incoming()
    peer.open()
    peer.result()
    peer.stream.verified(peer.verifications[0], Verified(Outcome.INVALID))
    answer = peer.one()
    assert (answer.name, answer.get("type")) == ("result", "invalid")
    assert peer.closed
    assert peer.refusals


def test_xep0220_2_2_1_invalid_for_one_pair_is_forbidden_where_others_are_valid():
    peer = Incoming().authenticated_by_dialback()
    peer.result(sender="example.com")
    peer.stream.verified(peer.verifications[-1], Verified(Outcome.INVALID))
    assert condition(peer.one()) == "forbidden"
    peer.send(MESSAGE)
    assert len(peer.stanzas) == 1


def test_xep0220_2_5_an_error_of_the_verification_is_told_and_the_stream_lives_on():
    peer = Incoming()
    peer.open()
    peer.result()
    peer.stream.verified(peer.verifications[0], Verified(Outcome.ERROR, "remote-server-timeout", "gone"))
    assert condition(peer.one()) == "remote-server-timeout"
    peer.result()
    assert len(peer.verifications) == 2


@pytest.mark.parametrize(
    ("sender", "to", "expected"),
    [
        (THEIRS, "example.com", "item-not-found"),
        (OURS, OURS, "not-acceptable"),
        (ALSO_OURS, OURS, "not-acceptable"),
        ("denied.example", OURS, "policy-violation"),
        ("strict.example", OURS, "not-authorized"),
    ],
)
def test_xep0220_2_5_what_is_refused_at_once(sender: str, to: str, expected: str):
    peer = Incoming()
    peer.demanded["denied.example"] = Demanded(refused="not with you")
    peer.demanded["strict.example"] = Demanded(allows_dialback=False)
    peer.open(None)
    peer.result(sender, to)
    answer = peer.one()
    assert condition(answer) == expected
    assert (answer.get("from"), answer.get("to")) == (to, sender)
    assert peer.verifications == []
    assert not peer.closed


def test_xep0344_2_4_a_certificate_does_instead_of_dialing_back():
    peer = Incoming("rooms.example.net").authenticated_by_certificate()
    peer.result(sender="rooms.example.net")
    assert peer.one().get("type") == "valid"
    assert peer.verifications == []


def test_xep0220_2_5_pairs_and_questions_are_bounded():
    peer = Incoming()
    peer.open()
    for number in range(30):
        peer.result(sender=f"d{number}.example")
    assert len(peer.verifications) == 10
    assert {condition(answer) for answer in peer.said()} == {"resource-constraint"}


def test_a_key_that_is_being_verified_is_not_verified_twice():
    peer = Incoming()
    peer.open()
    for _ in range(5):
        peer.result()
    assert len(peer.verifications) == 1


# Dialback: the peer asks about our keys


def test_xep0220_2_2_2_our_keys_are_ours_and_no_others():
    peer = Incoming()
    peer.open(None)
    key = DialbackKeys(b"our secret").make(Pair(OURS, THEIRS), "id")
    for text, expected in ((key, "valid"), (key[::-1], "invalid"), ("", "invalid")):
        peer.send(f"<db:verify from='{THEIRS}' to='{OURS}' id='id'>{text}</db:verify>")
        answer = peer.one()
        assert answer.name == "verify"
        assert [answer.get(name) for name in ("from", "to", "id", "type")] == [OURS, THEIRS, "id", expected]


def test_xep0220_2_2_2_keys_of_domains_elsewhere_are_not_found():
    peer = Incoming()
    peer.open(None)
    peer.send(f"<db:verify from='{THEIRS}' to='example.com' id='id'>key</db:verify>")
    assert condition(peer.one()) == "item-not-found"


@pytest.mark.parametrize("name", ["result", "verify"])
@pytest.mark.parametrize("kind", ["valid", "invalid", "error"])
def test_xep0220_3_1_answers_that_nobody_asked_for_are_ignored(name: str, kind: str):
    peer = Incoming()
    peer.open()
    peer.result()
    peer.send(f"<db:{name} from='{THEIRS}' to='{OURS}' id='x' type='{kind}'/>")
    assert peer.bytes == ""
    assert not peer.stream.is_authenticated
    peer.send(MESSAGE)
    assert ended(peer) == "not-authorized"
    assert peer.offences == [
        "it answers a dialback question that nobody asked",
        "not-authorized: show first who you are",
    ]


def test_xep0220_2_2_2_a_key_in_our_name_that_is_not_ours_is_an_offence():
    peer = Incoming()
    peer.open()
    peer.send(f"<db:verify from='{THEIRS}' to='{OURS}' id='x'>made up</db:verify>")
    assert peer.one().get("type") == "invalid"
    assert peer.offences == [f"{THEIRS} was given a dialback key of {OURS} that is not ours"]


def test_a_late_verification_of_another_stream_means_nothing():
    one, other = Incoming(), Incoming()
    for peer in (one, other):
        peer.open()
        peer.result()
    other.stream.verified(one.verifications[0], Verified(Outcome.VALID))
    assert not other.stream.is_authenticated


# Stanzas


@pytest.mark.parametrize(
    ("stanza", "expected"),
    [
        (MESSAGE.replace("example.net", "example.com"), "invalid-from"),
        (MESSAGE.replace("juliet@example.net/balcony", "romeo@example.org"), "invalid-from"),
        (MESSAGE.replace("example.net", "sub.example.net"), "invalid-from"),
        (MESSAGE.replace("romeo@example.org", "romeo@example.com"), "host-unknown"),
        (MESSAGE.replace(" from='juliet@example.net/balcony'", ""), "improper-addressing"),
        (MESSAGE.replace(" to='romeo@example.org'", ""), "improper-addressing"),
        (MESSAGE.replace("romeo@example.org", "@"), "improper-addressing"),
        ("<other from='example.net' to='example.org'/>", "unsupported-stanza-type"),
    ],
)
def test_rfc6120_8_1_2_2_the_peer_speaks_for_itself_and_to_us(stanza: str, expected: str):
    peer = Incoming().authenticated_by_certificate()
    peer.send(stanza)
    assert ended(peer) == expected
    assert peer.stanzas == []


def test_rfc6120_4_8_2_content_is_read_into_the_namespace_of_ours():
    peer = Incoming().authenticated_by_certificate()
    peer.send(MESSAGE.replace("<body>", "<x xmlns='urn:x'><message xmlns='jabber:client'/></x><body>"))
    (message,) = peer.stanzas
    assert isinstance(message, Message)
    assert message.body() == "hi"
    assert message.child(NS_CLIENT, "body") is not None
    assert "xmlns='jabber:server'" not in message.xml()


def test_rfc6120_8_3_1_what_cannot_be_read_is_answered_and_the_stream_lives_on():
    peer = Incoming().authenticated_by_certificate()
    peer.send("<iq from='juliet@example.net/b' to='romeo@example.org' type='get' id='1'/>")
    (answer,) = peer.answers
    assert isinstance(answer, Iq)
    assert (answer.to, answer.sender, answer.id) == ("juliet@example.net/b", "romeo@example.org", "1")
    peer.send(MESSAGE)
    assert len(peer.stanzas) == 1


def test_rfc6120_13_12_strangers_send_less():
    for peer, size in ((Incoming(), 11_000), (Incoming().authenticated_by_certificate(), 90_000)):
        if not peer.stream.is_authenticated:
            peer.open()
        peer.send(f"<db:verify from='{THEIRS}' to='{OURS}' id='x'><p>{'a' * size}</p></db:verify>")
        assert peer.closed is (size == 11_000)


@pytest.mark.parametrize("text", ["<!-- c -->", "<?pi x?>", "<!DOCTYPE x>", "&foo;", "text", "\x00", "</a>"])
def test_rfc6120_11_restricted_xml_ends_the_stream(text: str):
    peer = Incoming()
    peer.open()
    peer.send(text)
    assert peer.closed


# Both directions over one stream


def test_xep0288_2_2_the_stream_is_turned_around_once_the_peer_is_known():
    peer = Incoming(THEIRS)
    peer.open()
    peer.send("<bidi xmlns='urn:xmpp:bidi'/>")
    assert peer.turned == []
    peer.external()
    assert peer.turned == [Pair(OURS, THEIRS)]


def test_xep0288_2_2_with_dialback_it_is_the_inverse_of_each_pair():
    peer = Incoming()
    peer.open()
    peer.send("<bidi xmlns='urn:xmpp:bidi'/>")
    peer.result()
    peer.stream.verified(peer.verifications[0], Verified(Outcome.VALID))
    assert peer.turned == [Pair(OURS, THEIRS)]


def test_xep0288_2_1_not_before_tls_and_not_unasked():
    peer = Incoming(secure=False)
    peer.demanded[THEIRS] = Demanded(needs_tls=False)
    peer.open()
    peer.send("<bidi xmlns='urn:xmpp:bidi'/>")
    peer.result()
    peer.stream.verified(peer.verifications[0], Verified(Outcome.VALID))
    assert peer.stream.is_authenticated
    assert peer.turned == []


@pytest.mark.parametrize(("proven", "turned"), [((), []), ((THEIRS,), [Pair(OURS, THEIRS)])])
def test_xep0288_2_2_what_needs_a_certificate_on_our_way_needs_it_on_this(
    proven: tuple[str, ...], turned: list[Pair]
):
    peer = Incoming(*proven)
    peer.demanded[THEIRS] = Demanded(needs_certificate=True)
    peer.open()
    peer.send("<bidi xmlns='urn:xmpp:bidi'/>")
    peer.result()
    for request in peer.verifications:
        peer.stream.verified(request, Verified(Outcome.VALID))
    assert peer.stream.is_authenticated
    assert peer.turned == turned


SM = "xmlns='urn:xmpp:sm:3'"


def test_xep0198_3_acknowledgements_are_for_those_who_have_shown_who_they_are():
    peer = Incoming()
    peer.open()
    peer.send(f"<enable {SM}/>")
    assert ended(peer) == "not-authorized"


def test_xep0198_3_they_are_turned_on_once():
    peer = Incoming().authenticated_by_certificate()
    for expected in ("enabled", "failed"):
        peer.send(f"<enable {SM} resume='true'/>")
        assert peer.one().name == expected
    peer.send(f"<r {SM}/><a {SM} h='3'/>")
    assert peer.management == ["counts", "managed", "asked", "acknowledged 3"]
    peer.send(f"<a {SM} h='x'/>")
    assert peer.closed


def test_rfc6120_4_4_the_end_is_answered_with_the_end():
    peer = Incoming().authenticated_by_certificate()
    peer.send("</stream:stream>")
    assert peer.bytes.endswith("</stream:stream>")
    assert peer.closed
