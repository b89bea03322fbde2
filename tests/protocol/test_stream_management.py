"""XEP-0198 §3 to §6: the elements."""

import pytest

from commonroom.protocol.errors import StanzaError, unexpected_request
from commonroom.protocol.stream_management import (
    NS_SM,
    WRAP,
    Enable,
    Resume,
    answer,
    counted_too_many,
    enabled,
    failed,
    read_count,
    read_enable,
    read_resume,
    resumed,
)
from commonroom.xml.element import Element
from tests.protocol.streams import STARTTLS, Peer

NOT_COUNTS = ["", "-1", "+1", "1.0", " 1", "0x1", "a", "\u0661", str(WRAP), "9" * 10, "9" * 5000]


@pytest.mark.parametrize("text", ["maybe", "TRUE", "2", "yes", " true"])
def test_xep0198_3_resume_is_a_boolean(text: str):
    with pytest.raises(StanzaError, match="bad-request"):
        read_enable(Element(NS_SM, "enable", {"resume": text}))


@pytest.mark.parametrize("text", ["", "-1", "soon", "1.5", "\u0661"])
def test_xep0198_3_max_is_a_number_of_seconds(text: str):
    with pytest.raises(StanzaError, match="bad-request"):
        read_enable(Element(NS_SM, "enable", {"max": text}))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, Enable(False, None)),
        ({"resume": "true"}, Enable(True, None)),
        ({"resume": "1", "max": "60"}, Enable(True, 60)),
        ({"resume": "false", "max": "0"}, Enable(False, 1)),
        ({"resume": "0"}, Enable(False, None)),
        ({"max": "9" * 400}, Enable(False, 999_999_999)),
    ],
)
def test_xep0198_3_both_forms_of_a_boolean_are_understood(attributes: dict[str, str], expected: Enable):
    assert read_enable(Element(NS_SM, "enable", attributes)) == expected


@pytest.mark.parametrize("text", NOT_COUNTS)
def test_xep0198_4_a_count_is_an_unsigned_integer_of_32_bits(text: str):
    with pytest.raises(StanzaError, match="bad-request"):
        read_count(Element(NS_SM, "a", {"h": text}))


def test_xep0198_4_an_answer_must_have_a_count():
    with pytest.raises(StanzaError, match="bad-request"):
        read_count(Element(NS_SM, "a"))


@pytest.mark.parametrize("number", [0, 1, WRAP - 1])
def test_xep0198_4_the_smallest_and_the_greatest_count(number: int):
    assert read_count(Element(NS_SM, "a", {"h": str(number)})) == number


def test_xep0198_4_the_count_begins_anew_after_the_greatest():
    assert answer(WRAP - 1).endswith(f"h='{WRAP - 1}'/>")
    assert answer(WRAP).endswith("h='0'/>")
    assert resumed("x", WRAP + 2).get("h") == "2"
    assert failed(unexpected_request(), WRAP + 3).get("h") == "3"


@pytest.mark.parametrize("attributes", [{}, {"h": "1"}, {"previd": "", "h": "1"}, {"previd": "x"}])
def test_xep0198_5_a_wish_to_resume_has_a_name_and_a_count(attributes: dict[str, str]):
    with pytest.raises(StanzaError, match="bad-request"):
        read_resume(Element(NS_SM, "resume", attributes))


def test_xep0198_5_a_wish_to_resume():
    assert read_resume(Element(NS_SM, "resume", {"previd": "x", "h": "7"})) == Resume("x", 7)


def test_xep0198_3_what_can_be_resumed_has_a_name_and_a_time():
    assert enabled("x", 60).attributes == {"id": "x", "resume": "true", "max": "60"}
    assert enabled(None, 60).attributes == {}


def test_xep0198_6_a_failure_has_a_condition_and_no_text():
    element = failed(unexpected_request("with a text"))
    assert [child.name for child in element.elements()] == ["unexpected-request"]
    assert element.attributes == {}


def test_xep0198_6_who_counts_too_many_is_told_both_numbers():
    error = counted_too_many(10, 8).xml()
    assert "<undefined-condition" in error
    assert f"<handled-count-too-high xmlns='{NS_SM}' h='10' send-count='8'/>" in error
    assert "You acknowledged 10 stanzas, but I only sent you 8 so far." in error


@pytest.mark.parametrize("name", ["enable", "resume"])
def test_xep0198_3_before_tls_it_is_refused_and_the_stream_lives_on(name: str):
    peer = Peer(needs_tls=True)
    peer.open(to="example.com")
    (answered,) = peer.send(f"<{name} xmlns='{NS_SM}'/>")
    assert [child.name for child in answered.elements()] == ["unexpected-request"]
    peer.send(STARTTLS)
    assert peer.events[-1][0] == "start_tls"
