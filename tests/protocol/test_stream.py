"""RFC 6120 §4.7, §4.8: stream headers."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.stream import Header, read_header, response_header, stream_error
from commonroom.xml.names import NS_CLIENT, NS_STREAMS
from commonroom.xml.parser import StreamHeader, StreamParser, XmlCondition, XmlError
from tests.protocol.streams import NO_LIMITS


def raw(
    namespace: str = NS_STREAMS, name: str = "stream", default: str = NS_CLIENT, **attributes: str | None
) -> StreamHeader:
    given = {"to": "example.com", "version": "1.0"} | attributes
    given = {name.replace("_", ":"): value for name, value in given.items() if value is not None}
    if sender := given.pop("sender", None):
        given["from"] = sender
    return StreamHeader(namespace, name, given, default, "stream")  # type: ignore[arg-type]


def refused(header: StreamHeader) -> StreamCondition:
    with pytest.raises(StreamError) as caught:
        read_header(header, NS_CLIENT)
    return caught.value.condition


@pytest.mark.parametrize("namespace", ["", "jabber:client", "http://etherx.jabber.org/streams/"])
def test_rfc6120_4_8_1_a_root_in_another_namespace_is_refused(namespace):
    assert refused(raw(namespace)) is StreamCondition.INVALID_NAMESPACE


@pytest.mark.parametrize("name", ["features", "error", "Stream", "strea"])
def test_rfc6120_4_8_1_a_root_that_is_no_stream_is_refused(name):
    assert refused(raw(name=name)) is StreamCondition.BAD_FORMAT


@pytest.mark.parametrize("default", ["jabber:server", "jabber:component:accept", "jabber:client:"])
def test_rfc6120_4_8_3_a_default_namespace_other_than_the_content_namespace_is_refused(default):
    assert refused(raw(default=default)) is StreamCondition.INVALID_NAMESPACE


@pytest.mark.parametrize(
    "version", [None, "", "0.9", "0.99", "00.1", "1", "1.", ".1", "1.0.0", "-1.0", "x", "\u0661.\u0660"]
)
def test_rfc6120_4_7_5_a_version_that_is_missing_or_below_1_0_is_refused(version):
    assert refused(raw(version=version)) is StreamCondition.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    "to", ["", " ", "juliet@example.com", "example.com/balcony", "a b", "@example.com", "x" * 1100]
)
def test_rfc6120_4_7_2_a_to_that_is_no_domain_is_refused(to):
    assert refused(raw(to=to)) is StreamCondition.IMPROPER_ADDRESSING


@pytest.mark.parametrize("sender", ["@", "juliet@", "a@b@c", "jul iet@example.com"])
def test_rfc6120_4_7_1_a_from_that_is_no_address_is_refused(sender):
    assert refused(raw(sender=sender)) is StreamCondition.IMPROPER_ADDRESSING


@pytest.mark.parametrize("version", ["1.0", "1.1", "01.00", "6.01", "11.0", "1.13", "9" * 9000 + ".0"])
def test_rfc6120_4_7_5_rule_2_any_version_from_1_0_on_will_do(version):
    assert read_header(raw(version=version), NS_CLIENT).to == "example.com"


def test_rfc6120_4_8_2_the_content_namespace_need_not_be_the_default():
    assert read_header(raw(default=""), NS_CLIENT).to == "example.com"
    assert read_header(raw(default=NS_STREAMS), NS_CLIENT).to == "example.com"


def test_rfc6120_4_7_addresses_are_normalised_and_what_is_missing_is_none():
    header = raw(to="EXAMPLE.com", sender="Juliet@Example.COM/Balcony", xml_lang="de-CH")
    assert read_header(header, NS_CLIENT) == Header("example.com", "juliet@example.com/Balcony", "de-CH")  # type: ignore[arg-type]
    assert read_header(raw(to=None), NS_CLIENT) == Header(None, None, None)


@pytest.mark.parametrize("language", ["", "'/>", "en_GB", "de DE", "a" * 9, "en-" * 12 + "x", "ελ", "en\n"])
def test_rfc6120_4_7_4_what_cannot_be_a_language_is_not_passed_on(language):
    assert read_header(raw(xml_lang=language), NS_CLIENT).language is None


@pytest.mark.parametrize("language", ["en", "de-CH", "zh-Hant-TW", "x-klingon", "sl-IT-nedis", "de-CH-1996"])
def test_rfc6120_4_7_4_a_language_is_remembered(language):
    assert read_header(raw(xml_lang=language), NS_CLIENT).language == language


@dataclass
class Written:
    """A header that we wrote, read by a parser."""

    opening: StreamHeader | None

    def __post_init__(self) -> None:
        text = response_header(self.opening, NS_CLIENT, "example.com", "4df<'&>")
        (event,) = StreamParser(NO_LIMITS).feed(text.encode())
        assert isinstance(event, StreamHeader)
        self.header = event


def test_rfc6120_4_7_6_the_response_has_from_id_language_and_version():
    header = Written(raw(sender="juliet@example.com/balcony")).header
    assert header == StreamHeader(
        NS_STREAMS,
        "stream",
        {
            "from": "example.com",
            "to": "juliet@example.com",
            "id": "4df<'&>",
            "version": "1.0",
            "xml:lang": "en",
        },
        NS_CLIENT,
        "stream",
    )


def test_rfc6120_4_7_2_without_a_from_the_response_has_no_to():
    assert "to" not in Written(raw()).header.attributes


def test_rfc6120_4_9_1_2_the_header_before_an_error_is_addressed_as_well_as_can_be():
    assert Written(raw("wrong", sender="juliet@example.com")).header.attributes["to"] == "juliet@example.com"
    assert "to" not in Written(raw(sender="@")).header.attributes
    assert "to" not in Written(None).header.attributes


def test_rfc6120_4_7_5_rule_4_who_has_no_version_is_answered_without():
    assert "version" not in Written(raw(version=None)).header.attributes
    assert Written(None).header.attributes["version"] == "1.0"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_a_hostile_from_cannot_break_the_response(sender):
    assert Written(raw(sender=sender or None)).header.name == "stream"


@pytest.mark.parametrize("condition", XmlCondition)
def test_rfc6120_4_9_3_what_the_xml_layer_refuses_is_a_stream_error(condition):
    error = stream_error(XmlError(condition, "why"))
    assert (error.condition.value, error.text) == (condition.value, "why")
