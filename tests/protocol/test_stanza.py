"""RFC 6120 §8: stanzas, read from elements and written again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.protocol.errors import StanzaError, bad_request, forbidden
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import (
    READERS,
    Iq,
    IqType,
    Message,
    MessageType,
    Presence,
    PresenceType,
    Stanza,
    read_iq,
    read_message,
    read_presence,
    unread,
)
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_PING, NS_STANZA_ERRORS
from commonroom.xml.parser import parse_fragment

ROMEO, JULIET = JID.parse("romeo@example.net/orchard"), JID.parse("juliet@example.com/balcony")


def read(element: Element) -> Stanza:
    return READERS[element.name](element)


def xml(text: str) -> Element:
    return parse_fragment(text, NS_CLIENT)


def refused(text: str) -> str:
    element = xml(text)
    with pytest.raises(StanzaError) as caught:
        READERS[element.name](element)
    return caught.value.condition


# What cannot be read


@pytest.mark.parametrize("kind", ["", " type=''", " type='subscribe'", " type='GET'", " type=' get'"])
def test_rfc6120_8_2_3_rule_2_an_iq_of_no_known_type_is_a_bad_request(kind):
    assert refused(f"<iq id='1'{kind}><ping xmlns='urn:xmpp:ping'/></iq>") == "bad-request"


@pytest.mark.parametrize("kind", list(IqType))
def test_rfc6120_8_2_3_rule_1_an_iq_without_an_id_is_a_bad_request(kind):
    assert refused(f"<iq type='{kind.value}'><ping xmlns='urn:xmpp:ping'/></iq>") == "bad-request"


@pytest.mark.parametrize(
    "content", ["", "text", "<a xmlns='x'/><a xmlns='x'/>", "<a xmlns='x'/>text<error/>"]
)
@pytest.mark.parametrize("kind", ["get", "set"])
def test_rfc6120_8_2_3_rule_5_a_request_has_exactly_one_child(kind, content):
    assert refused(f"<iq type='{kind}' id='1'>{content}</iq>") == "bad-request"


@pytest.mark.parametrize("kind", ["available", "", "Unavailable", "invisible", "chat"])
def test_rfc6121_4_7_1_a_presence_type_that_is_not_defined_is_a_bad_request(kind):
    assert refused(f"<presence type='{kind}'/>") == "bad-request"


@pytest.mark.parametrize("to", ["", "@example.com", "a@b@c", "juliet@", "juliet@example.com/", "a b@c"])
@pytest.mark.parametrize(
    "stanza",
    ["<message to='{}'/>", "<presence to='{}'/>", "<iq type='get' id='1' to='{}'><a xmlns='x'/></iq>"],
)
def test_rfc6120_8_3_3_8_a_to_that_is_no_address_is_malformed(stanza, to):
    assert refused(stanza.format(to)) == "jid-malformed"


@pytest.mark.parametrize("priority", ["129", "-129", "high", "1.5", "1e1", "0x1", "9" * 5000])
def test_rfc6121_4_7_2_3_a_priority_that_is_no_small_integer_is_a_bad_request(priority):
    presence = read_presence(xml(f"<presence><priority>{priority}</priority></presence>"))
    with pytest.raises(StanzaError) as caught:
        presence.priority()
    assert caught.value.condition == "bad-request"


# The answer to what could not be read


@pytest.mark.parametrize("name", ["message", "presence", "iq"])
@pytest.mark.parametrize("kind", ["error", "result"])
def test_rfc6120_8_3_1_an_error_is_not_answered_even_if_it_cannot_be_read(name, kind):
    assert unread(xml(f"<{name} type='{kind}' to='@'/>"), bad_request()) is None


@pytest.mark.parametrize("name", ["message", "presence", "iq"])
def test_rfc6120_8_3_the_answer_is_of_the_same_kind_and_mirrors_the_id(name):
    answer = unread(xml(f"<{name} id='x&lt;1' to='@'/>"), bad_request("why"))
    assert answer is not None
    written = xml(answer.xml())
    assert (written.name, written.get("type"), written.get("id")) == (name, "error", "x<1")
    error = written.only_child()
    assert error is not None
    assert (error.get("type"), error.elements()[0].name) == ("modify", "bad-request")
    assert error.child_text(NS_STANZA_ERRORS, "text") == "why"


def test_rfc6120_8_3_1_the_answer_does_not_repeat_a_malformed_address():
    answer = unread(xml("<iq id='1' to='@'/>"), bad_request())
    assert answer is not None
    assert "@" not in answer.xml()


# What can be read


@pytest.mark.parametrize("kind", ["", "CHAT", "jabber", "available"])
def test_rfc6121_5_2_2_a_message_type_that_nobody_knows_is_normal(kind):
    assert read_message(xml(f"<message type='{kind}'/>")).type is MessageType.NORMAL


def test_rfc6120_8_1_addresses_are_normalised_and_from_is_left_to_whoever_knows():
    for text in (
        "<message to='JULIET@EXAMPLE.com/balcony' from='romeo@example.net'/>",
        "<presence to='Juliet@example.com/balcony' from='romeo@example.net'/>",
        "<iq type='result' id='1' to='juliet@example.COM/balcony' from='romeo@example.net'/>",
    ):
        stanza = read(xml(text))
        assert (stanza.to, stanza.sender) == (JULIET, None)


@pytest.mark.parametrize("kind", list(MessageType))
def test_rfc6121_5_2_2_message_types(kind):
    assert read_message(xml(f"<message type='{kind.value}'/>")).type is kind
    assert read_message(xml("<message/>")).type is MessageType.NORMAL


@pytest.mark.parametrize("kind", [kind for kind in PresenceType if kind is not PresenceType.AVAILABLE])
def test_rfc6121_4_7_1_presence_types(kind):
    assert read_presence(xml(f"<presence type='{kind.value}'/>")).type is kind
    assert read_presence(xml("<presence/>")).type is PresenceType.AVAILABLE


@pytest.mark.parametrize(("text", "priority"), [("", 0), (" 5 ", 5), ("-128", -128), ("127", 127), ("+1", 1)])
def test_rfc6121_4_7_2_3_priorities(text, priority):
    assert read_presence(xml(f"<presence><priority>{text}</priority></presence>")).priority() == priority
    assert read_presence(xml("<presence/>")).priority() == 0


def test_rfc6120_8_2_3_a_result_may_be_empty_and_an_error_may_hold_the_request():
    assert read_iq(xml("<iq type='result' id='1'/>")).type is IqType.RESULT
    assert (
        read_iq(xml("<iq type='error' id='1'><ping xmlns='urn:xmpp:ping'/><error/></iq>")).type
        is IqType.ERROR
    )


def test_rfc6120_8_2_3_blanks_around_the_child_of_a_request_do_not_count():
    iq = read_iq(xml("<iq type='get' id='1'>\n  <ping xmlns='urn:xmpp:ping'/>\n</iq>"))
    assert iq.request() == Element(NS_PING, "ping")
    assert iq.is_request


def test_rfc6121_5_2_3_the_body_is_that_of_the_content_namespace():
    message = read_message(
        xml("<message><body xmlns='urn:x'>no</body><body>yes</body><body>late</body></message>")
    )
    assert message.body() == "yes"
    assert Message().body() is None
    assert message.child("urn:x", "body") is message.elements()[0]


# What is written


def test_rfc6120_8_2_3_rule_4_results_and_errors_are_never_refused():
    for kind in (IqType.RESULT, IqType.ERROR):
        assert Iq(kind, ROMEO, JULIET, "1").refused(forbidden()) is None
    assert Message(MessageType.ERROR, ROMEO, JULIET).refused(forbidden()) is None
    assert Presence(PresenceType.ERROR, ROMEO, JULIET).refused(forbidden()) is None


@pytest.mark.parametrize(
    "stanza",
    [
        Message(MessageType.CHAT, ROMEO, JULIET, "m1"),
        Presence(PresenceType.SUBSCRIBE, ROMEO, JULIET, "m1"),
        Iq(IqType.GET, ROMEO, JULIET, "m1", [Element(NS_PING, "ping")]),
    ],
)
def test_rfc6120_8_3_1_a_refusal_swaps_the_addresses_and_mirrors_the_id(stanza: Stanza):
    answer = stanza.refused(forbidden())
    assert answer is not None
    assert (answer.name, answer.to, answer.sender, answer.id) == (stanza.name, JULIET, ROMEO, "m1")
    written = xml(answer.xml())
    assert written.get("type") == "error"
    assert [element.name for element in written.elements()] == ["error"]


def test_rfc6120_8_1_3_a_result_mirrors_the_id_and_swaps_the_addresses():
    iq = Iq(IqType.GET, ROMEO, JULIET, "i1", [Element(NS_PING, "ping")])
    assert iq.result().xml() == f"<iq type='result' to='{JULIET}' from='{ROMEO}' id='i1'/>"
    assert iq.result(Element(NS_PING, "ping")).request() == Element(NS_PING, "ping")


@pytest.mark.parametrize(
    ("stanza", "written"),
    [
        (Message(), "<message/>"),
        (Message(MessageType.CHAT, to=JULIET), f"<message type='chat' to='{JULIET}'/>"),
        (Presence(), "<presence/>"),
        (Presence(PresenceType.PROBE, sender=ROMEO), f"<presence type='probe' from='{ROMEO}'/>"),
        (Iq(IqType.SET, id="1"), "<iq type='set' id='1'/>"),
        (Message(lang="de", children=["a&b"]), "<message xml:lang='de'>a&amp;b</message>"),
    ],
)
def test_rfc6120_8_1_what_is_absent_is_not_written(stanza: Stanza, written):
    assert stanza.xml() == written


def test_rfc6120_8_4_attributes_of_other_namespaces_are_kept_and_stay_apart():
    text = "<message xmlns:a='urn:a' xmlns:b='urn:b' a:x='1' b:x='&lt;' custom='3' xml:space='preserve'/>"
    message = read_message(xml(text))
    assert xml(message.xml()) == xml(text)


def test_rfc6120_8_1_5_the_language_of_a_stanza_is_not_touched():
    assert (
        xml(read_presence(xml("<presence xml:lang='x-any thing'/>")).xml()).get("xml:lang") == "x-any thing"
    )


def test_a_copy_shares_the_serialized_children_and_nothing_else():
    message = Message(MessageType.CHAT, ROMEO, JULIET, "1", [Element(NS_CLIENT, "body", None, "hi")], "en")
    copy = message.addressed(JULIET, None)
    assert copy.payload() is message.payload()
    assert xml(copy.xml()) == xml(
        f"<message type='chat' to='{JULIET}' id='1' xml:lang='en'><body>hi</body></message>"
    )
    assert (message.to, message.sender) == (ROMEO, JULIET)


def test_what_is_appended_before_writing_is_written():
    message = Message(MessageType.CHAT, children=[])
    assert message.xml() == "<message type='chat'/>"
    message.append(Element("urn:x", "x"))
    assert message.xml() == "<message type='chat'><x xmlns='urn:x'/></message>"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n"), max_size=20)


@given(st.sampled_from(["message", "presence", "iq"]), TEXT, TEXT, TEXT)
def test_rfc6120_11_3_what_was_read_is_written_well_formed_and_means_the_same(name, stanza_id, extra, text):
    attributes = {"id": stanza_id, "to": str(JULIET), "{urn:a}x": extra, "{urn:b}x": extra, "odd": extra}
    if name == "iq":
        attributes["type"] = "result"
    element = Element(NS_CLIENT, name, attributes, Element(NS_CLIENT, "body", {"a": text}, text), text)
    assert xml(read(element).xml()) == element
