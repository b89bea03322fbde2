"""RFC 6120 §8: what a client that has bound a resource may send."""

import pytest

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from tests.conversations.world import condition
from tests.protocol.streams import BoundSession, Peer, bind, header, plain, stream_error


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    peer.bound("balcony")
    return peer


def session(peer: Peer) -> BoundSession:
    assert peer.session is not None
    return peer.session


# Answered with a stanza error: the stream lives on


@pytest.mark.parametrize("name", ["message", "presence", "iq"])
def test_rfc6120_8_3_3_8_a_to_that_is_no_address_is_told_and_the_stream_lives_on(peer, name):
    (answer,) = peer.send(
        f"<{name} to='@' id='1' type='set'><x xmlns='urn:x'/></{name}>".replace(
            " type='set'", (" type='set'" if name == "iq" else "")
        )
    )
    assert (answer.name, answer.get("type"), answer.get("id")) == (name, "error", "1")
    assert condition(answer) == "jid-malformed"
    peer.send("<message id='2'/>")
    assert [stanza.id for stanza in session(peer).taken] == ["2"]


@pytest.mark.parametrize(
    "sent",
    [
        "<iq type='subscribe' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'/>",
        "<iq type='set' id='1'>text</iq>",
        "<iq type='get' id='1'><a xmlns='x'/><b xmlns='x'/></iq>",
        "<presence type='available' id='1'/>",
    ],
)
def test_rfc6120_8_3_3_1_what_breaks_the_rules_of_its_kind_is_a_bad_request(peer, sent):
    (answer,) = peer.send(sent)
    assert (answer.get("type"), answer.get("id"), condition(answer)) == ("error", "1", "bad-request")
    assert session(peer).taken == []


def test_rfc6120_8_2_3_rule_1_an_iq_without_an_id_is_a_bad_request(peer):
    (answer,) = peer.send("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert ("id" in answer.attributes, condition(answer)) == (False, "bad-request")


@pytest.mark.parametrize(
    "sent", ["<iq type='error' to='@' id='1'/>", "<iq type='result'/>", "<message type='error' to='@'/>"]
)
def test_rfc6120_8_3_1_a_broken_error_or_result_is_dropped(peer, sent):
    assert peer.send(sent) == []
    assert session(peer).taken == []
    assert not peer.closed


# The sender


@pytest.mark.parametrize(
    "sender",
    ["juliet@example.com/balcony", "juliet@example.com", "JULIET@Example.com/balcony", "Juliet@example.com"],
)
def test_rfc6120_8_1_2_1_a_client_may_name_itself(peer, sender):
    assert peer.send(f"<message from='{sender}' id='1'/>") == []
    assert [stanza.id for stanza in session(peer).taken] == ["1"]


@pytest.mark.parametrize(
    "sender", ["juliet@example.com/Balcony", "juliet@example.com/", "example.com", "romeo@example.org"]
)
def test_rfc6120_4_9_3_9_a_client_that_names_somebody_else_is_cut_off(peer, sender):
    assert stream_error(peer.send(f"<message from='{sender}'/>")) == "invalid-from"
    assert session(peer).taken == []


# Languages


def test_rfc6120_8_1_5_a_stanza_without_a_language_has_the_streams():
    peer = Peer()
    peer.open(lang="fr")
    peer.send(plain())
    peer.open(lang="de-CH")
    peer.send(bind(), "<message/>", "<message xml:lang='cs'/>", "<message xml:lang=''/>")
    assert [stanza.lang for stanza in session(peer).taken] == ["de-CH", "cs", ""]


def test_rfc6120_8_1_5_without_a_language_of_the_stream_there_is_none():
    peer = Peer()
    peer.open()
    peer.send(plain())
    peer.open(lang=None)
    peer.send(bind(), "<message/>")
    assert session(peer).taken[0].lang is None


# What a stanza is


def test_rfc6120_4_1_a_stanza_is_known_by_namespace_and_name_whatever_its_prefix(peer):
    peer.send(f"<c:message xmlns:c='{NS_CLIENT}' id='1'><c:body>hi</c:body></c:message>")
    (message,) = session(peer).taken
    assert message.xml() == "<message id='1' xml:lang='en'><body>hi</body></message>"


def test_rfc6120_8_4_names_declared_in_the_header_mean_the_same_in_stanzas():
    peer = Peer()
    peer.open()
    peer.send(plain(), header().replace("<stream:stream", "<stream:stream xmlns:e='urn:example'"), bind())
    peer.send("<message><e:x e:y='1'/></message>")
    assert session(peer).taken[0].elements() == [Element("urn:example", "x", {"{urn:example}y": "1"})]


def test_rfc6120_11_7_white_space_between_stanzas_is_ignored(peer):
    assert peer.send(" ", "\r\n\t", "<message id='1'/> \n <message id='2'/>\n") == []
    assert [stanza.id for stanza in session(peer).taken] == ["1", "2"]


def test_rfc6120_8_a_partial_stanza_is_not_taken(peer):
    for piece in ("<message", " id='1'", "><body>hel", "lo</body>", "</message"):
        peer.send(piece)
        assert session(peer).taken == []
    peer.send(">")
    assert [stanza.id for stanza in session(peer).taken] == ["1"]


def test_rfc6120_10_1_stanzas_are_taken_in_the_order_they_were_sent(peer):
    peer.send(
        "".join(
            f"<{name} id='{n}' type='result'/>" if name == "iq" else f"<{name} id='{n}'/>"
            for n, name in enumerate(["message", "iq", "presence"] * 20)
        )
    )
    assert [stanza.id for stanza in session(peer).taken] == [str(n) for n in range(60)]


def test_receive_counts_the_elements_it_completed(peer):
    assert peer.stream.receive(b"<message/><presence/><iq") == 2
    assert peer.stream.receive(b" type='result' id='1'/>") == 1
    assert peer.stream.receive(b" \n") == 0


def test_a_stream_that_rested_goes_on_where_it_was(peer):
    peer.stream.rest()
    peer.send("<message id='1'/><mess")
    peer.stream.rest()
    peer.send("age id='2'/>")
    peer.stream.rest()
    peer.send("</stream:stream>")
    assert [stanza.id for stanza in session(peer).taken] == ["1", "2"]
    assert peer.text.endswith("</stream:stream>")
    peer.stream.rest()
    assert peer.stream.receive(b"<message/>") == 0


def test_rfc6120_4_4_a_client_that_closes_its_stream_takes_leave(peer):
    peer.send("</stream:stream>")
    assert session(peer).left


@pytest.mark.parametrize("end", ["<!-- -->", "<x/>", ""])
def test_a_client_whose_stream_ends_otherwise_does_not(peer, end):
    peer.send(end)
    peer.stream.lost()
    assert not session(peer).left
