"""XEP-0313: what a query says, and how a result is written. Conversations test the rest."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.protocol.archive_query import ArchiveQuery, ArchiveResult, read_query
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.rsm import PageRequest
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MAM
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

ROMEO = JID.parse("romeo@example.org/orchard")


def asked(inside: str, attributes: str = "") -> Element:
    return parse_fragment(f"<query xmlns='{NS_MAM}'{attributes}>{inside}</query>", "")


@given(st.text(alphabet="<>/x='abs:jidformquery12 ", max_size=60))
def test_xep0313_4_1_whatever_a_field_says_is_read_or_refused(value: str):
    form = Element("jabber:x:data", "x", {"type": "submit"})
    for name, text in (("FORM_TYPE", NS_MAM), ("with", value), ("start", value), ("ids", value)):
        field = Element("jabber:x:data", "value", None, text)
        form.append(Element("jabber:x:data", "field", {"var": name}, field))
    with suppress(StanzaError):
        read_query(Element(NS_MAM, "query", None, form), 10)


def test_xep0313_4_nothing_said_is_everything():
    assert read_query(asked(""), 10) == ArchiveQuery()


def test_xep0313_4_what_is_said_is_read():
    form = (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
        "<field var='with'><value>A@example.org</value></field>"
        "<field var='start'><value>1970-01-01T00:00:01Z</value></field>"
        "<field var='end'><value>1970-01-01T00:00:02Z</value></field>"
        "<field var='after-id'><value>3</value></field><field var='before-id'><value>4</value></field>"
        "<field var='ids'><value>5</value><value>6</value></field></x>"
    )
    rsm = "<set xmlns='http://jabber.org/protocol/rsm'><max>9</max><before/></set>"
    assert read_query(asked(f"{form}{rsm}<flip-page/>", " queryid='f'"), 2) == ArchiveQuery(
        "f",
        JID.parse("a@example.org"),
        1_000_000,
        2_000_000,
        3,
        4,
        (5, 6),
        None,
        PageRequest(9, None, ""),
        True,
    )


@pytest.mark.parametrize("xml", ["", "<iq/>", "<messages/>", " <message/>", "<message\n/>"])
def test_what_is_no_message_is_not_sent(xml: str):
    with pytest.raises(ValueError, match="no message"):
        ArchiveResult(ROMEO, ROMEO.bare, None, 1, xml)


TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@given(TEXTS, TEXTS, TEXTS)
def test_xep0313_4_2_a_result_has_the_message_that_was_stored(queryid: str, id: str, body: str):
    """It is written without being read: so any message must come out as it went in."""
    children = [Element(NS_CLIENT, "body", None, body), Element("urn:x", "x", {"a": id})] if body else []
    stored = Element(NS_CLIENT, "message", {"id": id, "type": "chat"}, *children)
    result = ArchiveResult(ROMEO, ROMEO.bare, queryid, 1_500_000, serialize(stored, NS_CLIENT))
    message = parse_fragment(result.xml(), NS_CLIENT)
    assert message.attributes == {"to": str(ROMEO), "from": str(ROMEO.bare)}
    (found,) = message.elements()
    assert found.attributes == {"queryid": queryid, "id": "1500000"}
    delay, inside = found.elements()[0].elements()
    assert delay.get("stamp") == "1970-01-01T00:00:01.500000Z"
    assert inside == stored
