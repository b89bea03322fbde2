"""Hostile bytes: whatever comes, the answer is events, and nothing is kept beyond the limits."""

import random

import pytest

from commonroom.xml.element import Element
from commonroom.xml.parser import Limits, StreamEnd, StreamHeader, StreamParser, XmlError
from commonroom.xml.serializer import serialize

LIMITS = Limits(stanza_bytes=2_000, depth=10, elements=50, attributes=10, names=60)
STREAM = (
    "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xml:lang='en' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
    "<iq id='1' type='set'>"
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>a &amp; b</resource></bind></iq>"
    " <presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' ver='QgayPKawpkPS='/></presence>\n"
    "<message to='juliet@example.org' xmlns:x='urn:x' x:y='z'>"
    "<body><![CDATA[<é>]]> \U0001f600</body><x:z/></message>"
    "</stream:stream>"
).encode()
MARKUP = b"< > / ' = & ; <!-- --> <![CDATA[ ]]> <? ?> <!DOCTYPE [ <!ENTITY xmlns='' xmlns:a='b' &#1;"
TOKENS = [*MARKUP.split(), b"\xff", b"\xc3", b"\x00"]


def mutated(chance: random.Random) -> bytes:
    data = bytearray(STREAM)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randint(1, 40)]
            case 2:
                data[place:place] = chance.choice(TOKENS)
            case 3:
                start = chance.randrange(len(data))
                data[place:place] = data[start : start + chance.randint(1, 200)]
            case _:
                data[place:place] = bytes([data[place]]) * chance.choice([2, 100, 3000])
    return bytes(data)


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(1, 200))


def tokens(chance: random.Random) -> bytes:
    return STREAM[: chance.randrange(len(STREAM))] + b"".join(chance.choices([*TOKENS, b"a", b" "], k=40))


@pytest.mark.parametrize("make", [mutated, noise, tokens])
@pytest.mark.parametrize("seed", range(3))
def test_rfc6120_13_12_hostile_bytes_give_events_and_nothing_else(make, seed):
    chance = random.Random(seed)
    for _ in range(400):
        read_in_pieces(make(chance), chance)


def read_in_pieces(data: bytes, chance: random.Random) -> None:
    parser = StreamParser(LIMITS)
    over = False
    while data:
        size = chance.choice([1, 3, 50, 5000])
        events = parser.feed(data[:size])
        data = data[size:]
        assert not (over and events)
        for event in events:
            assert not over
            over = isinstance(event, (StreamEnd, XmlError))
            assert over or isinstance(event, (StreamHeader, Element))
            if isinstance(event, Element):
                assert len(serialize(event, "").encode()) < 10 * LIMITS.stanza_bytes
        if chance.random() < 0.1:
            parser.rest()


def test_rfc6120_13_12_an_endless_stream_holds_no_more_than_its_limits():
    """Every kind of thing that a peer can send without end comes to a refusal or is let go."""
    endless = [
        b"<a>",
        b"<a ",
        b"<a",
        b"<!--",
        b"x",
        b"<a b='",
        b"<a>x",
        b"<![CDATA[",
        b"<a>&amp;",
        b"<a><![CDATA[",
    ]
    for beginning in endless:
        parser = StreamParser(LIMITS)
        parser.feed(STREAM[: STREAM.index(b"<iq")])
        events = parser.feed(beginning)
        for _ in range(100):
            events += parser.feed(b"x" * 1000)
        assert isinstance(events[-1], XmlError)
        assert parser.rest()
