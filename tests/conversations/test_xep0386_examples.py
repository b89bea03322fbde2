"""XEP-0386, XEP-0484: the examples, as bytes to and from a whole service."""

import hmac
import re
from base64 import b64decode, b64encode

import pytest

from commonroom.protocol.jid import JID
from tests.attack.scram import Scram
from tests.conversations.tunnel import (
    AGENT,
    END_POINT,
    EXPORTED,
    HEADER_OF_SCRAM,
    USER,
    connected,
    encoded,
    inline,
    request,
    taken,
    world,
)
from tests.conversations.world import Client, World, condition

BIND = """
  <bind xmlns='urn:xmpp:bind:0'>
    <tag>AwesomeXMPP</tag>{}
  </bind>"""
ENABLE = """
    <enable xmlns='urn:xmpp:carbons:2'/>
    <enable xmlns='urn:xmpp:sm:3'/>
    <inactive xmlns='urn:xmpp:csi:0'/>"""
WANTS = "\n  <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>"
SUCCESS = (
    "<success xmlns='urn:xmpp:sasl:2'><additional-data>[^<]+</additional-data>"
    "<authorization-identifier>user@example.org/AwesomeXMPP/[A-Za-z0-9_-]{12}</authorization-identifier>"
    "<bound xmlns='urn:xmpp:bind:0'>"
)
TOKEN = (
    r"<token xmlns='urn:xmpp:fast:0' expiry='([0-9-]{10}T[0-9:.]+Z)' token='([A-Za-z0-9_-]{72})'/></success>"
)
FAST = "\n  <fast xmlns='urn:xmpp:fast:0' count='{}'/>"
DAY = 24 * 3600


def logged_in(here: World, inside: str) -> Client:
    """By the password; what came is yet to be read."""
    client = connected(here)
    taken(client)
    client.send(request(inside))
    peer = Scram("user", "pencil", header=HEADER_OF_SCRAM, binding=EXPORTED)
    peer.nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
    final = peer.final(b64decode(client.one().text()).decode())
    client.send(f"<response xmlns='urn:xmpp:sasl:2'>{encoded(final)}</response>")
    return client


def given(here: World) -> tuple[str, str]:
    """When a token expires, and the token."""
    found = re.search(TOKEN, taken(logged_in(here, AGENT + WANTS)))
    assert found is not None
    return found[1], found[2]


def by_token(here: World, token: str, inside: str, mechanism: str = "HT-SHA-256-ENDP") -> Client:
    """The example of XEP-0484 §3.4."""
    client = connected(here)
    taken(client)
    digest = hmac.digest(token.encode(), b"Initiator" + END_POINT, "sha256")
    client.send(
        f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>\n"
        f"  <initial-response>{b64encode(b'user' + bytes(1) + digest).decode()}</initial-response>"
        f"{AGENT}{inside}\n</authenticate>"
    )
    return client


def say(here: World, *bodies: str) -> None:
    """Two messages for the archive, from the account to itself."""
    client = logged_in(here, BIND.format(""))
    for body in bodies:
        client.send(f"<message to='{USER}' type='chat' id='{body}'><body>{body}</body></message>")
        here.seconds += 1
    client.leave()


# What goes wrong


def test_xep0386_3_2_who_fails_has_no_resource():
    here = world()
    client = connected(here)
    taken(client)
    client.send(request(BIND.format(ENABLE)))
    peer = Scram("user", "wrong", header=HEADER_OF_SCRAM, binding=EXPORTED)
    final = peer.final(b64decode(client.one().text()).decode())
    client.send(f"<response xmlns='urn:xmpp:sasl:2'>{encoded(final)}</response>")
    assert condition(client.one()) == "not-authorized"
    user = here.core.users.find(JID.parse(USER))
    assert user is not None
    assert user.sessions == {}


@pytest.mark.parametrize("mechanism", ["HT-SHA-256-EXPR", "HT-SHA-256-NONE", "HT-SHA-512-ENDP"])
def test_xep0484_3_4_a_token_is_for_one_mechanism(mechanism: str):
    here = world()
    _, token = given(here)
    failed = condition(by_token(here, token, FAST.format(1), mechanism).one())
    assert failed == ("invalid-mechanism" if "512" in mechanism else "not-authorized")


def test_xep0484_3_4_a_count_that_was_processed_is_refused():
    here = world()
    _, token = given(here)
    assert taken(by_token(here, token, FAST.format(123))).startswith("<success")
    for count in (123, 122, 0):
        assert condition(by_token(here, token, FAST.format(count)).one()) == "not-authorized"


# XEP-0386


def test_xep0386_3_1_the_example_of_an_announcement():
    text = taken(connected(world()))
    assert (
        "<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/>"
        "<feature var='urn:xmpp:csi:0'/><feature var='urn:xmpp:sm:3'/></inline></bind>" in text
    )
    assert "<inline><sm xmlns='urn:xmpp:sm:3'/><bind" in text


def test_xep0386_3_2_the_example_of_a_request():
    here = world()
    say(here, "alpha", "omega")
    text = taken(logged_in(here, BIND.format("")))
    archive = here.memory.archive.kept
    first, last = (message.id for messages in archive.values() for message in messages)
    assert re.match(
        f"{SUCCESS}<metadata xmlns='urn:xmpp:mam:2'>"
        f"<start id='{first}' timestamp='2026-03-01T12:00:00.{first % 1_000_000:06}Z'/>"
        f"<end id='{last}' timestamp='2026-03-01T12:00:01.000000Z'/>"
        "</metadata></bound></success><stream:features>",
        text,
    ), text


def test_xep0386_3_2_the_example_with_some_features():
    here = world()
    client = logged_in(here, AGENT + BIND.format(ENABLE))
    text = taken(client)
    assert re.match(
        f"{SUCCESS}<enabled xmlns='urn:xmpp:sm:3'/><metadata xmlns='urn:xmpp:mam:2'/></bound></success>"
        "<stream:features>",
        text,
    ), text
    client.send("<presence/><r xmlns='urn:xmpp:sm:3'/>")
    assert "<a xmlns='urn:xmpp:sm:3' h='1'/>" in taken(client)


# XEP-0484


def test_xep0484_3_1_the_example_of_an_announcement():
    client = connected(world())
    assert (
        "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism>"
        "<mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast></inline>"
    ) in client.bytes
    fast = inline(client.received()[-1]).child("urn:xmpp:fast:0", "fast")
    assert fast is not None
    assert fast.get("tls-0rtt") is None  # early data is not taken


def test_xep0484_3_3_the_example_of_a_new_token():
    here = world()
    text = taken(logged_in(here, AGENT + BIND.format("") + WANTS))
    found = re.match(f"{SUCCESS}<metadata xmlns='urn:xmpp:mam:2'/></bound>{TOKEN}", text)
    assert found is not None, text
    assert found[1] == "2026-03-22T12:00:00.000000Z"


def test_xep0484_3_4_the_example_of_a_login_by_a_token():
    here = world()
    _, token = given(here)
    text = taken(by_token(here, token, BIND.format("") + FAST.format(123)))
    assert re.match(f"{SUCCESS}<metadata xmlns='urn:xmpp:mam:2'/></bound></success><stream:features>", text)
    said = re.search("<additional-data>([^<]+)<", text)
    assert said is not None
    assert b64decode(said[1]) == hmac.digest(token.encode(), b"Responder" + END_POINT, "sha256")


def test_xep0484_3_5_the_example_of_an_updated_token():
    here = world()
    _, token = given(here)
    here.seconds += DAY
    text = taken(by_token(here, token, BIND.format("") + FAST.format(1)))
    found = re.match(f"{SUCCESS}<metadata xmlns='urn:xmpp:mam:2'/></bound>{TOKEN}", text)
    assert found is not None, text
    assert (found[1], found[2] != token) == ("2026-03-23T12:00:00.000000Z", True)


def test_xep0484_3_6_the_example_of_an_invalidation():
    here = world()
    _, token = given(here)
    away = "\n    <fast xmlns='urn:xmpp:fast:0' count='123' invalidate='true'/>"
    assert taken(by_token(here, token, away)).startswith("<success")
    assert condition(by_token(here, token, FAST.format(124)).one()) == "not-authorized"
