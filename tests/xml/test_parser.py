"""RFC 6120 §11: what the parser refuses, and what it reads."""

import pytest

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STREAMS
from commonroom.xml.parser import (
    Event,
    Limits,
    StreamEnd,
    StreamHeader,
    StreamParser,
    XmlCondition,
    XmlError,
    parse_fragment,
)

LIMITS = Limits(stanza_bytes=10_000, depth=20, elements=100, attributes=20, names=100)
HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xml:lang='en'"
    b" xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
BILLION_LAUGHS = (
    b"<!DOCTYPE lolz [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]><lolz>&b;</lolz>"
)


def feed(data: bytes) -> list[Event]:
    return StreamParser(LIMITS).feed(data)


def after_header(data: bytes) -> list[Event]:
    header, *events = feed(HEADER + data)
    assert isinstance(header, StreamHeader)
    return events


def refusal(events: list[Event]) -> XmlCondition:
    assert isinstance(events[-1], XmlError), events
    return events[-1].condition


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<a><!-- not here --></a>", id="comment"),
        pytest.param(b"<!-- nor here -->", id="comment between stanzas"),
        pytest.param(b"<a><?php ?></a>", id="processing instruction"),
        pytest.param(b"<?target?>", id="processing instruction between stanzas"),
        pytest.param(b"<a>&nbsp;</a>", id="entity"),
        pytest.param(b"<a b='&nbsp;'/>", id="entity in an attribute"),
    ],
)
def test_rfc6120_11_1_prohibited_features_are_restricted_xml(data):
    assert refusal(after_header(data)) is XmlCondition.RESTRICTED_XML


@pytest.mark.parametrize(
    "data",
    [
        b"<!-- before -->" + HEADER,
        b"<?target before?>" + HEADER,
        b"<!DOCTYPE stream>" + HEADER,
        b"<!DOCTYPE stream SYSTEM 'http://example.org/stream.dtd'>" + HEADER,
        b"<!DOCTYPE stream [<!ENTITY a 'b'>]>" + HEADER,
        BILLION_LAUGHS,
    ],
)
def test_rfc6120_11_1_prohibited_features_are_refused_before_the_header(data):
    [error] = feed(data)
    assert refusal([error]) is XmlCondition.RESTRICTED_XML


def test_rfc6120_11_1_a_dtd_is_refused_before_its_internal_subset_is_there():
    assert refusal(feed(b"<!DOCTYPE stream [")) is XmlCondition.RESTRICTED_XML


def test_rfc6120_11_1_the_predefined_entities_and_character_references_are_read():
    [element] = after_header(b"<a b='&lt;&#10;&apos;'>&amp;&lt;&gt;&quot;&apos;&#x20ac;</a>")
    assert element == Element(NS_CLIENT, "a", {"b": "<\n'"}, "&<>\"'€")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<a><b></a>", id="mismatched tag"),
        pytest.param(b"<a b='1' b='2'/>", id="attribute twice"),
        pytest.param(b"<a b=1/>", id="attribute without quotes"),
        pytest.param(b"<a>\x01</a>", id="control character"),
        pytest.param(b"<a>&#0;</a>", id="reference to no character"),
        pytest.param(b"<a>&#1;</a>", id="reference to the separator"),
        pytest.param(b"<a xmlns='b&#1;c'/>", id="separator in a namespace"),
        pytest.param("<a>\uffff</a>".encode(), id="not a character"),
        pytest.param(b"<a>]]></a>", id="end of a CDATA section"),
        pytest.param(b"<a b='<'/>", id="less-than in an attribute"),
        pytest.param("<a×/>".encode(), id="not a name"),
        pytest.param(b"<a/><?xml version='1.0'?>", id="XML declaration not at the start"),
        pytest.param(b"<!DOCTYPE a>", id="DTD inside of the stream"),
        pytest.param(b"</stream>", id="the stream's end without its prefix"),
    ],
)
def test_rfc6120_11_3_what_is_not_well_formed_is_refused(data):
    assert refusal(after_header(data)) is XmlCondition.NOT_WELL_FORMED


@pytest.mark.parametrize(
    "data",
    [
        b"<foo:body>What is this foo?</foo:body>",
        b"<a foo:b='c'/>",
        b"<a xmlns:foo=''/>",
        b"<a xmlns:xmlns='urn:b'/>",
        b"<a xmlns:xml='urn:b'/>",
        b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        b"<a xmlns:p='urn:b' xmlns:q='urn:b' p:c='' q:c=''/>",
    ],
)
def test_rfc6120_4_9_3_13_what_is_not_namespace_well_formed_is_refused(data):
    assert refusal(after_header(data)) is XmlCondition.NOT_WELL_FORMED


@pytest.mark.parametrize("data", [b"text" + HEADER, b"GET / HTTP/1.1\r\n\r\n", "\ufeff".encode() + HEADER])
def test_rfc6120_11_3_text_before_the_header_is_refused(data):
    [error] = feed(data)
    assert refusal([error]) is XmlCondition.NOT_WELL_FORMED


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff", id="never in UTF-8"),
        pytest.param(b"caf\xe9 ", id="Latin-1"),
        pytest.param(b"\xc0\xaf", id="overlong"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond Unicode"),
        pytest.param(b"\x80", id="without a beginning"),
    ],
)
def test_rfc6120_4_9_3_22_what_is_not_utf8_is_refused(data):
    assert refusal(after_header(b"<a>" + data + b"</a>")) is XmlCondition.UNSUPPORTED_ENCODING
    assert refusal(after_header(b"<a b='" + data + b"'/>")) is XmlCondition.UNSUPPORTED_ENCODING


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(HEADER.decode().encode("utf-16"), id="with a byte order mark"),
        pytest.param(b"\xfe\xff" + HEADER.decode().encode("utf-16-be"), id="big-endian with the mark"),
        pytest.param(HEADER.decode().encode("utf-16-le"), id="little-endian"),
        pytest.param(HEADER.decode().encode("utf-16-be"), id="big-endian"),
        pytest.param((" " + HEADER.decode()).encode("utf-16-le"), id="after a blank"),
        pytest.param(HEADER.decode().encode("utf-32"), id="UTF-32"),
    ],
)
def test_rfc6120_11_6_another_encoding_is_refused_whatever_is_declared(encoded):
    [error] = feed(encoded)
    assert refusal([error]) is XmlCondition.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1", "us-ascii", "UTF8", "no-such"])
def test_rfc6120_11_6_another_declared_encoding_is_refused(encoding):
    [error] = feed(f"<?xml version='1.0' encoding='{encoding}'?>".encode())
    assert refusal([error]) is XmlCondition.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("version", ["1.1", "1.00", "2.0"])
def test_rfc6120_11_8_another_version_of_xml_is_refused(version):
    [error] = feed(f"<?xml version='{version}'?>".encode())
    assert refusal([error]) is XmlCondition.BAD_FORMAT


def test_rfc6120_11_5_the_xml_declaration_stands_at_the_start_only():
    assert refusal(feed(b" " + HEADER)) is XmlCondition.NOT_WELL_FORMED
    assert refusal(feed(b"<?xml version='1.0'?>" + HEADER)) is XmlCondition.NOT_WELL_FORMED


@pytest.mark.parametrize(
    "declaration",
    [b"", b"\n", b"<?xml version='1.0' encoding='utf-8'?>", b"<?xml version='1.0' standalone='no'?>\n"],
)
def test_rfc6120_11_5_a_declaration_may_be_there(declaration):
    assert feed(declaration + b"<stream>") == [StreamHeader("", "stream", {}, "", "")]


@pytest.mark.parametrize(
    "text", [b"text", "\u00a0".encode(), b"&#65;", b"]", b" ]]>", b"a]]>", b"<![CDATA[]]>"]
)
def test_rfc6120_11_7_text_between_stanzas_is_refused(text):
    [element, error] = after_header(b"<a/>" + text + b"<b/>")
    assert isinstance(element, Element)
    assert refusal([error]) is XmlCondition.BAD_FORMAT


def test_rfc6120_11_7_white_space_between_stanzas_is_ignored():
    events = after_header(b" \n<a/>\t\r\n" + b" " * 20_000 + b"<b/>\r&#32;")
    assert events == [Element(NS_CLIENT, "a"), Element(NS_CLIENT, "b")]


@pytest.mark.parametrize(
    "data",
    [
        HEADER.partition(b"?>")[2],
        b"<stream xmlns='http://etherx.jabber.org/streams'/>",
        b"<message><stream:stream/></message>",
    ],
)
def test_rfc6120_4_9_3_24_a_stream_in_a_stream_is_refused_at_its_start_tag(data):
    [error] = after_header(data)
    assert refusal([error]) is XmlCondition.UNSUPPORTED_STANZA_TYPE


@pytest.mark.parametrize("wrong", [b"<!-- -->", b"</b>"])
def test_rfc6120_4_9_1_1_what_was_complete_before_an_error_is_delivered_and_nothing_after_it(wrong):
    parser = StreamParser(LIMITS)
    _, first, error = parser.feed(HEADER + b"<a>1</a>" + wrong + b"<b/>")
    assert first == Element(NS_CLIENT, "a", None, "1")
    assert isinstance(error, XmlError)
    assert error.__traceback__ is None
    assert error.__context__ is None
    assert parser.feed(b"<c/>") == []


def test_rfc6120_4_4_the_end_of_the_stream_is_the_last_event():
    parser = StreamParser(LIMITS)
    events = parser.feed(HEADER + b"<a/></stream:stream> <!-- nobody reads this --><b/>")
    assert events[1:] == [Element(NS_CLIENT, "a"), StreamEnd()]
    assert parser.feed(b"<c/>") == []


def test_rfc6120_4_2_the_header_says_what_was_declared():
    assert feed(HEADER) == [
        StreamHeader(
            NS_STREAMS,
            "stream",
            {"to": "example.org", "version": "1.0", "xml:lang": "en"},
            default_namespace=NS_CLIENT,
            stream_prefix="stream",
        )
    ]


def test_rfc6120_4_8_5_the_prefix_of_the_header_is_its_own_where_two_mean_the_same():
    [header] = feed(f"<b:stream xmlns:a='{NS_STREAMS}' xmlns:b='{NS_STREAMS}' a:id='1'>".encode())
    assert header == StreamHeader(NS_STREAMS, "stream", {f"{{{NS_STREAMS}}}id": "1"}, "", "b")


def test_rfc6120_4_8_2_the_header_may_be_without_a_prefix():
    header, stanza = feed(f"<stream xmlns='{NS_STREAMS}'><message xmlns='{NS_CLIENT}'/>".encode())
    assert header == StreamHeader(NS_STREAMS, "stream", {}, NS_STREAMS, "")
    assert stanza == Element(NS_CLIENT, "message")


def test_rfc6120_11_2_elements_are_told_by_namespace_whatever_their_prefix():
    [element] = after_header(
        b"<c:a xmlns:c='jabber:client' xmlns:x='urn:x' x:b='1'><x:d xmlns=''><e/></x:d></c:a>"
    )
    assert element == Element(
        NS_CLIENT, "a", {"{urn:x}b": "1"}, Element("urn:x", "d", None, Element("", "e"))
    )


@pytest.mark.parametrize(
    "namespace", ["a b", "a\nb", "a}b", "{a}b", "\u2028", "a'b", " ", "é", "a\tb\rc", "&<>"]
)
def test_rfc6120_11_2_no_namespace_splits_a_name(namespace):
    escaped = "".join(f"&#{ord(character)};" for character in namespace)
    [element] = after_header(f"<a xmlns='{escaped}' xmlns:p='{escaped}' p:b='c'/>".encode())
    assert isinstance(element, Element)
    assert (element.namespace, element.name) == (namespace, "a")
    assert element.attributes == {f"{{{namespace}}}b": "c"}


def test_a_text_is_one_string_however_it_was_written():
    [element] = after_header(b"<a>1\n2&amp;3<![CDATA[<4>]]>5<b/>" + b"6" * 5000 + b"\r\n7</a>")
    assert isinstance(element, Element)
    assert element.children == ["1\n2&3<4>5", Element(NS_CLIENT, "b"), "6" * 5000 + "\n7"]


def test_what_is_delivered_belongs_to_who_takes_it():
    parser = StreamParser(LIMITS)
    _, first = parser.feed(HEADER + b"<a b='c'/>")
    assert isinstance(first, Element)
    first.attributes["b"] = "changed"
    first.append("changed")
    assert parser.feed(b"<a b='c'/>") == [Element(NS_CLIENT, "a", {"b": "c"})]


def test_rest_says_whether_something_is_unfinished():
    parser = StreamParser(LIMITS)
    assert parser.rest()
    for data, at_rest in [(HEADER[:50], False), (HEADER[50:], True), (b"<a", False), (b">", False)]:
        parser.feed(data)
        assert parser.rest() is at_rest
    for data, at_rest in [(b"</a>", True), (b" ", True), (b"\xc3", False)]:
        parser.feed(data)
        assert parser.rest() is at_rest


def test_after_a_rest_the_prefixes_of_the_header_are_bound():
    parser = StreamParser(LIMITS)
    parser.feed(b"<s:stream xmlns='urn:a' xmlns:s='urn:s' xmlns:x='urn:&lt;&apos;&#10;x'>")
    assert parser.rest()
    assert parser.feed(b"<x:b/>") == [Element("urn:<'\nx", "b")]
    assert parser.rest()
    assert parser.feed(b"<c/></s:stream>") == [Element("urn:a", "c"), StreamEnd()]


def test_a_closed_parser_says_nothing():
    parser = StreamParser(LIMITS)
    parser.feed(HEADER + b"<a>")
    parser.close()
    assert parser.feed(b"</a>") == []
    assert parser.rest()


def test_a_fragment_is_one_element():
    element = parse_fragment(" <a b='1'>é<c xmlns='urn:c'/></a>\n", NS_CLIENT)
    assert element == Element(NS_CLIENT, "a", {"b": "1"}, "é", Element("urn:c", "c"))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("", XmlCondition.NOT_WELL_FORMED),
        ("<a>", XmlCondition.NOT_WELL_FORMED),
        ("<a/><b/>", XmlCondition.NOT_WELL_FORMED),
        ("<a/></stream>", XmlCondition.NOT_WELL_FORMED),
        ("</stream>", XmlCondition.NOT_WELL_FORMED),
        ("<?xml version='1.0'?><a/>", XmlCondition.NOT_WELL_FORMED),
        ("<a/><!-- -->", XmlCondition.RESTRICTED_XML),
        ("<a/>b", XmlCondition.BAD_FORMAT),
        ("<a>\ud800</a>", XmlCondition.UNSUPPORTED_ENCODING),
        ("<a>" * 201 + "</a>" * 201, XmlCondition.POLICY_VIOLATION),
    ],
)
def test_a_fragment_obeys_the_rules_of_a_stream(text, condition):
    with pytest.raises(XmlError) as caught:
        parse_fragment(text, NS_CLIENT)
    assert caught.value.condition is condition


def test_an_error_reads_as_condition_and_text():
    assert str(XmlError(XmlCondition.RESTRICTED_XML, "a comment")) == "restricted-xml: a comment"


def test_rfc6120_4_8_2_the_streams_content_namespace_is_given_as_that_of_clients():
    parser = StreamParser(LIMITS, "jabber:server")
    header, message = parser.feed(
        b"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server'>"
        b"<message><body/><x xmlns='urn:x'><forwarded xmlns='jabber:server'/><y/></x>"
        b"<c xmlns='jabber:client'/></message>"
    )
    assert isinstance(header, StreamHeader)
    assert header.default_namespace == "jabber:server"
    wrapped = Element("urn:x", "x", None, Element("jabber:client", "forwarded"), Element("urn:x", "y"))
    inside = (Element("jabber:client", "body"), wrapped, Element("jabber:client", "c"))
    assert message == Element("jabber:client", "message", None, *inside)


def test_attributes_of_the_xml_namespace_keep_their_prefix_however_often_they_come():
    parser = StreamParser(LIMITS)
    parser.feed(b"<stream xmlns='jabber:client'>")
    for _ in range(3):
        [message] = parser.feed(
            b"<message xml:lang='en' id='1' xml:space='preserve' xmlns:a='urn:a' a:b='2'/>"
        )
        assert isinstance(message, Element)
        assert message.attributes == {"xml:lang": "en", "id": "1", "xml:space": "preserve", "{urn:a}b": "2"}
        [message] = parser.feed(b"<message id='1' xml:lang='de'/>")
        assert isinstance(message, Element)
        assert message.attributes == {"xml:lang": "de", "id": "1"}
