"""XEP-0388, XEP-0474, XEP-0478: the examples, as bytes to and from a whole service."""

import re
from base64 import b64decode
from hashlib import sha1

import pytest

from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL2
from tests.attack.scram import Scram
from tests.conversations.tunnel import (
    EXPORTED,
    HEADER,
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

# Sasl2 with nothing of its own: XEP-0388 §5.1.
PLAIN = """<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>
  <initial-response>{}</initial-response>
  <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>
    <software>AwesomeXMPP</software>
    <device>Kiva's Phone</device>
  </user-agent>
</authenticate>"""
BLURDYBLOOP = """<authenticate xmlns='urn:xmpp:sasl:2' mechanism='BLURDYBLOOP'>
  <initial-response>SSBzaG91bGQgbWFrZSB0aGlzIGEgY29tcGV0aXRpb24=</initial-response>
  <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>
    <software>AwesomeXMPP</software>
    <device>Kiva's Phone</device>
  </user-agent>
  <bind xmlns='urn:xmpp:bind:example'/>
</authenticate>"""


def answered(client: Client, challenge: str) -> Element:
    """The <response/> of the examples to a <challenge/>; gives what comes of it, and leaves the rest."""
    peer = Scram("user", "pencil", header=HEADER_OF_SCRAM, binding=EXPORTED)
    peer.nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
    client.send(f"<response xmlns='urn:xmpp:sasl:2'>{encoded(peer.final(challenge))}</response>")
    return client.received()[0]


def challenged(client: Client, inside: str = "") -> str:
    """The request of §2.3, and the server-first-message that it brings."""
    taken(client)
    client.send(request() if not inside else request(inside))
    challenge = re.fullmatch("<challenge xmlns='urn:xmpp:sasl:2'>([^<]+)</challenge>", taken(client))
    assert challenge is not None
    return b64decode(challenge[1]).decode()


# What goes wrong


def test_xep0388_2_1_a_from_of_another_domain_is_invalid():
    client = world().connect()
    client.send(HEADER.replace("user@example.org", "user@example.com"))
    assert condition(client.received()[-1]) == "invalid-from"


@pytest.mark.parametrize(
    "asked",
    [
        BLURDYBLOOP,
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='CRAM-MD5'/>",
        "<authenticate xmlns='urn:xmpp:sasl:2'/>",
    ],
)
def test_xep0388_2_3_a_mechanism_that_was_not_announced_fails(asked: str):
    client = connected(world())
    taken(client)
    client.send(asked)
    assert taken(client) == (
        "<failure xmlns='urn:xmpp:sasl:2'>"
        "<invalid-mechanism xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
    )


def test_xep0388_2_6_2_the_example_of_a_failure():
    client = connected(world())
    challenged(client)
    client.send("<abort xmlns='urn:xmpp:sasl:2'><text>This is a terrible example.</text></abort>")
    assert taken(client) == (
        "<failure xmlns='urn:xmpp:sasl:2'><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
    )
    assert answered(client, challenged(client)).name == "success"


def test_xep0388_5_1_the_initial_response_of_the_example_has_no_password():
    here = World("alice@example.org")
    client = here.connect()
    client.open("example.org")
    client.send(PLAIN.format("AGFsaWNlQGV4YW1wbGUub3JnCjM0NQ=="))
    assert condition(client.one()) == "malformed-request"


@pytest.mark.parametrize("element", ["next", "task-data"])
def test_xep0388_2_6_3_tasks_of_which_nobody_spoke(element: str):
    client = connected(world())
    taken(client)
    client.send(f"<{element} xmlns='urn:xmpp:sasl:2' task='TOTP-EXAMPLE'/>")
    assert condition(client.one()) == "not-authorized"


# XEP-0388 §2.1 to §2.6


def test_xep0388_2_1_the_example_of_an_announcement():
    client = connected(world())
    text = taken(client)
    assert re.search(r"<stream:stream from='example\.org' to='user@example\.org' id='[0-9a-f]{32}'", text)
    assert (
        "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-1-PLUS</mechanism>"
        "<mechanism>SCRAM-SHA-1</mechanism><inline><sm xmlns='urn:xmpp:sm:3'/>"
        "<bind xmlns='urn:xmpp:bind:0'>" in text
    )
    assert (
        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>"
        "<channel-binding type='tls-server-end-point'/></sasl-channel-binding>" in text
    )


def test_xep0388_2_6_1_the_example_of_scram_that_is_bound_to_its_channel():
    client = connected(world())
    first = challenged(client)
    assert re.fullmatch(
        "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6[^,]+,s=[^,]+,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=", first
    )
    peer = Scram("user", "pencil", header=HEADER_OF_SCRAM, binding=EXPORTED)
    peer.nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
    client.send(f"<response xmlns='urn:xmpp:sasl:2'>{encoded(peer.final(first))}</response>")
    text = taken(client)
    said = re.match(
        "<success xmlns='urn:xmpp:sasl:2'><additional-data>([^<]+)</additional-data>"
        "<authorization-identifier>user@example.org</authorization-identifier></success>"
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
        text,
    )
    assert said is not None, text
    assert b64decode(said[1]).startswith(b"v=")


def test_xep0388_2_3_what_the_server_does_not_know_is_not_done():
    client = connected(world())
    megabind = "<megabind xmlns='urn:example:megabind'><resource>this-one-please</resource></megabind>"
    success = answered(client, challenged(client, f"{megabind}<bind xmlns='urn:xmpp:bind:example'/>"))
    assert [e.name for e in success.elements()] == ["additional-data", "authorization-identifier"]
    assert success.child_text(NS_SASL2, "authorization-identifier") == USER


def test_xep0388_5_1_the_example_with_plain():
    here = World("alice@example.org")
    client = here.connect()
    client.open("example.org")
    client.send(PLAIN.format(encoded("\0alice\0secret")))
    assert taken(client).startswith(
        "<success xmlns='urn:xmpp:sasl:2'>"
        "<authorization-identifier>alice@example.org</authorization-identifier></success>"
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    )
    client.bind("wonderland")  # it goes on without a new stream
    assert client.jid == "alice@example.org/wonderland"


def test_xep0388_2_6_1_the_example_of_a_resumption():
    here = world()
    managed = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
    client = connected(here)
    success = answered(client, challenged(client, managed))
    enabled = success.elements()[-1].child("urn:xmpp:sm:3", "enabled")
    assert enabled is not None
    client.cut()
    back = connected(here)
    resume = f"<resume xmlns='urn:xmpp:sm:3' h='0' previd='{enabled.get('id')}'/>"
    success = answered(back, challenged(back, resume))
    resumed = success.elements()[-1]
    assert (resumed.name, resumed.get("h"), resumed.get("previd")) == ("resumed", "0", enabled.get("id"))


# XEP-0474 §6.3


def test_xep0474_6_3_the_example():
    client = connected(world())
    features = client.received()[-1]
    assert [e.name for e in inline(features).elements()] == ["sm", "bind", "fast"]  # tokens are not signed
    offered = "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point"
    signed = challenged(client).rpartition(",h=")[2]
    assert signed == "G6k/rBLDqgOhRRaCuuatSDFkJ08="
    assert b64decode(signed) == sha1(offered.encode()).digest()


def test_xep0474_6_2_who_changed_the_list_is_found_out():
    client = connected(world())
    first = challenged(client)
    assert answered(client, first.replace("G6k/rBLDqgOhRRaCuuatSDFkJ08=", "x")).name == "failure"


# XEP-0478 §3.1


def test_xep0478_3_1_the_example():
    client = connected(world())
    limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>{}</max-bytes>{}</limits></stream:features>"
    assert taken(client).endswith(limits.format(10_000, ""))
    client.send(request("<bind xmlns='urn:xmpp:bind:0'/>"))
    challenge = b64decode(client.one().text()).decode()
    peer = Scram("user", "pencil", header=HEADER_OF_SCRAM, binding=EXPORTED)
    peer.nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
    client.send(f"<response xmlns='urn:xmpp:sasl:2'>{encoded(peer.final(challenge))}</response>")
    assert taken(client).endswith(limits.format(262_144, "<idle-seconds>300</idle-seconds>"))


@pytest.mark.parametrize("over", [0, 1])
def test_xep0478_3_1_what_is_announced_is_what_is_taken(over: int):
    """The size of an element, from its first byte to its last."""
    client = connected(world())
    limits = client.received()[-1].child("urn:xmpp:stream-limits:0", "limits")
    assert limits is not None
    size = int(limits.elements()[0].text())
    empty = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='X'><text></text></authenticate>"
    client.send(empty.replace("<text>", "<text>" + "x" * (size - len(empty) + over)))
    assert condition(client.one()) == ("policy-violation" if over else "invalid-mechanism")
