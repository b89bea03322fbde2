"""XEP-0484 on a stream, and the mechanisms HT-SHA-256-*: to log in with a token."""

import hmac
from base64 import b64decode

import pytest

from commonroom.protocol.fast import Issued, read_fast
from commonroom.protocol.sasl import Failure, SaslCondition, WantsTokens
from commonroom.protocol.sasl.hashed_token import HashedToken, mechanisms
from commonroom.protocol.sasl.mechanism import Candidate
from commonroom.xml.element import Element
from commonroom.xml.names import NS_FAST, NS_SASL2
from tests.protocol.sasl.peer import BINDINGS, make_context
from tests.protocol.sasl2 import AGENT, CLIENT, KEY, authenticate, by_token, candidate, failure, plain
from tests.protocol.streams import JULIET, Peer

FAST = "<fast xmlns='urn:xmpp:fast:0'/>"
BOUND = {"HT-SHA-256-EXPR": "tls-exporter", "HT-SHA-256-ENDP": "tls-server-end-point"}


def holding(*tokens: Candidate, owner: str = "juliet@example.com", client: str = CLIENT) -> Peer:
    """A stream that is open, to a service that has these tokens."""
    peer = Peer()
    peer.tokens[owner, client] = tokens
    peer.open()
    return peer


# Who does not get in


def test_xep0484_6_a_token_that_is_not_known_is_refused():
    peer = holding(candidate(b"another" * 5))
    assert failure(peer.send(by_token())) == "not-authorized"
    assert ("failed", JULIET, "not-authorized", "HT-SHA-256-NONE") in peer.events


@pytest.mark.parametrize(
    "peer",
    [
        holding(),
        holding(candidate(), owner="romeo@example.com"),
        holding(candidate(), client=CLIENT.replace("d", "e")),
    ],
)
def test_xep0484_4_1_a_token_is_for_one_client_of_one_account(peer):
    assert failure(peer.send(by_token())) == "not-authorized"


@pytest.mark.parametrize("issued_for", ["HT-SHA-256-NONE", "HT-SHA-256-EXPR", "HT-SHA-256-ENDP"])
@pytest.mark.parametrize("used_with", ["HT-SHA-256-NONE", "HT-SHA-256-EXPR", "HT-SHA-256-ENDP"])
def test_xep0484_3_4_a_token_is_for_one_mechanism(issued_for, used_with):
    peer = holding(candidate(mechanism=issued_for))
    binding = BINDINGS[BOUND[used_with]]() if used_with in BOUND else b""
    answer = peer.send(by_token(mechanism=used_with, binding=binding))
    if issued_for == used_with:
        assert answer[0].name == "success"
    else:
        assert failure(answer) == "not-authorized"


@pytest.mark.parametrize("binding", [b"", b"another channel", BINDINGS["tls-server-end-point"]()])
def test_xep0484_6_a_token_that_was_bound_to_another_channel_is_refused(binding):
    peer = holding(candidate(mechanism="HT-SHA-256-EXPR"))
    assert failure(peer.send(by_token(mechanism="HT-SHA-256-EXPR", binding=binding))) == "not-authorized"


def test_xep0484_3_1_a_mechanism_whose_channel_is_not_there_was_not_announced():
    peer = holding(candidate(mechanism="HT-SHA-256-UNIQ"))
    assert failure(peer.send(by_token(mechanism="HT-SHA-256-UNIQ"))) == "invalid-mechanism"


def test_xep0484_4_2_a_token_that_has_expired_is_told_from_a_wrong_one():
    assert failure(holding(candidate(is_expired=True)).send(by_token())) == "credentials-expired"


def test_xep0484_3_4_a_token_needs_the_element_that_says_so():
    assert failure(holding(candidate()).send(by_token(""))) == "invalid-mechanism"


def test_xep0484_4_1_a_token_needs_a_client():
    peer = holding(candidate())
    assert failure(peer.send(by_token(agent="<user-agent/>"))) == "malformed-request"
    assert peer.asked == []


def test_the_old_profile_takes_no_tokens():
    peer = holding(candidate())
    text = by_token().replace("authenticate", "auth").replace(NS_SASL2, "urn:ietf:params:xml:ns:xmpp-sasl")
    (answer,) = peer.send(text)
    assert answer.elements()[0].name == "invalid-mechanism"


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"\0",
        b"juliet",
        b"juliet\0",
        b"\0" + b"x" * 32,
        b"\xff\0" + b"x" * 32,
    ],
)
def test_what_is_no_user_name_and_signature_is_malformed(data):
    peer = holding(candidate())
    assert failure(peer.send(authenticate("HT-SHA-256-NONE", data, AGENT + FAST))) == "malformed-request"
    assert peer.asked == []


@pytest.mark.parametrize(
    "attributes", ["count='-1'", "count='x'", "count=''", "count='99999999999'", "invalidate='yes'"]
)
def test_xep0484_10_what_the_schema_does_not_have_is_malformed(attributes):
    peer = holding(candidate())
    assert (
        failure(peer.send(by_token(f"<fast xmlns='urn:xmpp:fast:0' {attributes}/>"))) == "malformed-request"
    )


def test_who_signs_as_the_server_would_is_not_the_client():
    peer = holding(candidate())
    data = b"juliet\0" + hmac.digest(KEY, b"Responder", "sha256")
    assert failure(peer.send(authenticate("HT-SHA-256-NONE", data, AGENT + FAST))) == "not-authorized"


def test_a_channel_that_gives_no_data_is_not_bound_to():
    context = make_context(channel_bindings={"tls-exporter": lambda: b""})
    with pytest.raises(ValueError, match="bind to nothing"):
        HashedToken("HT-SHA-256-EXPR", context)


def test_an_exchange_has_one_message():
    exchange = HashedToken("HT-SHA-256-NONE", make_context())
    assert exchange.receive(b"juliet\0x") == WantsTokens("juliet")
    assert exchange.tokens(()) == Failure(SaslCondition.NOT_AUTHORIZED, "juliet")
    with pytest.raises(RuntimeError):
        exchange.tokens((candidate(),))
    assert exchange.receive(b"juliet\0x") == Failure(SaslCondition.MALFORMED_REQUEST)


def test_a_key_shows_up_nowhere():
    assert "kkk" not in repr(candidate())


# Who does


def test_xep0484_3_4_a_token_logs_in_in_one_message_and_the_server_proves_itself():
    peer = holding(candidate(b"another" * 5, is_new=True), candidate())
    success, features = peer.send(by_token(FAST + "<bind xmlns='urn:xmpp:bind:0'/>"))
    assert [e.name for e in success.elements()] == ["additional-data", "authorization-identifier", "bound"]
    told = b64decode(success.child_text(NS_SASL2, "additional-data") or "")
    assert told == hmac.digest(KEY, b"Responder", "sha256")
    assert features.name == "features"
    visit = peer.asked[1][2]
    assert visit.used == candidate().token
    assert (visit.counter, visit.invalidate, visit.wants) == (None, False, None)


def test_xep0484_3_4_count_and_invalidate_are_handed_on():
    peer = holding(candidate())
    peer.send(by_token("<fast xmlns='urn:xmpp:fast:0' count='17' invalidate='1'/>"))
    assert (peer.asked[1][2].counter, peer.asked[1][2].invalidate) == (17, True)


def test_xep0484_3_2_a_token_is_asked_for_with_a_password():
    peer = Peer()
    peer.settled = Issued("secret", 1_584_023_775_000_000)
    peer.open()
    success, _ = peer.send(
        plain(AGENT + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>")
    )
    assert peer.asked[1][2].wants == "HT-SHA-256-EXPR"
    expiry = {"expiry": "2020-03-12T14:36:15.000000Z", "token": "secret"}
    assert success.child(NS_FAST, "token") == Element(NS_FAST, "token", expiry)


@pytest.mark.parametrize("mechanism", ["", "SCRAM-SHA-1", "HT-SHA-256-UNIQ", "HT-SHA-512-NONE"])
def test_xep0484_3_2_a_token_for_what_was_not_announced_is_not_given(mechanism):
    peer = Peer()
    peer.open()
    peer.send(plain(AGENT + f"<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>"))
    assert peer.asked[1][2].wants is None


def test_xep0484_4_1_without_a_client_there_is_no_token():
    peer = Peer()
    peer.open()
    success, _ = peer.send(plain("<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"))
    assert [asked[0] for asked in peer.asked] == ["password"]
    assert success.child(NS_FAST, "token") is None


def test_xep0484_3_1_the_strongest_mechanism_comes_first():
    assert mechanisms(("tls-server-end-point", "tls-unique", "tls-exporter")) == (
        "HT-SHA-256-EXPR",
        "HT-SHA-256-UNIQ",
        "HT-SHA-256-ENDP",
        "HT-SHA-256-NONE",
    )


def test_booleans_have_two_spellings():
    for text, value in (("true", True), ("1", True), ("false", False), ("0", False)):
        assert read_fast(Element(NS_FAST, "fast", {"invalidate": text})).invalidate is value
