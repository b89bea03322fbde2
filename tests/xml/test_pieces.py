"""However the bytes of a stream are cut, and whenever its parser rests, the events are the same."""

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonroom.xml import parser as parser_module
from commonroom.xml.element import Element
from commonroom.xml.parser import Event, Limits, StreamEnd, StreamParser, XmlCondition, XmlError

HEADER = (
    b"<s:stream to='x.org' xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' xmlns:q='urn:q'>"
)
HEADERS = st.sampled_from(
    [
        HEADER,
        b"<?xml version='1.0'?>" + HEADER,
        b"<?xml version='1.0' encoding='utf-8'?>\n" + HEADER,
        b"<?xml version='1.0' encoding='latin1'?>" + HEADER,
        b"\n" + HEADER,
        b"\xef\xbb\xbf" + HEADER,
        b"\xff\xfe<\x00",
        b"<\x00",
        b"a\x00",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + HEADER,
        b"<r>",
        b"<r/>",
    ]
)
# One per line would make a long page: "_" stands for a blank, a blank separates.
WELL_FORMED = "<a> </a> <a/> <b_xmlns='u:1'_c='d'/> <q:a_q:b='c'> </q:a> <a>h<c/>w<![CDATA[]]]></a> &amp; é"
TAGS = "<a>hello<c/>world</a> <x_xmlns=''/> <s:stream> </s:stream> </r> <d1/><d2/><d3/> <u:x/>"
PARTS = "<a < > /> ' & ] ]]> _x='1' _x='1' _y=\"4>5\" _y='2 text × € \U0001f600 \uffff"
PROHIBITED = (
    "<!--x--> <!-- --> <![CDATA[ <![CDATA[x]]> &nope; &#0; &#32; <?pi?> <?xml_version='1.0'?> <!DOCTYPE_x>"
)
OTHER = [b" ", b"\r\n", b"\r", b"\n", b"\x00", b"\xc2\xa0", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xe2\x82"]


def markup(*texts: str) -> list[bytes]:
    return [piece.replace("_", " ").encode() for piece in " ".join(texts).split()]


STANZAS = st.sampled_from([*markup(WELL_FORMED), b" ", b"\r\n"])
ANYTHING = st.sampled_from([*markup(WELL_FORMED, TAGS, PARTS, PROHIBITED), *OTHER])
STREAMS = st.builds(
    lambda header, body: header + b"".join(body),
    st.just(HEADER) | HEADERS,
    st.lists(STANZAS, max_size=25) | st.lists(ANYTHING, max_size=12),
)
LIMITS = st.builds(
    Limits,
    stanza_bytes=st.sampled_from([1000, 160, 130]),
    depth=st.sampled_from([20, 2]),
    elements=st.sampled_from([50, 3]),
    attributes=st.sampled_from([10, 1]),
    names=st.sampled_from([100, 6]),
    tag_bytes=st.sampled_from([16_384, 110, 40]),
)
AMPLE = Limits(stanza_bytes=10_000, depth=50, elements=500, attributes=50, names=1000)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def comparable(events: Iterable[Event]) -> list[Element | StreamEnd | tuple[object, ...]]:
    return [(event.condition, event.text) if isinstance(event, XmlError) else event for event in events]


def read(
    parts: Iterable[bytes], limits: Limits, rests: bool = False
) -> list[Element | StreamEnd | tuple[object, ...]]:
    parser = StreamParser(limits)
    events: list[Event] = []
    for part in parts:
        events += parser.feed(part)
        if rests:
            parser.rest()
    return comparable(events)


@settings(max_examples=300)
@given(STREAMS, LIMITS, CUTS)
@example(HEADER + b"<a z='1'\xf0\x9f\x98\x80", AMPLE, [])
@example(HEADER + b" ]]]>", AMPLE, [])
@example(HEADER + b"]]>", AMPLE, [])
@example(HEADER + b"text<!", AMPLE, [])
@example(HEADER + b"<a>\xed ", AMPLE, [])
def test_any_cut_gives_the_same_events(data, limits, cuts):
    whole = read([data], limits)
    assert read(pieces(data, cuts), limits) == whole
    assert read(pieces(data, range(len(data))), limits) == whole


@settings(max_examples=300)
@given(STREAMS, CUTS)
@example(HEADER + b"<![CDATA[<a>]]>", range(400))
@example(HEADER + b"<a/><q:a/></s:stream>", range(400))
def test_any_rest_gives_the_same_events(data, cuts):
    whole = read([data], AMPLE)
    assert read(pieces(data, cuts), AMPLE, rests=True) == whole
    assert read(pieces(data, range(len(data))), AMPLE, rests=True) == whole


def test_a_new_parser_in_mid_stream_is_not_noticed(monkeypatch):
    # Each piece is followed by a new expat parser wherever that is possible.
    monkeypatch.setattr(parser_module, "_RENEW_AFTER", 0)
    body = b"<a>1</a> <q:b q:c='2'>\xc3\xa9<d/></q:b>" * 20
    data = HEADER + body + b"</s:stream>"
    whole = read([data], AMPLE)
    assert len(whole) == 42
    chance = random.Random(1)
    for _ in range(20):
        cuts = chance.sample(range(len(data)), 30)
        assert read(pieces(data, cuts), AMPLE) == whole


@pytest.mark.parametrize("step", [1, 7, 1000, 70_000])
def test_a_long_text_is_one_string(step):
    text = "é & \n]]" * 3000
    data = HEADER + f"<a>{text.replace('&', '&amp;')}</a>".encode()
    events = read(
        (data[start : start + step] for start in range(0, len(data), step)), Limits(10**6, 5, 5, 5, 50)
    )
    assert events[1:] == [Element("jabber:client", "a", None, text)]
    assert isinstance(events[1], Element)
    assert len(events[1].children) == 1


def test_an_error_is_told_with_the_byte_that_makes_it():
    data = HEADER + b"<a>\xe9"
    parser = StreamParser(AMPLE)
    assert len(parser.feed(data)) == 1
    [error] = parser.feed(b" ")
    assert isinstance(error, XmlError)
    assert error.condition is XmlCondition.UNSUPPORTED_ENCODING
