"""RFC 6120 §4, §5: a client's stream from its first byte to the login: headers, features, STARTTLS."""

import pytest

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.stream_limits import NS_STREAM_LIMITS
from commonroom.xml.names import (
    NS_BIND,
    NS_CLIENT,
    NS_SASL,
    NS_SASL_CHANNEL_BINDING,
    NS_SESSION,
    NS_STREAMS,
    NS_TLS,
)
from tests.protocol.streams import (
    STARTTLS,
    Peer,
    auth,
    bind,
    failure,
    header,
    plain,
    stream_error,
)

# §4.7: to


def test_rfc6120_4_9_3_6_a_domain_that_is_not_ours_is_refused_in_the_name_of_one_that_is():
    peer = Peer()
    assert stream_error(peer.send(header(to="example.net", sender="juliet@example.net"))) == "host-unknown"
    assert peer.header.attributes["from"] == "example.com"  # §4.9.1.3
    assert peer.header.attributes["to"] == "juliet@example.net"
    assert peer.closed


def test_rfc6120_4_7_2_to_cannot_change_after_tls():
    peer = Peer(needs_tls=True)
    peer.open(to="example.com")
    peer.send(STARTTLS)
    assert stream_error(peer.send(header(to="example.org"))) == "policy-violation"
    assert peer.header.attributes["from"] == "example.com"


def test_rfc6120_4_7_2_to_cannot_change_after_login():
    peer = Peer()
    peer.open(to="example.com")
    peer.send(plain())
    assert stream_error(peer.send(header(to="example.org"))) == "policy-violation"


def test_rfc6120_5_4_3_3_what_was_said_before_tls_does_not_stand_in_for_what_is_missing_after():
    peer = Peer(needs_tls=True)
    peer.open(to="example.org")
    peer.send(STARTTLS)
    assert stream_error(peer.send(header(to=None))) == "policy-violation"


def test_rfc6120_4_7_2_without_a_to_the_domain_is_the_first_of_ours():
    peer = Peer()
    peer.open(to=None)
    assert peer.header.attributes["from"] == "example.com"
    peer.send(plain())
    peer.open(to=None)
    peer.send(bind("balcony"))
    assert peer.asked[-1] == ("bind", "juliet@example.com", "balcony")


def test_rfc6120_4_7_2_a_to_that_was_said_over_tls_holds_for_the_next_header():
    peer = Peer()
    peer.open(to="EXAMPLE.org")
    peer.send(plain("romeo"))
    peer.open(to=None)
    assert peer.header.attributes["from"] == "example.org"
    peer.send(bind("orchard"))
    assert peer.asked[-1] == ("bind", "romeo@example.org", "orchard")


# §4.7: from, id, xml:lang, version


def test_xep0388_2_1_from_and_to_are_of_one_domain():
    peer = Peer()
    assert stream_error(peer.send(header(sender="juliet@example.org"))) == "invalid-from"


@pytest.mark.parametrize("sender", ["romeo@example.com", "example.com"])
def test_rfc6120_6_4_6_who_claims_to_be_somebody_else_is_not_let_in(sender):
    peer = Peer()
    peer.open(sender=sender)
    assert [element.name for element in peer.send(plain())] == ["error"]  # and no success before it
    assert peer.closed
    assert ("succeeded", "juliet@example.com", "PLAIN") not in peer.events


def test_rfc6120_4_9_3_9_who_claims_to_be_somebody_else_after_login_is_cut_off():
    peer = Peer()
    peer.open()
    peer.send(plain())
    assert stream_error(peer.send(header(sender="romeo@example.com"))) == "invalid-from"


def test_rfc6120_6_4_6_a_claim_from_before_tls_does_not_count():
    peer = Peer(needs_tls=True)
    peer.open(sender="romeo@example.com")
    peer.send(STARTTLS)
    peer.open()
    assert [element.name for element in peer.send(plain())] == ["success"]


def test_rfc6120_6_4_6_a_claim_is_compared_as_an_address():
    peer = Peer()
    peer.open(sender="Juliet@EXAMPLE.com/balcony")
    assert peer.header.attributes["to"] == "juliet@example.com"  # §4.7.2: the bare address
    assert [element.name for element in peer.send(plain())] == ["success"]
    peer.open(sender="juliet@example.com")
    assert not peer.closed


def test_rfc6120_4_3_3_every_restart_has_a_new_id():
    peer = Peer(needs_tls=True)
    ids = []
    for step in (STARTTLS, plain(), bind()):
        peer.open()
        ids.append(peer.header.attributes["id"])
        peer.send(step)
    assert len(set(ids)) == 3
    assert all(len(stream_id) == 32 for stream_id in ids)  # 128 bits


def test_rfc6120_4_7_3_an_id_in_the_clients_header_is_ignored():
    peer = Peer()
    peer.open(id="mine")
    assert peer.header.attributes["id"] != "mine"


def test_rfc6120_4_7_4_our_language_is_english_whatever_theirs_is():
    for lang in ("de-CH", None):
        peer = Peer()
        peer.open(lang=lang)
        assert peer.header.attributes["xml:lang"] == "en"


def test_rfc6120_4_7_5_rule_2_our_version_is_1_0():
    peer = Peer()
    peer.open(version="11.0")
    assert peer.header.attributes["version"] == "1.0"


def test_rfc6120_4_7_5_rule_4_a_client_of_before_1_0_is_refused_in_a_header_without_a_version():
    peer = Peer()
    assert stream_error(peer.send(header(version=None))) == "unsupported-version"
    assert "version" not in peer.header.attributes


# §4.8: namespaces


def test_rfc6120_4_8_2_prefix_free_canonicalization_serves_for_a_whole_login():
    opening = header(stream="stream", xmlns="http://etherx.jabber.org/streams", xmlns_stream=None)
    peer = Peer(needs_tls=True)
    for step in (STARTTLS, plain(), bind("balcony").replace("<iq ", f"<iq xmlns='{NS_CLIENT}' ")):
        assert [element.name for element in peer.send(opening)] == ["features"]
        (answer,) = peer.send(step)
    assert answer.get("type") == "result"
    peer.send(f"<message xmlns='{NS_CLIENT}'><body>hi</body></message>", "</stream>")
    assert peer.session is not None
    assert peer.session.taken[0].elements()[0].text() == "hi"
    assert peer.text.endswith("</stream:stream>")


def test_rfc6120_4_8_2_ours_has_the_content_namespace_and_the_usual_prefix():
    peer = Peer()
    peer.open()
    assert (peer.header.namespace, peer.header.default_namespace) == (NS_STREAMS, NS_CLIENT)
    assert peer.header.stream_prefix == "stream"


def test_rfc6120_4_8_5_another_prefix_for_the_stream_is_accepted():
    peer = Peer()
    (features,) = peer.send(header(stream="flow:stream"))
    assert features.name == "features"
    peer.send("</flow:stream>")
    assert peer.text.endswith("</stream:stream>")


# §4.4: closing


def test_rfc6120_4_4_a_closed_stream_is_closed_in_turn():
    peer = Peer()
    peer.open()
    peer.send("</stream:stream>")
    assert peer.text.endswith("</stream:features></stream:stream>")
    assert peer.closed


def test_rfc6120_4_4_nothing_is_read_after_the_end():
    peer = Peer()
    peer.bound()
    peer.send("</stream:stream><message/>")
    peer.send("<message/>", "</stream:stream>", "<<<")
    assert peer.session is not None
    assert peer.session.taken == []
    assert peer.text.count("</stream:stream>") == 1


def test_a_lost_stream_reads_nothing_and_says_nothing_more():
    peer = Peer()
    session = peer.bound()
    peer.stream.lost()
    said = peer.text
    assert peer.stream.receive(b"<message/>") == 0
    peer.stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
    assert (session.taken, peer.text, peer.closed) == ([], said, False)


# §5: STARTTLS


@pytest.mark.parametrize(
    "element",
    [
        "<message to='example.com'/>",
        bind(),
        f"<starttls xmlns='{NS_SASL}'/>",
        f"<proceed xmlns='{NS_TLS}'/>",
        f"<response xmlns='{NS_SASL}'/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
    ],
)
def test_rfc6120_5_3_1_before_tls_nothing_but_tls_is_negotiated(element):
    peer = Peer(needs_tls=True)
    peer.open()
    assert stream_error(peer.send(element)) == "not-authorized"


def test_rfc6120_6_5_4_a_login_before_tls_requires_encryption_and_is_not_looked_at():
    peer = Peer(needs_tls=True)
    peer.open()
    assert failure(peer.send(plain())) == "encryption-required"
    assert failure(peer.send(auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))) == "encryption-required"
    assert peer.asked == []
    assert [element.name for element in peer.send(STARTTLS)] == ["proceed"]


def test_rfc6120_5_4_2_2_tls_over_tls_fails_and_ends_the_stream():
    for prepare in (Peer.open, Peer.login):
        peer = Peer()
        prepare(peer)
        (answer,) = peer.send(STARTTLS)
        assert (answer.namespace, answer.name) == (NS_TLS, "failure")
        assert peer.closed
        assert peer.text.endswith(f"<failure xmlns='{NS_TLS}'/></stream:stream>")


def test_rfc6120_5_3_1_only_tls_is_offered_and_it_is_required():
    peer = Peer(needs_tls=True)
    (starttls,) = peer.open().elements()
    assert (starttls.namespace, starttls.name) == (NS_TLS, "starttls")
    assert [element.name for element in starttls.elements()] == ["required"]


def test_rfc6120_5_4_2_3_proceed_is_the_last_in_the_clear():
    peer = Peer(needs_tls=True)
    peer.open()
    (proceed,) = peer.send(STARTTLS)
    assert (proceed.namespace, proceed.name) == (NS_TLS, "proceed")
    assert peer.events == [("start_tls", "example.com")]
    assert peer.text.endswith("/>")


@pytest.mark.parametrize(
    "injected",
    [
        header() + plain("romeo", "mine"),
        plain("romeo", "mine"),
        "</stream:stream>",
        "<!-- not XMPP at all",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLA",
        STARTTLS,
    ],
)
def test_rfc6120_5_4_3_3_what_was_sent_with_starttls_is_discarded(injected):
    peer = Peer(needs_tls=True)
    peer.open()
    assert [element.name for element in peer.send(STARTTLS + injected)] == ["proceed"]
    assert not peer.closed
    features = peer.open()
    assert [element.name for element in features.elements()] == [
        "mechanisms",
        "sasl-channel-binding",
        "authentication",
        "limits",
    ]
    assert peer.asked == []
    assert peer.events == [("start_tls", "example.com")]


# §4.3.2: features


def test_rfc6120_6_4_1_mechanisms_are_offered_over_tls_the_strongest_first():
    mechanisms, bindings, *_ = Peer().open().elements()
    assert (mechanisms.namespace, mechanisms.name) == (NS_SASL, "mechanisms")
    assert [element.text() for element in mechanisms.elements()] == [
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
    ]
    assert (bindings.namespace, bindings.name) == (NS_SASL_CHANNEL_BINDING, "sasl-channel-binding")
    assert [element.get("type") for element in bindings.elements()] == [
        "tls-exporter",
        "tls-server-end-point",
    ]


def test_xep0440_3_without_a_channel_to_bind_to_nothing_of_it_is_offered():
    mechanisms, other, *_ = Peer(bindings={}).open().elements()  # a trusted proxy has the TLS
    assert other.name == "authentication"
    assert [element.text() for element in mechanisms.elements()] == [
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
    ]


def test_xep0440_3_without_a_mechanism_that_binds_no_types_are_offered():
    mechanisms, other, *_ = Peer(mechanisms=("SCRAM-SHA-1",)).open().elements()
    assert other.name == "authentication"
    assert [element.text() for element in mechanisms.elements()] == ["SCRAM-SHA-1"]


def test_rfc6120_7_4_binding_is_offered_after_login_and_the_login_is_not():
    peer = Peer()
    peer.open()
    peer.send(plain())
    offered = peer.open().elements()
    assert [(element.namespace, element.name) for element in offered] == [
        (NS_BIND, "bind"),
        (NS_SESSION, "session"),
        (NS_STREAM_LIMITS, "limits"),
    ]
    assert [element.name for element in offered[1].elements()] == ["optional"]


def test_rfc6120_4_3_2_features_have_namespaces_of_their_own():
    peer = Peer(needs_tls=True)
    for step in (STARTTLS, plain(), bind()):
        features = peer.open()
        assert features.namespace == NS_STREAMS
        assert {element.namespace for element in features.elements()}.isdisjoint({NS_STREAMS, NS_CLIENT})
        peer.send(step)


def test_rfc6120_11_5_every_header_has_an_xml_declaration():
    peer = Peer()
    peer.login()
    assert peer.text.count("<?xml version='1.0'?><stream:stream ") == 2
