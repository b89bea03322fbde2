"""RFC 6120 §4.9: every stream error, what causes it on a client's stream, and how it is told."""

from collections.abc import Callable

import pytest

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.xml.names import NS_STREAM_ERRORS, NS_STREAMS
from tests.protocol.streams import Peer, auth, bind, header, plain, stream_error

# Why a client never gets to see the others (RFC 6120 §4.9.3).
NEVER = {
    StreamCondition.BAD_NAMESPACE_PREFIX: "§4.8.5 allows us to refuse prefixes; we take any and write ours",
    StreamCondition.HOST_GONE: "a domain that is not configured is unknown; nobody notes which once were",
    StreamCondition.INVALID_XML: "no validation (§11.4); what is wrong with a stanza is a stanza error",
    StreamCondition.REMOTE_CONNECTION_FAILED: "no other entity is needed to log in; the store is our own",
    StreamCondition.RESET: "new features come with a new process, which is a system-shutdown",
    StreamCondition.RESOURCE_CONSTRAINT: "a connection too many is closed before it has a stream",
    StreamCondition.SEE_OTHER_HOST: "there is no other host to send clients to",
    StreamCondition.UNDEFINED_CONDITION: "we have no conditions of our own",
    StreamCondition.UNSUPPORTED_FEATURE: "the initiating entity sends it; we are the receiving one",
}

# These come from those around the stream: another session, the clock, the database, the operator.
FROM_OUTSIDE = (
    StreamCondition.CONFLICT,
    StreamCondition.CONNECTION_TIMEOUT,
    StreamCondition.INTERNAL_SERVER_ERROR,
    StreamCondition.SYSTEM_SHUTDOWN,
)

UTF16 = header().replace("1.0'?>", "1.0' encoding='UTF-16'?>")

# What a client sends instead of a header, or with one that is wrong.
IN_THE_HEADER: dict[str, list[str | bytes]] = {
    "bad-format": [
        header(stream="stream:features"),
        header().replace("<?xml version='1.0'?>", "<?xml version='1.1'?>"),
    ],
    "host-unknown": [header(to="example.net"), header(to="example.com.example")],
    "improper-addressing": [
        header(to=""),
        header(to="juliet@example.com"),
        header(to="example.com/balcony"),
        header(to="-"),
        header(sender="@"),
    ],
    "invalid-namespace": [
        header(xmlns_stream="http://wrong.namespace.example.org/"),
        header(xmlns="jabber:server"),
        "<stream>",
        "<html>",
    ],
    "not-well-formed": [
        "HELO\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "<stream:stream>",
        "</stream:stream>",
        "<<",
        "<a b=c>",
    ],
    "policy-violation": ["<stream:stream " + " " * 10_000, "<?xml version='1.0'" + " " * 10_000],
    "restricted-xml": [
        "<!-- comment -->",
        "<!DOCTYPE stream [<!ENTITY a 'b'>]>",
        "<?php ?>",
        header(id="&nbsp;"),
    ],
    "unsupported-encoding": [
        UTF16,
        header().encode("utf-16"),
        header().encode("utf-16-be"),
        b"\xff\xfe",
        b"\xff",
    ],
    "unsupported-version": [header(version=None), header(version="0.9"), header(version="one")],
}

# What a client that has bound a resource sends.
IN_THE_STREAM: dict[str, list[str | bytes]] = {
    "bad-format": ["text", "<message/>text", "&amp;", "<![CDATA[ ]]>"],
    "invalid-from": [
        "<message from='romeo@example.org'/>",
        "<presence from='juliet@example.com/chamber'/>",
        "<iq from='example.com' type='get' id='1'><a xmlns='x'/></iq>",
        "<message from=''/>",
        "<message from='@'/>",
    ],
    "invalid-namespace": ["<message xmlns='jabber:server'/>"],
    "not-well-formed": [
        "<message><body></message>",
        "<foo:message/>",
        "<message a='1' a='2'/>",
        "<message xmlns:a='u' xmlns:b='u' a:c='1' b:c='2'/>",
        "<message>\x00</message>",
        "<message>&#1;</message>",
        "<?xml version='1.0'?><stream:stream>",
        "</wrong>",
    ],
    "policy-violation": [
        f"<message>{'x' * 60_000}</message>",
        f"<message>{'<a>' * 17}",
        f"<message>{'<a/>' * 101}</message>",
        "<message " + " ".join(f"a{n}=''" for n in range(17)) + "/>",
        "".join(f"<message><a{n}/></message>" for n in range(300)),
    ],
    "restricted-xml": [
        "<!-- comment -->",
        "<message><!-- comment --></message>",
        "<?target data?>",
        "<message>&entity;</message>",
    ],
    "unsupported-encoding": [b"<message>\xff</message>", b"<message>\xed\xa0\x80</message>", b"\xc0\xbc"],
    "unsupported-stanza-type": [
        "<pubsub/>",
        "<message xmlns='http://example.org/ns2'/>",
        "<body xmlns='http://jabber.org/protocol/httpbind'/>",
        auth("PLAIN"),
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        header().removeprefix("<?xml version='1.0'?>"),
    ],
}


def cases(table: dict[str, list[str | bytes]]) -> list[tuple[str, str | bytes]]:
    return [(condition, sent) for condition, many in table.items() for sent in many]


def check_last_words(peer: Peer, text: str) -> None:
    """An error, the end, and nothing else (RFC 6120 §4.9.1.1)."""
    assert peer.closed
    assert text.count("<stream:error>") == 1
    assert text.endswith("</stream:error></stream:stream>")


def test_rfc6120_4_9_3_every_condition_has_a_cause_or_a_reason_why_not():
    caused = {StreamCondition(name) for name in (*IN_THE_HEADER, *IN_THE_STREAM, "not-authorized")}
    assert caused | set(FROM_OUTSIDE) | set(NEVER) == set(StreamCondition)
    assert not caused & set(NEVER)


@pytest.mark.parametrize(("condition", "sent"), cases(IN_THE_HEADER))
@pytest.mark.parametrize("needs_tls", [True, False])
def test_rfc6120_4_9_1_2_an_error_in_the_header_is_told_after_ours(condition, sent, needs_tls):
    peer = Peer(needs_tls=needs_tls)
    peer.stream.receive(sent if isinstance(sent, bytes) else sent.encode())
    text = peer.text
    assert text.startswith("<?xml version='1.0'?><stream:stream from='example.com'")
    assert text.count("<stream:stream ") == 1
    check_last_words(peer, text)
    assert [stream_error([element]) for element in peer.received()] == [condition]


@pytest.mark.parametrize(("condition", "sent"), cases(IN_THE_STREAM))
def test_rfc6120_4_9_1_1_an_error_in_the_stream_ends_it(condition, sent):
    peer = Peer()
    session = peer.bound()
    peer.stream.receive(sent if isinstance(sent, bytes) else sent.encode())
    text = peer.new_text()
    check_last_words(peer, text)
    assert "<stream:stream" not in text
    assert f"<{condition} xmlns='{NS_STREAM_ERRORS}'/>" in text
    taken = len(session.taken)
    peer.send("<message/>", "</stream:stream>")
    assert len(session.taken) == taken


@pytest.mark.parametrize(
    "sent",
    [
        "<message to='romeo@example.org'/>",
        "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:auth'><username>juliet</username></query></iq>",
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='result' id='1'><query xmlns='jabber:iq:register'/></iq>",
        bind(),
        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    ],
)
def test_rfc6120_4_9_3_12_before_login_there_is_nothing_but_login(sent):
    peer = Peer()
    peer.open()
    assert stream_error(peer.send(sent)) == "not-authorized"
    assert peer.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        "<message to='romeo@example.org'/>",
        "<presence/>",
        "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
        "<iq xmlns='jabber:server' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<message id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></message>",
        plain(),
    ],
)
def test_rfc6120_7_1_before_a_resource_is_bound_there_is_nothing_but_binding(sent):
    peer = Peer()
    peer.login()
    assert stream_error(peer.send(sent)) == "not-authorized"
    assert [question[0] for question in peer.asked] == ["password"]


@pytest.mark.parametrize("condition", FROM_OUTSIDE)
@pytest.mark.parametrize("reach", [lambda peer: None, Peer.open, Peer.login, Peer.bound])
def test_rfc6120_4_9_1_2_an_error_from_outside_can_come_at_any_time(
    condition: StreamCondition, reach: Callable[[Peer], object]
):
    peer = Peer()
    reach(peer)
    headers = peer.text.count("<stream:stream ")
    peer.stream.fail(StreamError(condition, "words <for> people"))
    check_last_words(peer, peer.text)
    assert peer.text.count("<stream:stream ") == max(headers, 1)
    assert stream_error(peer.received()) == condition.value


def test_rfc6120_4_9_1_2_after_a_restart_the_error_has_a_new_header():
    peer = Peer()
    peer.open()
    peer.send(plain())
    peer.stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
    assert peer.text.count("<stream:stream ") == 2
    assert stream_error(peer.received()) == "system-shutdown"


def test_only_the_first_error_is_told():
    peer = Peer()
    peer.open()
    peer.stream.fail(StreamError(StreamCondition.CONFLICT))
    said = peer.text
    peer.stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
    assert peer.text == said


def test_rfc6120_4_9_2_the_syntax_of_an_error():
    peer = Peer()
    peer.open()
    peer.stream.fail(StreamError(StreamCondition.CONFLICT, "replaced by <you>"))
    (error,) = peer.received()
    assert (error.namespace, error.name) == (NS_STREAMS, "error")
    condition, text = error.elements()
    assert (condition.namespace, condition.name, condition.children) == (NS_STREAM_ERRORS, "conflict", [])
    assert (text.namespace, text.name) == (NS_STREAM_ERRORS, "text")
    assert (text.get("xml:lang"), text.text()) == ("en", "replaced by <you>")


def test_rfc6120_4_9_2_the_text_is_optional():
    assert StreamError(StreamCondition.RESET).xml() == (
        f"<stream:error><reset xmlns='{NS_STREAM_ERRORS}'/></stream:error>"
    )


def test_elements_before_an_error_in_the_same_piece_are_taken():
    peer = Peer()
    session = peer.bound()
    assert (
        stream_error(peer.send("<message id='1'/><message id='2'/><!-- --><message id='3'/>"))
        == "restricted-xml"
    )
    assert [stanza.id for stanza in session.taken] == ["1", "2"]
