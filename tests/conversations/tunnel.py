"""The client of the examples of SASL2: inside TLS, with a channel to bind to, and it says who it is."""

from base64 import b64encode

from commonroom.accounts.stored import new_account
from commonroom.config.sasl import Mechanism, Sasl
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from tests.conversations.world import Client, World, with_options

USER = "user@example.org"
HEADER = """<?xml version='1.0'?>
<stream:stream
  from='user@example.org'
  to='example.org'
  version='1.0'
  xml:lang='en'
  xmlns='jabber:client'
  xmlns:stream='http://etherx.jabber.org/streams'>"""
# The 'initial-response' of XEP-0388 §2.3, and what it says.
FIRST = "cD10bHMtZXhwb3J0ZXIsLG49dXNlcixyPTEyQzRDRDVDLUUzOEUtNEE5OC04RjZELTE1QzM4RjUxQ0NDNg=="
HEADER_OF_SCRAM = "p=tls-exporter,,"
BARE = "n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
EXPORTED, END_POINT = b"exported keying material, 32 oct", b"a hash of the certificate"
AGENT = """
  <user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>
    <software>AwesomeXMPP</software>
    <device>Kiva's Phone</device>
  </user-agent>"""


class Tunnel:
    """What a connection knows of its TLS."""

    version = "TLSv1.3"

    def channel_binding(self, kind: str) -> bytes | None:
        return {"tls-exporter": EXPORTED, "tls-server-end-point": END_POINT}.get(kind)


def world() -> World:
    """A server that offers what that of the examples does."""
    mechanisms = (Mechanism.SCRAM_SHA_1_PLUS, Mechanism.SCRAM_SHA_1)
    here = World(settings=with_options(sasl=Sasl(mechanisms=mechanisms)))
    here.stores.accounts.put(
        new_account(JID.parse(USER), "pencil", ("SHA-1",), 4096, here.random, here.now())
    )
    return here


def connected(here: World) -> Client:
    """A client inside TLS that has opened its stream, and has yet to read what came."""
    client = here.connect()
    client.tls = Tunnel()  # type: ignore[assignment]  # a connection without a socket
    client.send(HEADER)
    return client


def request(inside: str = AGENT) -> str:
    """The <authenticate/> of the examples."""
    return (
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1-PLUS'>\n"
        f"  <initial-response>{FIRST}</initial-response>{inside}\n</authenticate>"
    )


def encoded(text: str) -> str:
    """As an element carries it."""
    return b64encode(text.encode()).decode()


def taken(client: Client) -> str:
    """The bytes that came since the last look."""
    text = client.bytes
    client.received()
    return text


def inline(features: Element) -> Element:
    """What can be had with the login."""
    authentication = features.child("urn:xmpp:sasl:2", "authentication")
    assert authentication is not None
    found = authentication.child("urn:xmpp:sasl:2", "inline")
    assert found is not None
    return found
