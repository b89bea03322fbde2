"""A client that logs in by XEP-0388, with all that it can have in the same request."""

import hmac
from dataclasses import dataclass

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND2, NS_FAST, NS_SASL2
from tests.conversations.world import Client, World
from tests.protocol.sasl2 import CLIENT, authenticate, plain

OTHER = CLIENT.replace("d", "e")
NS_SM = "urn:xmpp:sm:3"
BIND = "<bind xmlns='urn:xmpp:bind:0'/>"
FAST = "<fast xmlns='urn:xmpp:fast:0'/>"
WANTS = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"


@dataclass
class Login:
    """What came of one request."""

    client: Client
    answers: list[Element]

    @property
    def outcome(self) -> str:
        """`success`, or the condition of the failure or stream error."""
        first = self.answers[0]
        return first.name if first.name == "success" else first.elements()[0].name

    @property
    def success(self) -> Element:
        assert self.answers[0].name == "success", self.answers
        return self.answers[0]

    @property
    def jid(self) -> str:
        """As which the client is known now."""
        return self.success.child_text(NS_SASL2, "authorization-identifier") or ""

    @property
    def bound(self) -> Element:
        """What it was told of its session."""
        found = self.success.child(NS_BIND2, "bound")
        assert found is not None, self.success
        return found

    @property
    def token(self) -> str | None:
        """The token that it was given."""
        found = self.success.child(NS_FAST, "token")
        return None if found is None else found.get("token")


def agent(id: str | None = CLIENT, software: str = "Nightingale", device: str = "Balcony") -> str:
    """A <user-agent/>."""
    described = f"<software>{software}</software><device>{device}</device>"
    return f"<user-agent id='{id}'>{described}</user-agent>" if id else ""


def by_password(
    world: World, jid: str, inside: str = BIND, *, id: str | None = CLIENT, password: str = "secret"
) -> Login:
    """Log in by PLAIN."""
    user, _, domain = jid.partition("@")
    client = world.connect()
    client.open(domain)
    client.send(plain(agent(id) + inside, user, password))
    return Login(client, client.received())


def by_token(
    world: World,
    jid: str,
    token: str | None,
    inside: str = FAST + BIND,
    *,
    id: str | None = CLIENT,
    address: str = "192.0.2.1",
) -> Login:
    """Log in by a token, without a look at what the stream announces."""
    address_of = JID.parse(jid)
    client = world.connect(address)
    client.open(address_of.domain)
    digest = hmac.digest((token or "").encode(), b"Initiator", "sha256")
    client.send(
        authenticate("HT-SHA-256-NONE", f"{address_of.local}\0".encode() + digest, agent(id) + inside)
    )
    return Login(client, client.received())
