"""RFC 6120 §11.3: what is written is well-formed, and reads back as what it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_XML
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import (
    escape_attribute,
    escape_text,
    serialize,
    serialize_attributes,
    serialize_children,
    start_tag,
)

# All that XML allows (XML 1.0, production 2), with what needs care more often than chance would have it.
CHARACTERS = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
)
TEXTS = st.text(st.sampled_from("&<>'\"]\t\n\r {}") | CHARACTERS, max_size=8)
NAMES = st.from_regex(r"[a-zA-Zé_][a-z0-9._-]{0,3}", fullmatch=True)
NAMESPACES = st.sampled_from(["", NS_CLIENT, NS_XML, "urn:b", "a}b", "{", "a b\n'&<\t"]) | TEXTS
KEYS = NAMES | NAMES.map("xml:{}".format) | st.builds("{{{}}}{}".format, TEXTS.filter(bool), NAMES)


def elements(children: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
    return st.builds(
        lambda namespace, name, attributes, inner: Element(namespace, name, attributes, *inner),
        NAMESPACES,
        NAMES,
        st.dictionaries(KEYS, TEXTS, max_size=4),
        st.lists(children | TEXTS, max_size=4),
    )


TREES = st.recursive(elements(st.nothing()), elements, max_leaves=8)


@given(TREES, NAMESPACES.filter(lambda namespace: namespace != NS_XML))
def test_rfc6120_11_3_every_tree_reads_back_as_itself(tree, default):
    assert parse_fragment(serialize(tree, default), default) == tree


def test_rfc6120_11_3_white_space_survives_in_attributes_and_carriage_returns_in_text():
    assert escape_attribute("\t\n\r x") == "&#9;&#10;&#13; x"
    assert escape_text("\t\n\r x") == "\t\n&#13; x"


def test_rfc6120_11_3_markup_is_escaped():
    assert escape_attribute("<a b='c'>\"&amp;") == '&lt;a b=&apos;c&apos;>"&amp;amp;'
    assert escape_text("<a b='c'>]]>&amp;") == "&lt;a b='c'&gt;]]&gt;&amp;amp;"


@pytest.mark.parametrize("text", ["plain", "€ \U0001f600", "a\u2028b\u0085c", ""])
def test_what_needs_no_escape_stays(text):
    assert escape_attribute(text) == text
    assert escape_text(text) == text


def test_rfc6120_4_8_2_the_default_namespace_is_not_repeated():
    message = Element(NS_CLIENT, "message", {"to": "a@b"}, Element(NS_CLIENT, "body", None, "hi"))
    assert serialize(message, NS_CLIENT) == "<message to='a@b'><body>hi</body></message>"
    assert serialize(message, "") == "<message xmlns='jabber:client' to='a@b'><body>hi</body></message>"


def test_namespaces_change_downwards_and_back():
    tree = Element(
        "a", "a", None, Element("b", "b", None, Element("", "c", None, Element("a", "d"))), Element("a", "e")
    )
    assert serialize(tree, "a") == "<a><b xmlns='b'><c xmlns=''><d xmlns='a'/></c></b><e/></a>"


def test_the_xml_namespace_keeps_its_prefix_and_is_never_declared():
    tree = Element("a", "a", None, Element(NS_XML, "b", {"xml:lang": "en"}, Element("a", "c")))
    assert serialize(tree, "a") == "<a><xml:b xml:lang='en'><c/></xml:b></a>"


def test_qualified_attributes_declare_their_prefixes():
    text = serialize_attributes({"{urn:b}c": "1", "d": "2", "{urn:b}e": "3"})
    assert text == " xmlns:ns0='urn:b' ns0:c='1' d='2' xmlns:ns3='urn:b' ns3:e='3'"


def test_children_are_written_for_the_namespace_of_their_parent():
    children: list[Element | str] = ["1 < 2", Element("a", "b"), Element("c", "d")]
    assert serialize_children(children, "a") == "1 &lt; 2<b/><d xmlns='c'/>"


def test_a_start_tag_and_children_written_apart_are_the_whole():
    tree = Element("a", "b", {"c": "'"}, "text", Element("a", "d"))
    for default in ("", "a"):
        start = start_tag(tree.namespace, tree.name, tree.attributes, default)
        assert start + serialize_children(tree.children, tree.namespace) + "</b>" == serialize(tree, default)
