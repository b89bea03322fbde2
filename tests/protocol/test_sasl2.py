"""XEP-0388: the stage of a stream in which a client logs in by the extensible profile."""

from base64 import b64decode

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_SASL, NS_SASL2
from tests.protocol import streams
from tests.protocol.sasl.peer import BINDINGS, client_final
from tests.protocol.sasl2 import AGENT, CLIENT, authenticate, failure, plain, response
from tests.protocol.streams import JULIET, Peer, bind, stream_error

ABORT = f"<abort xmlns='{NS_SASL2}'><text>No more.</text></abort>"


def opened(**changes: object) -> Peer:
    peer = Peer(**changes)  # type: ignore[arg-type]
    peer.open()
    return peer


# §2.3: who does not get in


def test_xep0388_3_nothing_of_it_is_offered_or_taken_without_tls():
    peer = Peer(needs_tls=True)
    assert [element.name for element in peer.open().elements()] == ["starttls"]
    assert stream_error(peer.send(plain())) == "not-authorized"
    assert peer.asked == []


@pytest.mark.parametrize("mechanism", ["", "EXTERNAL", "plain", "HT-SHA-256-NONE", "UPGR-SCRAM-SHA-256"])
def test_xep0388_2_3_a_mechanism_that_was_not_announced_fails(mechanism):
    peer = opened()
    assert failure(peer.send(authenticate(mechanism, b"\0juliet\0pencil", AGENT))) == "invalid-mechanism"
    assert peer.asked == []


def test_xep0388_2_6_2_a_failure_leaves_everything_as_it_was():
    peer = opened()
    wish = f"{AGENT}<bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3' h='0' previd='known'/>"
    (told,) = peer.send(plain(wish, password="wrong"))
    assert told == Element(NS_SASL2, "failure", None, Element(NS_SASL, "not-authorized"))
    assert [asked[0] for asked in peer.asked] == ["password"]
    assert peer.events == [("failed", JULIET, "not-authorized", "PLAIN")]
    assert peer.send(plain())[0].name == "success"


def test_rfc6120_6_4_5_tries_are_counted_over_both_profiles():
    peer = opened(tries=3)
    peer.send(plain(password="a"))
    peer.send(streams.plain(password="b"))
    assert stream_error(peer.send(plain(password="c"))) == "policy-violation"
    assert peer.closed


@pytest.mark.parametrize("text", ["=", "AGp1bGll*", " AGp1bGlldABwZW5jaWw=", "AGp1bGlldABwZW5jaW", "é"])
def test_xep0388_2_2_what_is_not_base_64_is_refused(text):
    peer = opened()
    initial = f"<initial-response>{text}</initial-response>"
    assert failure(peer.send(authenticate("PLAIN", None, initial))) == "incorrect-encoding"


def test_xep0388_2_2_an_empty_initial_response_is_not_an_absent_one():
    assert failure(opened().send(authenticate("PLAIN", b""))) == "malformed-request"
    (challenge,) = opened().send(authenticate("PLAIN"))
    assert (challenge.name, challenge.text()) == ("challenge", "")


@pytest.mark.parametrize("id", ["", "phone", CLIENT + "0", CLIENT.replace("-", ""), "zzzz" + CLIENT[4:]])
def test_xep0388_2_3_the_id_of_a_client_is_a_uuid(id):
    peer = opened()
    assert failure(peer.send(plain(f"<user-agent id='{id}'/>"))) == "malformed-request"
    assert peer.asked == []


@pytest.mark.parametrize("authzid", ["", "juliet@example.com"])
def test_xep0388_2_3_who_logs_in_is_who_the_stream_is_from(authzid):
    peer = Peer()
    peer.open(sender="romeo@example.com")
    assert failure(peer.send(plain(authzid=authzid))) == "invalid-authzid"
    assert [asked[0] for asked in peer.asked] == ["hashes"]  # nobody looked whether the password was right


def test_xep0388_4_4_nobody_acts_as_anybody_else():
    assert failure(opened().send(plain(authzid="romeo@example.com"))) == "invalid-authzid"


@pytest.mark.parametrize(
    "other",
    [
        "<presence/>",
        bind("balcony"),
        authenticate("PLAIN", b"\0juliet\0pencil"),
        streams.plain(),
        f"<next xmlns='{NS_SASL2}' task='UPGR-SCRAM-SHA-256'/>",
        f"<task-data xmlns='{NS_SASL2}'/>",
        f"<success xmlns='{NS_SASL2}'/>",
        f"<response xmlns='{NS_SASL}'>biws</response>",
    ],
)
def test_xep0388_2_4_nothing_but_a_response_or_an_abort_belongs_into_an_exchange(other):
    peer = opened()
    peer.send(authenticate("SCRAM-SHA-256", b"n,,n=juliet,r=abc"))
    assert stream_error(peer.send(other)) == "not-authorized"
    assert peer.closed


@pytest.mark.parametrize("element", [response(b"n,,n=juliet,r=abc"), ABORT])
def test_xep0388_2_4_without_an_exchange_there_is_nothing_to_say(element):
    assert stream_error(opened().send(element)) == "not-authorized"


def test_xep0388_2_4_the_other_profile_has_exchanges_of_its_own():
    peer = opened()
    peer.send(streams.auth("SCRAM-SHA-256", b"n,,n=juliet,r=abc"))
    assert stream_error(peer.send(plain())) == "not-authorized"


def test_xep0388_4_5_a_client_may_give_up_and_begin_anew():
    peer = opened()
    peer.send(authenticate("SCRAM-SHA-256", b"n,,n=juliet,r=abc"))
    assert failure(peer.send(ABORT)) == "aborted"
    assert peer.events == []
    assert peer.send(plain())[0].name == "success"


@pytest.mark.parametrize("later", [plain(), authenticate("PLAIN")])
def test_xep0388_4_8_after_success_another_authentication_ends_the_stream(later):
    peer = opened()
    peer.send(plain())
    assert stream_error(peer.send(later)) == "not-authorized"
    peer = opened()
    peer.send(plain("<bind xmlns='urn:xmpp:bind:0'/>"))
    assert stream_error(peer.send(later)) == "unsupported-stanza-type"


def test_what_cannot_be_kept_is_a_reason_to_try_later():
    peer = opened()
    peer.settled = SaslCondition.TEMPORARY_AUTH_FAILURE
    assert failure(peer.send(plain(AGENT))) == "temporary-auth-failure"
    assert ("succeeded", JULIET, "PLAIN") not in peer.events


def test_who_leaves_while_the_login_is_looked_at_gets_nothing():
    peer = opened(patient=True)
    peer.send(plain(AGENT))
    peer.answer()
    peer.stream.lost()
    peer.answer()
    assert peer.received() == []
    assert peer.session is None


# §2.1: what is announced


def test_xep0388_2_1_it_is_announced_beside_the_old_profile_with_what_can_be_had_inline():
    features = Peer().open()
    authentication = features.child(NS_SASL2, "authentication")
    old = features.child(NS_SASL, "mechanisms")
    assert authentication is not None
    assert old is not None
    names = [e.text() for e in authentication.elements() if e.name == "mechanism"]
    assert names == [e.text() for e in old.elements()]
    inline = authentication.child(NS_SASL2, "inline")
    assert inline is not None
    sm, bind2, fast = inline.elements()
    assert (sm.namespace, sm.name) == ("urn:xmpp:sm:3", "sm")
    assert (bind2.namespace, bind2.name) == ("urn:xmpp:bind:0", "bind")
    assert [e.get("var") for e in bind2.elements()[0].elements()] == ["urn:example:inline"]
    assert [e.text() for e in fast.elements()] == [
        "HT-SHA-256-EXPR",
        "HT-SHA-256-ENDP",
        "HT-SHA-256-NONE",
    ]
    assert fast.get("tls-0rtt") is None


def test_xep0484_3_1_tokens_can_be_turned_off_and_bind_only_to_what_is_there():
    inline = opened_inline(with_tokens=False)
    assert [element.name for element in inline.elements()] == ["sm", "bind"]
    assert [e.text() for e in opened_inline(bindings={}).elements()[2].elements()] == ["HT-SHA-256-NONE"]


def opened_inline(**changes: object) -> Element:
    authentication = Peer(**changes).open().child(NS_SASL2, "authentication")  # type: ignore[arg-type]
    assert authentication is not None
    inline = authentication.child(NS_SASL2, "inline")
    assert inline is not None
    return inline


# §2.6.1: success


def test_xep0388_2_6_1_success_names_the_account_and_features_follow_without_a_new_stream():
    peer = opened()
    success, features = peer.send(plain())
    identifier = Element(NS_SASL2, "authorization-identifier", None, "juliet@example.com")
    assert success == Element(NS_SASL2, "success", None, identifier)
    assert (features.elements()[0].namespace, features.elements()[0].name) == (NS_BIND, "bind")
    assert "authentication" not in [element.name for element in features.elements()]
    assert peer.text.count("<stream:stream") == 1
    (result,) = peer.send(bind("balcony"))
    assert result.get("type") == "result"
    peer.send("<message to='romeo@example.org'><body>Hi</body></message>")
    assert peer.session is not None
    assert len(peer.session.taken) == 1


def test_after_login_stanzas_may_be_as_large_as_those_of_other_clients():
    peer = opened()
    peer.send(plain("<bind xmlns='urn:xmpp:bind:0'/>"))
    peer.send(f"<message><body>{'x' * 20_000}</body></message>")
    assert peer.session is not None
    assert len(peer.session.taken) == 1


@pytest.mark.parametrize(
    "mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1-PLUS"]
)
def test_xep0388_2_5_a_challenge_is_answered_and_success_has_the_servers_signature(mechanism):
    peer = opened()
    gs2 = "p=tls-exporter,," if mechanism.endswith("-PLUS") else "n,,"
    binding = BINDINGS["tls-exporter"]() if mechanism.endswith("-PLUS") else b""
    first = f"{gs2}n=juliet,r=abcdef".encode()
    (challenge,) = peer.send(authenticate(mechanism, first))
    assert (challenge.namespace, challenge.name) == (NS_SASL2, "challenge")
    final = client_final(
        first,
        b64decode(challenge.text()).decode(),
        hash_name=mechanism.removeprefix("SCRAM-").removesuffix("-PLUS"),
        binding=gs2.encode() + binding,
    )
    success, _ = peer.send(response(final))
    assert [element.name for element in success.elements()] == ["additional-data", "authorization-identifier"]
    assert b64decode(success.child_text(NS_SASL2, "additional-data") or "").startswith(b"v=")
    assert ("succeeded", JULIET, mechanism) in peer.events


def test_xep0440_3_who_binds_to_another_channel_is_refused():
    peer = opened()
    first = b"p=tls-exporter,,n=juliet,r=abcdef"
    (challenge,) = peer.send(authenticate("SCRAM-SHA-256-PLUS", first))
    server_first = b64decode(challenge.text()).decode()
    final = client_final(first, server_first, binding=b"p=tls-exporter,,another channel")
    assert failure(peer.send(response(final))) == "not-authorized"


def test_xep0388_2_3_what_the_client_says_of_itself_is_kept_with_the_login():
    peer = opened()
    peer.send(plain(AGENT.replace("d4565", "D4565").replace("Balcony", "x" * 1000)))
    question, account, visit = peer.asked[1]
    assert (question, account, visit.client, visit.software) == ("settle", JULIET, CLIENT, "Nightingale")
    assert visit.device == "x" * 100
    assert visit.used is None
    assert visit.wants is None


def test_what_comes_with_the_request_in_one_packet_is_taken_after_it():
    peer = Peer()
    elements = peer.send(
        streams.header() + plain("<bind xmlns='urn:xmpp:bind:0'><tag>t</tag></bind>") + "<presence/>"
    )
    assert [element.name for element in elements] == ["features", "success", "features"]
    assert peer.session is not None
    assert len(peer.session.taken) == 1


def test_an_own_address_as_authzid_is_fine():
    peer = Peer()
    peer.open(sender="juliet@example.com/phone")
    assert peer.send(plain(authzid="Juliet@Example.COM"))[0].name == "success"
    assert peer.stream._account == JID.parse("juliet@example.com")


def test_the_namespace_of_stanzas_is_still_checked():
    peer = opened()
    peer.send(plain("<bind xmlns='urn:xmpp:bind:0'/>"))
    assert stream_error(peer.send("<message xmlns='jabber:server'/>")) == "invalid-namespace"


# EXTERNAL: XEP-0178


def test_xep0178_a_certificate_logs_in_by_either_profile() -> None:
    peer = Peer(with_certificates=True)
    peer.certificate = (JID.parse("juliet@example.com"), JID.parse("romeo@example.org"))
    assert "<mechanism>EXTERNAL</mechanism>" in str(peer.open())
    success = peer.send(authenticate("EXTERNAL", b""))[0]
    assert success.child_text(NS_SASL2, "authorization-identifier") == "juliet@example.com"
    old = Peer(with_certificates=True)
    old.certificate = peer.certificate
    old.open()
    (answer,) = old.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
    assert answer.name == "success"


def test_xep0388_2_3_the_certificate_of_another_than_the_stream_is_from_is_refused() -> None:
    peer = Peer(with_certificates=True)
    peer.certificate = (JID.parse("romeo@example.com"),)
    peer.open(sender="juliet@example.com")
    assert failure(peer.send(authenticate("EXTERNAL", b""))) == "invalid-authzid"


def test_a_certificate_of_nobody_fails() -> None:
    peer = Peer(with_certificates=True)
    peer.certificate = (JID.parse("nobody@example.com"),)
    peer.open()
    assert failure(peer.send(authenticate("EXTERNAL", b""))) == "not-authorized"
