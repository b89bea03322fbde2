"""The tree: reading it, changing it, comparing it."""

import pytest

from commonroom.xml.element import Element

BODY = Element("urn:a", "body", None, "one ", Element("urn:a", "b", None, "bold"), "two")
MESSAGE = Element("urn:a", "message", {"id": "1", "xml:lang": "en"}, " ", BODY, Element("urn:b", "x"))


def test_what_is_not_there_is_none():
    assert MESSAGE.get("to") is None
    assert MESSAGE.child("urn:b", "body") is None
    assert MESSAGE.child("urn:a", "x") is None
    assert MESSAGE.child_text("urn:a", "subject") is None


def test_several_children_are_not_an_only_child_and_neither_are_none_or_text():
    assert MESSAGE.only_child() is None
    assert Element("urn:a", "iq").only_child() is None
    assert Element("urn:a", "iq", None, "text").only_child() is None


def test_the_only_child_may_have_text_around_it():
    assert Element("urn:a", "iq", None, "\n", BODY, "\n").only_child() is BODY


def test_attributes_and_children_are_found():
    assert MESSAGE.get("id") == "1"
    assert MESSAGE.get("to", "nobody") == "nobody"
    assert MESSAGE.child("urn:a", "body") is BODY
    assert [element.name for element in MESSAGE.elements()] == ["body", "x"]


def test_text_is_the_text_directly_in_an_element():
    assert BODY.text() == "one two"
    assert MESSAGE.child_text("urn:a", "body") == "one two"
    assert MESSAGE.child_text("urn:b", "x") == ""


def test_append_returns_the_element():
    element = Element("urn:a", "a")
    assert element.append("text", BODY) is element
    assert element.children == ["text", BODY]


def test_new_elements_share_nothing():
    one, other = Element("urn:a", "a"), Element("urn:a", "a")
    one.append("text")
    one.attributes["id"] = "1"
    assert other == Element("urn:a", "a")


@pytest.mark.parametrize(
    "other",
    [
        Element("urn:b", "a", {"b": "c"}, "d"),
        Element("urn:a", "b", {"b": "c"}, "d"),
        Element("urn:a", "a", {"b": "d"}, "d"),
        Element("urn:a", "a", {"b": "c"}),
        Element("urn:a", "a", {"b": "c"}, "d", Element("urn:a", "e")),
        "<a xmlns='urn:a' b='c'>d</a>",
    ],
)
def test_what_differs_in_anything_is_not_equal(other):
    assert Element("urn:a", "a", {"b": "c"}, "d") != other


def test_what_means_the_same_is_equal():
    one = Element("urn:a", "a", {"b": "c", "d": "e"}, "te", "", "xt", Element("urn:a", "f"), "")
    other = Element("urn:a", "a", {"d": "e", "b": "c"}, "text", Element("urn:a", "f"))
    assert one == other


def test_joining_makes_one_text_of_several_at_every_depth():
    element = Element("urn:a", "a", None, "1", "2", Element("urn:a", "b", None, "", "3", "4"), "5", "")
    element.join_texts()
    assert element.children == ["12", Element("urn:a", "b", None, "34"), "5"]
    assert element.elements()[0].children == ["34"]


def test_an_element_can_change_and_has_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(MESSAGE)


def test_an_element_shows_itself_as_xml():
    assert repr(Element("urn:a", "a", {"b": "'"}, "<")) == "<a xmlns='urn:a' b='&apos;'>&lt;</a>"
