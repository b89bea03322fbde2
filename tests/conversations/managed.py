"""Clients that turned XEP-0198 on."""

from commonroom.xml.element import Element
from tests.conversations.world import Client, World

NS = "urn:xmpp:sm:3"
STANZAS = ("message", "presence", "iq")


def enable(client: Client, attributes: str = "resume='true'") -> Element:
    """Turn it on; gives the answer."""
    client.received()
    client.send(f"<enable xmlns='{NS}' {attributes}/>")
    return client.one()


class Managed:
    """A client that counts. It acknowledges when it is told to, not when it is asked."""

    def __init__(self, client: Client, name: str | None = None, got: int = 0) -> None:
        self.client = client
        self.name = name
        self.got = got  # stanzas since the count began
        self.stanzas: list[Element] = []

    def read(self) -> list[Element]:
        """The stanzas that came since the last look."""
        new = [element for element in self.client.received() if element.name in STANZAS]
        self.got += len(new)
        self.stanzas += new
        return new

    def bodies(self) -> list[str | None]:
        """The bodies of the messages that came since the last look."""
        return [e.child_text("jabber:client", "body") for e in self.read() if e.name == "message"]

    def acknowledge(self) -> None:
        """All that it got."""
        self.read()
        self.client.send(f"<a xmlns='{NS}' h='{self.got}'/>")

    def handled(self) -> str | None:
        """What the server says it has handled; None if it does not say so now."""
        self.read()
        self.client.send(f"<r xmlns='{NS}'/>")
        answers = [e for e in self.client.received() if e.name == "a"]
        return answers[0].get("h") if answers else None

    def send(self, text: str) -> None:
        self.client.send(text)

    def cut(self) -> None:
        self.client.cut()


def managed(
    world: World, jid: str, attributes: str = "resume='true'", presence: str = "<presence/>"
) -> Managed:
    """A client with stream management that is online, and has acknowledged all it got by that."""
    client = world.login(jid)
    answer = enable(client, attributes)
    assert answer.name == "enabled"
    it = Managed(client, answer.get("id"))
    if presence:
        it.send(presence)
        it.acknowledge()
        it.client.received()
    return it


def connected(world: World, account: str) -> Client:
    """A client that has logged in, and could bind or resume now."""
    client = world.connect()
    user, _, domain = account.partition("@")
    client.open(domain)
    client.authenticate(user, "secret")
    client.open(domain)
    return client


def resume(world: World, account: str, name: str | None, got: object) -> tuple[Client, list[Element]]:
    """Ask for a former stream over a new one; gives all that came in answer."""
    client = connected(world, account)
    client.send(f"<resume xmlns='{NS}' previd='{name}' h='{got}'/>")
    return client, client.received()


def back(world: World, it: Managed, account: str) -> Managed:
    """The client over a new connection, with its session; it has read nothing yet."""
    client = connected(world, account)
    client.send(f"<resume xmlns='{NS}' previd='{it.name}' h='{it.got}'/>")
    text = client.bytes
    assert text.startswith("<resumed "), text
    client.bytes = text[text.index("/>") + 2 :]
    return Managed(client, it.name, it.got)


def chat(number: object, to: str = "juliet@example.org", extra: str = "") -> str:
    """A message whose body is a number."""
    return f"<message to='{to}' type='chat' id='m{number}'><body>{number}</body>{extra}</message>"


def waiting(world: World, jid: str) -> list[str | None]:
    """The bodies of what waits for somebody, as a client gets it that comes now."""
    client = world.login(jid)
    client.send("<presence/>")
    return client.bodies()
