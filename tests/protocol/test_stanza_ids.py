"""XEP-0359: whose ids they are, and where ours are written."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import (
    LONGEST_ORIGIN,
    claims_id_by,
    origin_of,
    read_archive_id,
    stanza_id,
)
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STANZA_IDS
from commonroom.xml.parser import parse_fragment

OURS = frozenset({"example.org"})
JULIET = JID.parse("juliet@example.org").with_resource("d'arc")


def origin(id: str | None) -> Element:
    return Element(NS_STANZA_IDS, "origin-id", None if id is None else {"id": id})


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", "1.0", "1_0", " 1", "x", "9" * 19, "\u0661", "1\n"]
)
def test_xep0313_6_2_what_cannot_be_an_id_is_none(text: str):
    assert read_archive_id(text) is None


def test_xep0313_6_2_an_id_is_a_number():
    assert read_archive_id("1772366400000000") == 1772366400000000


@pytest.mark.parametrize(
    "element",
    [
        Element(NS_STANZA_IDS, "stanza-id", {"id": "1"}),
        Element(NS_STANZA_IDS, "stanza-id", {"by": "example.com"}),
        Element(NS_STANZA_IDS, "stanza-id", {"by": "a@b@c"}),
        Element(NS_STANZA_IDS, "origin-id", {"by": "example.org"}),
        Element("urn:xmpp:sid:1", "stanza-id", {"by": "example.org"}),
    ],
)
def test_xep0359_3_what_is_not_said_in_our_name(element: Element):
    assert not claims_id_by(element, OURS)


@pytest.mark.parametrize("by", ["example.org", "A@Example.ORG/x"])
def test_xep0359_3_what_is_said_in_our_name(by: str):
    assert claims_id_by(Element(NS_STANZA_IDS, "stanza-id", {"by": by}), OURS)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message(), None),
        (Message(id=""), None),
        (Message(id="m"), "m"),
        (Message(children=[origin("o")]), "o"),
        (Message(children=[origin(None)]), None),
        (Message(id="m", children=[origin("o")]), "m"),
        (Message(id="m" * LONGEST_ORIGIN), "m" * LONGEST_ORIGIN),
        (Message(id="m" * (LONGEST_ORIGIN + 1)), None),
    ],
)
def test_xep0424_5_1_the_id_that_the_sender_gave(message: Message, expected: str | None):
    assert origin_of(message) == expected


@pytest.mark.parametrize("children", [[], [Element(NS_CLIENT, "body", None, "</message>")]])
def test_xep0313_3_5_the_text_tells_the_id_and_the_tree_does_not(children: list[Element | str]):
    message = Message(to=JULIET, id="m", children=list(children))
    plain = parse_fragment(message.xml(), NS_CLIENT)
    message.file_under(JULIET, "7")
    told = parse_fragment(message.xml(), NS_CLIENT)
    assert told == plain.append(stanza_id(JULIET, "7"))
    assert message.children == children
    assert "stanza-id" not in message.addressed(JULIET, None).xml()
