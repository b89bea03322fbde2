"""XEP-0114 with a running service: a component owns its domain, and another takes over when it goes."""

import hashlib
import socket
from typing import Self
from xml.etree.ElementTree import Element

import pytest

from tests.attack.reader import Reader
from tests.interop.slix import SlixClient

from .pairs import Make, Start
from .peers import Ours, Peer
from .site import Site, loopback_address

DOMAIN = "irc.components.lab"
HEADER = (
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    f" to='{DOMAIN}'>"
)
PORT = 15347


class Component:
    """One connection of it."""

    def __init__(self, address: str, secret: str = "hidden") -> None:
        self.socket = socket.create_connection((address, PORT), 60)
        self.reader = Reader()
        self._elements: list[Element] = []
        self.send(HEADER)
        while self.reader.header is None:
            self._read()
        digest = hashlib.sha1((str(self.reader.header.get("id")) + secret).encode()).hexdigest()
        self.send(f"<handshake>{digest}</handshake>")

    def _read(self) -> None:
        data = self.socket.recv(65536)
        assert data, "the server closed the connection"
        self._elements += self.reader.feed(data)

    def next(self) -> Element:
        while not self._elements:
            self._read()
        return self._elements.pop(0)

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def __enter__(self) -> Self:
        assert str(self.next().tag).endswith("}handshake")
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def components(address: str, domain: str) -> str:
    """The configuration of a server that listens there for this component."""
    return (
        f'[components]\nlisten = ["{address}:{PORT}"]\n[components.domains."{domain}"]\nsecret = "hidden"\n'
    )


@pytest.fixture(scope="module")
def address() -> str:
    return loopback_address()


@pytest.fixture(scope="module")
def ours(site: Site, start: Start, address: str, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    options = components(address, DOMAIN)
    domain = "components.lab"
    issued = site.authority.issue(domain, DOMAIN)
    return start(Ours(tmp_path_factory.mktemp("ours"), site, domain, issued, options))


def refused(client: SlixClient) -> str:
    error = client.receive("an error", lambda stanza: stanza["type"] == "error")
    return str(error["error"]["condition"])


def test_without_the_component_its_domain_is_not_served(ours: Peer, person: Make) -> None:
    romeo = person(ours, "romeo").come_online()
    romeo.chat(f"channel@{DOMAIN}", "anybody?")
    assert refused(romeo) == "service-unavailable"


def test_messages_go_both_ways(ours: Peer, address: str, person: Make) -> None:
    romeo = person(ours, "romeo").come_online()
    with Component(address) as component:
        romeo.chat(f"channel@{DOMAIN}", "hello")
        message = component.next()
        assert message.tag == "{jabber:component:accept}message"
        assert message.findtext("{jabber:component:accept}body") == "hello"
        component.send(
            f"<message from='channel@{DOMAIN}/nick' to='{romeo.jid}' type='chat'><body>hi</body></message>"
        )
        assert str(romeo.receive_message("hi")["from"]) == f"channel@{DOMAIN}/nick"


def test_the_next_one_takes_over(ours: Peer, address: str, person: Make) -> None:
    romeo = person(ours, "romeo").come_online()
    with Component(address) as first, Component(address) as second:
        romeo.chat(f"channel@{DOMAIN}", "one")
        assert first.next().findtext("{jabber:component:accept}body") == "one"
        first.socket.close()
        romeo.sync()
        romeo.chat(f"channel@{DOMAIN}", "two")
        assert second.next().findtext("{jabber:component:accept}body") == "two"


def test_a_wrong_secret_is_refused(ours: Peer, address: str) -> None:
    component = Component(address, "guessed")
    assert str(component.next().tag).endswith("}error")
    component.socket.close()


def test_other_servers_reach_it_too(
    ours: Peer, address: str, site: Site, start: Start, person: Make, tmp_path_factory: pytest.TempPathFactory
) -> None:
    domain = "beside.lab"
    beside = start(Ours(tmp_path_factory.mktemp("beside"), site, domain, site.authority.issue(domain)))
    site.nameserver.service(DOMAIN, ours.s2s_port, ours.host)
    juliet = person(beside, "juliet").come_online()
    with Component(address) as component:
        juliet.chat(f"channel@{DOMAIN}", "from afar")
        assert component.next().findtext("{jabber:component:accept}body") == "from afar"
        component.send(
            f"<message from='channel@{DOMAIN}' to='{juliet.jid}' type='chat'><body>there</body></message>"
        )
        juliet.receive_message("there")
