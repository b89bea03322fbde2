"""RFC 6121 §8.5.1 to §8.5.4: which resources get a message; where the table leaves a choice, this is ours."""

import pytest

from tests.conversations.world import Client, World, condition

KINDS = ("normal", "chat", "groupchat", "headline", "error")

# Juliet's resources and their priorities; None is connected, but not available.
SITUATIONS: dict[str, dict[str, int | None]] = {
    "no account": {},
    "no resources": {},
    "connected": {"balcony": None},
    "negative": {"balcony": -1},
    "several negative": {"balcony": -1, "chamber": -128},
    "one": {"balcony": 0},
    "several": {"balcony": 5, "chamber": 5, "garden": 1, "vault": -1, "orchard": None},
}

# One letter for each of KINDS: (E)rror, (O)ffline, (S)ilence, (D)elivered to balcony, to the (M)ost available
# resources, to (A)ll that are not negative.
TABLE = [
    ("no account", "bare", "EEESS"),
    ("no account", "full no match", "EEESS"),
    ("no resources", "bare", "OOESS"),
    ("no resources", "full no match", "EOESS"),
    ("connected", "bare", "OOESS"),
    ("connected", "full match", "DDDDD"),
    ("connected", "full no match", "EOESS"),
    ("negative", "bare", "OOESS"),
    ("negative", "full match", "DDDDD"),
    ("negative", "full no match", "EOESS"),
    ("several negative", "bare", "OOESS"),
    ("several negative", "full match", "DDDDD"),
    ("several negative", "full no match", "EOESS"),
    ("one", "bare", "DDEDS"),
    ("one", "full match", "DDDDD"),
    ("one", "full no match", "EDESS"),
    ("several", "bare", "MMEAS"),
    ("several", "full match", "DDDDD"),
    ("several", "full no match", "EMESS"),
]
ADDRESSES = {"bare": "", "full match": "/balcony", "full no match": "/elsewhere"}
RECIPIENTS = {"D": {"balcony"}, "M": {"balcony", "chamber"}, "A": {"balcony", "chamber", "garden"}}


def arranged(situation: str) -> tuple[World, Client, dict[str, Client]]:
    """Romeo, who will write, and Juliet's clients."""
    world = World("romeo@example.org", *(() if situation == "no account" else ("juliet@example.org",)))
    juliet = {}
    for resource, priority in SITUATIONS[situation].items():
        address = f"juliet@example.org/{resource}"
        juliet[resource] = world.login(address) if priority is None else world.online(address, priority)
    for client in juliet.values():
        client.received()
    return world, world.login("romeo@example.org/orchard"), juliet


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("situation", "address", "letters"), TABLE)
def test_rfc6121_8_5_4_who_gets_a_message(situation: str, address: str, letters: str, kind: str):
    world, romeo, juliet = arranged(situation)
    to = f"juliet@example.org{ADDRESSES[address]}"
    content = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    romeo.send(
        f"<message to='{to}' type='{kind}' id='m1'><body>?</body>{content * (kind == 'error')}</message>"
    )
    expected = letters[KINDS.index(kind)]

    delivered = {name: client.received() for name, client in juliet.items()}
    assert {name for name, got in delivered.items() if got} == RECIPIENTS.get(expected, set())
    for message in (message for got in delivered.values() for message in got):
        # "In all cases, the server MUST NOT rewrite the 'to' attribute" (§8.5.2.1.1).
        assert message.get("to") == to
        assert message.get("from") == "romeo@example.org/orchard"
        assert message.get("type", "normal") == kind

    answers = romeo.received()
    assert [(e.get("type"), e.get("id"), e.get("from"), condition(e)) for e in answers] == (
        [("error", "m1", to, "service-unavailable")] if expected == "E" else []
    )
    for client in juliet.values():
        client.leave()  # whoever got it has it now
    stored = world.memory.kept.get("juliet@example.org")  # type: ignore[call-overload]  # a JID is its text
    assert len(stored.offline if stored else ()) == (expected == "O")


def test_rfc6121_5_2_2_an_unknown_type_is_normal():
    _, romeo, juliet = arranged("one")
    romeo.send("<message to='juliet@example.org' type='letter'><body>?</body></message>")
    assert juliet["balcony"].one().get("type", "normal") == "normal"


def test_rfc6121_8_5_2_1_1_a_negative_resource_gets_what_names_it():
    _, romeo, juliet = arranged("several")
    romeo.send("<message to='juliet@example.org/vault' type='chat'><body>?</body></message>")
    assert {name for name, client in juliet.items() if client.received()} == {"vault"}


def test_rfc6121_5_3_extended_content_arrives_as_it_was_sent():
    _, romeo, juliet = arranged("one")
    romeo.send(
        "<message to='juliet@example.org' type='chat' id='m1' xml:lang='it' custom='1'"
        " xmlns:a='urn:a' a:x='&lt;1>' xmlns:b='urn:b}' b:x='2'>"
        "<body>tu</body><body xml:lang='cs'>ty</body><thread parent='p'>t</thread>"
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
        "<p a:class='c'>tu &amp; io</p></body></html></message>"
    )
    message = juliet["balcony"].one()
    assert message.attributes == {
        "to": "juliet@example.org",
        "from": "romeo@example.org/orchard",
        "type": "chat",
        "id": "m1",
        "xml:lang": "it",
        "custom": "1",
        "{urn:a}x": "<1>",
        "{urn:b}}x": "2",
    }
    assert [child.name for child in message.elements()] == [
        "body",
        "body",
        "thread",
        "html",
        "stanza-id",
    ]
    assert message.elements()[1].get("xml:lang") == "cs"
    paragraph = message.elements()[3].elements()[0].elements()[0]
    assert (paragraph.namespace, paragraph.get("{urn:a}class")) == ("http://www.w3.org/1999/xhtml", "c")
    assert paragraph.text() == "tu & io"


def test_rfc6120_8_1_5_a_stanza_without_language_gets_its_streams():
    _, romeo, juliet = arranged("one")
    romeo.send("<message to='juliet@example.org' type='chat'><body>?</body></message>")
    assert juliet["balcony"].one().get("xml:lang") == "en"
