"""RFC 6120 §13.12: how much a client may send, before it has logged in and after."""

from dataclasses import replace

import pytest

from tests.protocol.streams import LARGE, SMALL, STARTTLS, Peer, auth, bind, failure, header, stream_error


def padded(size: int, start: str = "<message><body>", end: str = "</body></message>") -> str:
    """A stanza of so many bytes."""
    return start + "x" * (size - len(start) - len(end)) + end


LONG_AUTH = ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", "</auth>")


def test_rfc6120_13_12_rule_4_a_stanza_that_is_too_large_ends_the_stream():
    peer = Peer()
    session = peer.bound()
    assert stream_error(peer.send(padded(LARGE.stanza_bytes + 1))) == "policy-violation"
    assert session.taken == []


def test_rfc6120_13_12_before_login_less_is_allowed():
    peer = Peer()
    peer.open()
    assert stream_error(peer.send(padded(SMALL.stanza_bytes + 1, *LONG_AUTH))) == "policy-violation"


def test_rfc6120_13_12_rule_4_ten_thousand_bytes_always_pass():
    peer = Peer()
    peer.open()
    assert failure(peer.send(padded(10_000, *LONG_AUTH))) == "malformed-request"
    peer = Peer()
    session = peer.bound()
    for size in (10_000, LARGE.stanza_bytes):
        peer.send(padded(size))
    assert len(session.taken) == 2


def test_rfc6120_13_12_rule_4_the_size_is_that_of_one_stanza_however_it_comes():
    peer = Peer()
    session = peer.bound()
    stanza = padded(LARGE.stanza_bytes)
    peer.send(stanza + stanza + stanza[:-1])
    peer.send(stanza[-1])
    for byte in padded(200):
        peer.send(byte)
    assert len(session.taken) == 4
    for start in range(0, LARGE.stanza_bytes, 1000):
        peer.send(("<message>" + "x" * LARGE.stanza_bytes)[start : start + 1000])
    assert not peer.closed
    assert stream_error(peer.send("y")) == "policy-violation"


@pytest.mark.parametrize(
    ("just", "too_much"),
    [
        ("<a>" * (SMALL.depth - 1) + "</a>" * (SMALL.depth - 1), "<a>" * SMALL.depth),
        ("<a/>" * (SMALL.elements - 1), "<a/>" * SMALL.elements),
        (
            "<a " + " ".join(f"a{n}=''" for n in range(SMALL.attributes)) + "/>",
            "<a " + " ".join(f"a{n}=''" for n in range(SMALL.attributes + 1)) + "/>",
        ),
    ],
)
def test_rfc6120_13_12_depth_elements_and_attributes_are_limited(just, too_much):
    peer = Peer()
    session = peer.bound()
    peer.send(f"<message>{just}</message>")
    assert len(session.taken) == 1
    assert stream_error(peer.send(f"<message>{too_much}</message>")) == "policy-violation"


def test_rfc6120_13_12_the_number_of_names_is_limited():
    peer = Peer()
    session = peer.bound()
    for n in range(SMALL.names - 20):
        peer.send(f"<message><a{n}/></message>")
    assert len(session.taken) == SMALL.names - 20
    assert (
        stream_error(peer.send("".join(f"<message><b{n}/></message>" for n in range(40))))
        == "policy-violation"
    )


@pytest.mark.parametrize("needs_tls", [True, False])
def test_rfc6120_13_12_depth_is_limited_for_strangers(needs_tls):
    peer = Peer(needs_tls=needs_tls)
    peer.open()
    assert stream_error(peer.send("<a>" * 17)) == "policy-violation"


def test_every_restart_counts_anew():
    few = replace(SMALL, names=16)
    peer = Peer(needs_tls=True, limits_before_login=few, limits=few)
    for step in (STARTTLS, auth("PLAIN", b"\0juliet\0pencil"), bind()):
        filler = {f"{step[1]}{n}": "" for n in range(8)}  # eight names of this stream's own
        assert [element.name for element in peer.send(header(**filler))] == ["features"]
        peer.send(step)
    assert peer.session is not None
