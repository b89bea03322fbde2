"""XEP-0059: what a request for a page says, and how a page is described."""

import pytest

from commonroom.protocol.errors import StanzaError
from commonroom.protocol.rsm import FIRST_PAGE, NS_RSM, PageRequest, page_description, read_page_request
from commonroom.xml.element import Element
from commonroom.xml.parser import parse_fragment


def request(inside: str) -> Element:
    return parse_fragment(f"<set xmlns='{NS_RSM}'>{inside}</set>", "")


@pytest.mark.parametrize("most", ["", "-1", "1.0", "1_0", "\u0661", "x", "1" * 10])
def test_xep0059_2_1_the_length_of_a_page_is_a_number(most: str):
    with pytest.raises(StanzaError, match="bad-request"):
        read_page_request(request(f"<max>{most}</max>"))


def test_xep0059_2_6_a_page_by_its_index_is_refused():
    with pytest.raises(StanzaError, match="feature-not-implemented"):
        read_page_request(request("<max>10</max><index>0</index>"))


def test_xep0059_2_1_nothing_asked_is_the_first_page():
    assert read_page_request(None) is FIRST_PAGE
    assert read_page_request(request("")) == FIRST_PAGE
    assert read_page_request(request("<max xmlns='urn:x'>no number</max>")) == FIRST_PAGE


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<max>10</max>", PageRequest(10)),
        ("<max> 0 </max>", PageRequest(0)),
        ("<after>x</after>", PageRequest(after="x")),
        ("<after/>", PageRequest()),
        ("<before>x</before>", PageRequest(before="x")),
        ("<before/>", PageRequest(before="")),
    ],
)
def test_xep0059_2_2_what_is_asked_is_read(inside: str, expected: PageRequest):
    assert read_page_request(request(inside)) == expected


def test_xep0059_2_2_an_empty_page_has_no_first_and_no_last():
    assert page_description(None, None) == request("")
    assert page_description(None, None, count=0) == request("<count>0</count>")


def test_xep0059_2_2_a_page_is_described():
    described = page_description("a", "b", 3, 7)
    assert described == request("<first index='3'>a</first><last>b</last><count>7</count>")
    assert page_description("a", "a") == request("<first>a</first><last>a</last>")
