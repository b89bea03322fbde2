"""RFC 6120 §13.12: a stream that asks for too much ends with policy-violation."""

from dataclasses import replace

import pytest

from commonroom.xml.element import Element
from commonroom.xml.parser import DEEPEST, Event, Limits, StreamHeader, StreamParser, XmlCondition, XmlError
from commonroom.xml.serializer import serialize

LIMITS = Limits(stanza_bytes=100, depth=3, elements=6, attributes=2, names=10)
HEADER = b"<stream xmlns='urn:a'>"


def feed(data: bytes, limits: Limits = LIMITS) -> list[Event]:
    return StreamParser(limits).feed(data)


def after_header(data: bytes, limits: Limits = LIMITS) -> list[Event]:
    header, *events = feed(HEADER + data, limits)
    assert isinstance(header, StreamHeader)
    return events


def says(event: Event) -> str:
    assert isinstance(event, XmlError)
    assert event.condition is XmlCondition.POLICY_VIOLATION
    return event.text


def stanza(size: int) -> bytes:
    return b"<a>" + b"x" * (size - 7) + b"</a>"


def test_rfc6120_13_12_a_stanza_may_have_as_many_bytes_as_the_limit_says_and_not_one_more():
    *taken, error = after_header(stanza(100) + stanza(100) + b"<b/>" + stanza(101) + b"<c/>")
    assert len(taken) == 3
    assert says(error) == "a stanza is longer than 100 bytes"


def test_rfc6120_13_12_bytes_are_counted_not_characters():
    assert (
        says(after_header("<a>€{:x<91}</a>".format("").encode())[-1]) == "a stanza is longer than 100 bytes"
    )
    [element] = after_header("<a>€{:x<90}</a>".format("").encode())
    assert isinstance(element, Element)


def test_rfc6120_13_12_an_unfinished_stanza_is_refused_with_the_first_byte_too_many():
    parser = StreamParser(LIMITS)
    parser.feed(HEADER)
    assert parser.feed(b"<a>" + b"x" * 97) == []
    assert says(parser.feed(b"x")[-1]) == "a stanza is longer than 100 bytes"


@pytest.mark.parametrize("data", [b"<!-- " + b"x" * 100, b"<a b='" + b"x" * 100, b"</stream" + b" " * 100])
def test_rfc6120_13_12_an_unfinished_tag_between_stanzas_counts(data):
    assert says(after_header(data)[-1]) == "a stanza is longer than 100 bytes"


def test_rfc6120_13_12_white_space_between_stanzas_does_not_count():
    parser = StreamParser(LIMITS)
    parser.feed(HEADER + b" " * 99)
    assert parser.feed(b" " * 50 + stanza(100) + b" " * 500 + stanza(100)) == [
        Element("urn:a", "a", None, "x" * 93),
        Element("urn:a", "a", None, "x" * 93),
    ]


@pytest.mark.parametrize(
    "data",
    [b"<stream " + b" " * 100, b" " * 101, b"<?xml version='1.0'" + b" " * 100, b"<!DOCTYPE " + b"x" * 100],
)
def test_rfc6120_13_12_the_stream_header_is_limited_with_all_before_it(data):
    [error] = feed(data)
    assert says(error) == "the stream header is longer than 100 bytes"


def test_rfc6120_13_12_a_tag_has_a_limit_of_its_own():
    limits = replace(LIMITS, stanza_bytes=1000, tag_bytes=30)
    assert len(after_header(b"<a b='%s'/>" % (b"x" * 21) + b"<a>" + b"x" * 900 + b"</a>", limits)) == 2
    assert says(after_header(b"<a b='%s'/>" % (b"x" * 22), limits)[-1]) == "a tag is longer than 30 bytes"
    assert says(after_header(b"<a><!--" + b"x" * 30, limits)[-1]) == "a tag is longer than 30 bytes"


def test_rfc6120_13_12_elements_may_be_nested_as_deep_as_the_limit_says():
    *taken, error = after_header(b"<a><b><c/></b></a>" + b"<a><b><c><d/></c></b></a>")
    assert len(taken) == 1
    assert says(error) == "elements are nested deeper than 3"


def test_rfc6120_13_12_the_number_of_elements_is_limited():
    *taken, error = after_header(b"<a><b/><b/><b/><b/><b/></a>" * 2 + b"<a><b/><b/><b/><b/><b/><b/></a>")
    assert len(taken) == 2
    assert says(error) == "more than 6 elements in a stanza"


def test_rfc6120_13_12_the_number_of_attributes_is_limited():
    *taken, error = after_header(b"<a b='' c=''/>" + b"<a b='' c='' d=''/>")
    assert len(taken) == 1
    assert says(error) == "more than 2 attributes"
    assert says(feed(b"<stream b='' c='' d=''>")[-1]) == "more than 2 attributes"


def test_rfc6120_13_12_the_number_of_different_names_is_limited():
    names = b"".join(b"<e%d/>" % number for number in range(10))
    *taken, error = after_header(names * 3 + b"<f/>")
    assert len(taken) == 30
    assert says(error) == "more than 10 different names"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<a b%d=''/>", id="attributes"),
        pytest.param(b"<a xmlns='urn:%d'/>", id="namespaces of elements"),
        pytest.param(b"<a xmlns:b='urn:%d' b:c=''/>", id="namespaces of attributes"),
    ],
)
def test_rfc6120_13_12_names_of_all_kinds_are_counted(data):
    events = after_header(b"".join(data % number for number in range(20)))
    assert says(events[-1]) == "more than 10 different names"


def test_rfc6120_13_12_a_long_name_counts_more_than_once():
    limits = replace(LIMITS, stanza_bytes=10_000)
    assert len(after_header(b"<%s/>" % (b"a" * 1100), limits)) == 1
    assert says(after_header(b"<%s/>" % (b"a" * 1300), limits)[-1]) == "more than 10 different names"


def test_rfc6120_13_12_declared_prefixes_that_are_not_used_do_not_gather():
    limits = replace(LIMITS, stanza_bytes=1000)
    parser = StreamParser(limits)
    parser.feed(HEADER)
    sizes = []
    for round_ in range(40):
        # Each piece ends inside of a stanza, so that the parser never comes to rest.
        stanzas = b"".join(b"<a xmlns:p%d='urn:p'/>" % (round_ * 1000 + number) for number in range(1000))
        assert len(parser.feed(stanzas + b"<a")) == 1000
        assert len(parser.feed(b"/>")) == 1
        sizes.append(parser._fed)
    assert max(sizes) < 400_000


def test_other_limits_hold_from_now_on():
    parser = StreamParser(LIMITS)
    parser.feed(HEADER + b"<a>" + b"x" * 90)
    parser.set_limits(replace(LIMITS, stanza_bytes=200))
    assert len(parser.feed(b"x" * 90 + b"</a>")) == 1
    parser.set_limits(LIMITS)
    assert says(parser.feed(stanza(101))[-1]) == "a stanza is longer than 100 bytes"


def test_the_names_are_counted_from_zero_after_a_rest():
    parser = StreamParser(LIMITS)
    parser.feed(HEADER + b"".join(b"<e%d/>" % number for number in range(10)))
    assert parser.rest()
    assert parser.feed(b"<f/>") == [Element("urn:a", "f")]


def test_no_limit_allows_a_depth_that_recursion_cannot_walk():
    with pytest.raises(ValueError, match="too much for recursion"):
        replace(LIMITS, depth=DEEPEST + 1)


def test_the_deepest_tree_can_be_written_compared_and_read():
    limits = Limits(stanza_bytes=100_000, depth=DEEPEST, elements=1000, attributes=1, names=10)
    parser = StreamParser(limits)
    nested = b"<a>1" * DEEPEST + b"2" + b"</a>" * DEEPEST
    _, whole = parser.feed(HEADER + nested)
    [torn] = [event for byte in nested for event in parser.feed(bytes([byte]))]
    assert whole == torn
    assert isinstance(whole, Element)
    assert serialize(whole, "urn:a").encode() == nested


def test_the_deepest_stanza_is_refused_long_before_it_is_complete():
    assert says(after_header(b"<a>" * 33)[-1]) == "elements are nested deeper than 3"
