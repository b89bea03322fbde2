"""Components of a world, and the settings that let them do something."""

import hashlib

from commonroom.app.components import build_components
from commonroom.config import Settings
from commonroom.config.components import (
    Allowed,
    AllowedMessages,
    AllowedPresence,
    AllowedRequests,
    Component,
    Components,
    Delegated,
    Privileges,
)
from commonroom.net.component import ComponentConnection, ComponentService
from commonroom.protocol.component import NS_COMPONENT
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import StreamHeader, StreamParser
from tests.conversations.world import NO_LIMITS, World

HEADER = (
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    " to='{domain}'>"
)
PUBSUB = "http://jabber.org/protocol/pubsub"


def privileges(
    roster: str = "none",
    push: bool | None = None,
    message: bool = False,
    presence: str = "none",
    **iq: str,
) -> Privileges:
    """As an operator writes them; the namespace of a request is `pubsub`, or as it is with _ for :."""
    namespaces = {PUBSUB if name == "pubsub" else name.replace("_", ":"): kind for name, kind in iq.items()}
    return Privileges(
        Allowed(roster),
        push,
        AllowedMessages.OUTGOING if message else AllowedMessages.NONE,
        AllowedPresence(presence),
        {namespace: AllowedRequests(Allowed(kind)) for namespace, kind in namespaces.items()},
    )


def component(
    allowed: Privileges | None = None,
    manages: tuple[str, ...] | None = None,
    /,
    **delegations: tuple[str, ...],
) -> Component:
    """What a component may do, and which namespaces are its; names as above."""
    names = {PUBSUB if name == "pubsub" else name.replace("_", ":"): a for name, a in delegations.items()}
    return Component(
        "secret",
        manages,
        allowed or Privileges(),
        {namespace: Delegated(attributes) for namespace, attributes in names.items()},
    )


def with_components(domains: tuple[str, ...] = ("capulet.lit",), **components: Component) -> Settings:
    """`pubsub_capulet_lit=component(…)` is the component pubsub.capulet.lit."""
    made = {name.replace("_", "."): each for name, each in components.items()}
    settings = Settings(domains=domains, components=Components(domains=made))
    assert not list(settings.faults()), list(settings.faults())
    return settings


class ComponentWorld(World):
    """A service with components beside it."""

    components: ComponentService

    def _build(self) -> None:
        super()._build()
        self.components = build_components(self.settings, self.core, self.start, self.later, self.random)


class Connected:
    """Plays the connection and the component behind it; it reads at once, until `deaf`."""

    def __init__(self, world: ComponentWorld, domain: str, secret: str | None = "secret") -> None:
        """Without a secret, it opens its stream and does not go on."""
        self.world = world
        self.address = ("127.0.0.1", 40000)
        self.paused: set[object] = set()
        self.closed = False
        self.deaf = False
        self.bytes_sent = 0
        self.unsent = 0
        self.text = ""
        self._parser = StreamParser(NO_LIMITS)
        self._came: list[Element] = []
        self.header: StreamHeader | None = None
        self.handler = ComponentConnection(world.components)
        self.handler.connected(self)  # type: ignore[arg-type]  # a connection without a socket
        self.send(HEADER.format(domain=domain))
        self._read()
        assert self.header is not None
        if secret is None:
            return
        digest = hashlib.sha1((str(self.header.attributes.get("id")) + secret).encode()).hexdigest()
        self.send(f"<handshake>{digest}</handshake>")

    # The connection that the handler sees

    def write(self, text: str) -> bool:
        if self.closed:
            return False
        size = len(text.encode())
        if self.deaf:
            self.unsent += size
        else:
            self.bytes_sent += size
            self.text += text
        return True

    def close(self) -> None:
        self.closed = True

    def pause(self, reason: object) -> None:
        self.paused.add(reason)

    def resume(self, reason: object) -> None:
        self.paused.discard(reason)

    # The component

    def send(self, text: str) -> None:
        """Bytes to the server."""
        self.handler.receive(text.encode())

    def die(self) -> None:
        """Its process is gone."""
        self.unsent = 0
        self.handler.lost("connection reset")

    def _read(self) -> None:
        text, self.text = self.text, ""
        for event in self._parser.feed(text.encode()):
            if isinstance(event, Exception):
                raise event
            if isinstance(event, Element):
                self._came.append(_content(event))
            elif isinstance(event, StreamHeader):
                self.header = event

    def received(self) -> list[Element]:
        """What came since the last look, in the namespace of clients."""
        self._read()
        came, self._came = self._came, []
        return came

    def one(self) -> Element:
        """The one element that came."""
        (element,) = self.received()
        return element

    def ask(self, iq: str) -> Element:
        """Send something and take the one answer."""
        self.received()
        self.send(iq)
        return self.one()


def _content(element: Element) -> Element:
    if element.namespace == NS_COMPONENT:
        element.namespace = NS_CLIENT
    for child in element.elements():
        _content(child)
    return element


def admitted(world: ComponentWorld, domain: str) -> Connected:
    """A component that is connected, and has read what it is told first."""
    made = Connected(world, domain)
    handshake, *_ = made.received()
    assert handshake.name == "handshake"
    return made
