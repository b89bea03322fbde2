"""Conversations gone wrong in every way: nothing escapes from a connection, and no session stays behind."""

import logging
import random
import re

import pytest

from commonroom.config.c2s import C2s
from commonroom.protocol.jid import JID
from commonroom.xml.parser import StreamParser
from tests.conversations.world import HEADER, NO_LIMITS, Client, World, plain, with_options

OPEN = HEADER.format(domain="example.org")
BIND = (
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>balcony</resource></bind></iq>"
)
STANZAS = (
    "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq><presence><priority>1</priority></presence>"
    "<message to='romeo@example.org' type='chat' id='2'><body>wherefore art thou</body></message>"
    "<presence to='romeo@example.org' type='subscribe'/><iq type='get' id='3' to='example.org'>"
    "<query xmlns='http://jabber.org/protocol/disco#info'/></iq><presence type='unavailable'/>"
    "</stream:stream>"
)
# What a client sends, up to where it has to wait for an answer.
CONVERSATION = (OPEN + plain("juliet", "secret"), OPEN + BIND + STANZAS)

TOKENS = re.compile(r"<[^>]*>|[^<]+")
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
WORDS = (
    *(
        "<",
        ">",
        "'",
        "&",
        "&lt;",
        "<!--",
        "<![CDATA[",
        "]]>",
        "<?",
        "\x00",
        "\ufffe",
        "\u2665",
        " ",
        "=",
        "==",
    ),
    *("</stream:stream>", "</iq>", "<iq>", "<message", OPEN, BIND, "xmlns=''", "xmlns='jabber:server'"),
    *(" from='juliet@example.org'", " to='@'", " type='error'", " type='result'", "@", "/", "9" * 5000),
    f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>biwsbj1qdWxpZXQscj1hYmM=</auth>",
    f"<response xmlns='{SASL}'>Yz1iaXdz</response>",
    f"<abort xmlns='{SASL}'/>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
)
BYTES = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf")


def mutated(text: str, chance: random.Random) -> bytes:
    """The text with one to four things wrong: pieces lost, twice, swapped or put in, bytes spoilt."""
    tokens = TOKENS.findall(text)
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        match chance.randrange(6):
            case 0:
                tokens[at] = ""
            case 1:
                tokens[at] *= 2
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] += chance.choice(WORDS)
            case 4:
                cut = chance.randrange(len(tokens[at]) + 1)
                tokens[at] = tokens[at][:cut] + chance.choice(WORDS) + tokens[at][cut:]
            case 5:
                tokens[at] = tokens[at][: chance.randrange(len(tokens[at]) + 1)]
    data = "".join(tokens).encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(BYTES) + data[at:]
    return data


def feed(client: Client, data: bytes, chance: random.Random) -> None:
    """In pieces; a connection that was closed gives nothing more to its handler."""
    while data and not client.closed:
        size = chance.choice((1, 7, 100, len(data)))
        client.send(data[:size])
        data = data[size:]


def well_formed(text: str) -> bool:
    """Whether what the server said can be read; streams begin anew after a restart."""
    for stream in re.split(r"(?=<\?xml)", text):
        for event in StreamParser(NO_LIMITS).feed(stream.encode()):
            if isinstance(event, Exception):
                return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_rfc6120_13_12_no_mutation_breaks_the_service_or_leaves_a_session_behind(seed, caplog):
    chance = random.Random(seed)
    settings = with_options(c2s=C2s(stanza_burst=1_000_000))
    world = World("juliet@example.org", "romeo@example.org", settings=settings)
    sessions = 0
    for _ in range(120):
        client = world.connect()
        wrong = chance.randrange(2)  # the first flight that is
        for number, flight in enumerate(CONVERSATION):
            feed(client, flight.encode() if number < wrong else mutated(flight, chance), chance)
        user = world.core.users.find(JID.parse("juliet@example.org"))
        sessions += bool(user and user.sessions) or client.bytes.endswith("</stream:stream>")
        assert well_formed(client.bytes), client.bytes
        client.cut()
        world.turn()
        user = world.core.users.find(JID.parse("juliet@example.org"))
        assert user is None or user.sessions == {}
        assert client.handler not in world.service.connected
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert sessions > 20  # the mutations are not all fatal at once
    assert not [timer for timer in world.timers if not timer.cancelled and timer.at <= 60]
    romeo = world.online("romeo@example.org/orchard")  # and others are served as ever
    assert (
        romeo.ask("<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>").get("type")
        == "result"
    )
