"""XEP-0114: a component shows that it knows the secret, and then speaks for its domain alone."""

import hashlib

import pytest

from commonroom.protocol.component import ComponentStream
from tests.protocol.peers import BEFORE, LIMITS, Told

DOMAIN = "irc.example.org"
HEADER = (
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    " to='{to}'>"
)
MESSAGE = "<message from='a@irc.example.org' to='romeo@example.org' id='1'><body>hi</body></message>"


class Component(Told):
    """A component, seen from its side."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.stream = ComponentStream(self, BEFORE, LIMITS, lambda size: b"\7" * size)

    def secret(self, domain: str) -> str | None:
        return "hidden" if domain == DOMAIN else None

    def connected_as(self, domain: str) -> None:
        self.names.append(domain)

    def send(self, text: str) -> None:
        self.stream.receive(text.encode())

    def open(self, to: str = DOMAIN) -> str:
        self.send(HEADER.format(to=to))
        self.opening = self.said()
        assert self.header is not None
        return self.header.attributes.get("id", "")

    def admitted(self) -> "Component":
        digest = hashlib.sha1((self.open() + "hidden").encode()).hexdigest()
        self.send(f"<handshake>{digest}</handshake>")
        assert self.one().name == "handshake"
        return self


def ended(component: Component) -> str:
    assert component.closed
    return (component.said() or component.opening)[-1].elements()[0].name


@pytest.mark.parametrize("to", ["example.org", "", "other.example", "@"])
def test_xep0114_3_a_component_that_is_not_configured_is_refused(to: str):
    component = Component()
    component.open(to)
    assert ended(component) == "host-unknown"


def test_xep0114_3_another_kind_of_stream_is_refused():
    component = Component()
    component.send(HEADER.format(to=DOMAIN).replace("component:accept", "client"))
    assert ended(component) == "invalid-namespace"


@pytest.mark.parametrize(
    "element",
    [
        "<handshake/>",
        "<handshake>hidden</handshake>",
        f"<handshake>{hashlib.sha1(b'hidden').hexdigest()}</handshake>",
        f"<handshake xmlns='x'>{hashlib.sha1(b'hidden').hexdigest()}</handshake>",
        "<handshake>ключ</handshake>",
        MESSAGE,
    ],
)
def test_xep0114_3_without_the_secret_nothing_is_taken(element: str):
    component = Component()
    component.open()
    component.send(element)
    assert ended(component) == "not-authorized"
    assert (component.names, component.stanzas) == ([], [])


def test_xep0114_3_with_it_stanzas_are():
    component = Component().admitted()
    component.send(MESSAGE)
    (message,) = component.stanzas
    assert (message.sender, message.xml()) == (
        "a@irc.example.org",
        "<message to='romeo@example.org' from='a@irc.example.org' id='1'><body>hi</body></message>",
    )
    assert component.names == [DOMAIN]


@pytest.mark.parametrize(
    ("stanza", "expected"),
    [
        (MESSAGE.replace("a@irc.example.org", "romeo@example.org"), "invalid-from"),
        (MESSAGE.replace("a@irc.example.org", "a@sub.irc.example.org"), "invalid-from"),
        (MESSAGE.replace(" from='a@irc.example.org'", ""), "improper-addressing"),
        (MESSAGE.replace(" to='romeo@example.org'", ""), "improper-addressing"),
        ("<other from='irc.example.org' to='example.org'/>", "unsupported-stanza-type"),
    ],
)
def test_xep0114_3_it_speaks_for_its_domain_alone(stanza: str, expected: str):
    component = Component().admitted()
    component.send(stanza)
    assert ended(component) == expected
    assert component.stanzas == []
