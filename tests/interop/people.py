"""The people of the tests: an account each, the clients they have open, a clean slate before each test."""

from collections.abc import Mapping
from typing import Any

from .server import ServerUnderTest
from .slix import LoopThread, SlixClient
from .stanzas import is_request

QUICK_MECHANISM = "PLAIN"
"""slixmpp computes SCRAM in Python; only the tests of logging in pay for that."""

PASSWORDS: Mapping[str, str] = {
    "romeo": "but-soft-what-light",
    "juliet": "parting-is-such-sweet-sorrow",
    "nurse": "go-girl-seek-happy-nights",
}


class Person:
    """An account, and its slixmpp clients."""

    def __init__(self, loop: LoopThread, server: ServerUnderTest, name: str, password: str) -> None:
        self.name = name
        self.password = password
        self.jid = f"{name}@{server.domain}"
        self._loop = loop
        self._server = server
        self._clients: list[SlixClient] = []

    def client(self, resource: str = "slixmpp", password: str | None = None, **options: Any) -> SlixClient:
        """A client that has not logged in; the options are SlixClient's."""
        options.setdefault("mechanism", QUICK_MECHANISM)
        jid = f"{self.jid}/{resource}" if resource else self.jid
        client = SlixClient(self._loop, self._server, jid, password or self.password, **options)
        self._clients.append(client)
        return client

    def login(self, resource: str = "slixmpp", **options: Any) -> SlixClient:
        """A client with a session, which has not sent presence."""
        client = self.client(resource, **options)
        client.login()
        return client

    def come_online(self, resource: str = "slixmpp", **options: Any) -> SlixClient:
        """A client that has asked for the roster, as what is told of subscriptions goes to those only
        (RFC 6121 §2.2), and is available, and knows that the server knows."""
        client = self.login(resource, **options)
        client.roster()
        client.announce()
        client.receive_presence("available", client.jid)
        return client

    def start_afresh(self) -> None:
        """Read the offline messages, turn down subscription requests, and empty the roster."""
        broom = self.come_online("broom")
        broom.sync()
        for contact in broom.roster():
            broom.remove_contact(contact)
        while broom.has(is_request):
            request = broom.receive("a request", is_request)
            broom.send_subscription("unsubscribed", str(request["from"]))
        broom.sync()
        broom.logout()
        self.leave()

    def leave(self) -> None:
        """Drop every connection."""
        for client in self._clients:
            client.vanish()
        self._clients.clear()

    def transcript(self) -> str:
        return "\n".join(f"{client.jid}\n{client.transcript()}" for client in self._clients)


def befriend(one: SlixClient, other: SlixClient) -> None:
    """Subscribe two people who are online to each other (RFC 6121 §3.1), and see their presence arrive."""
    for subscriber, contact in ((one, other), (other, one)):
        subscriber.send_subscription("subscribe", contact.bare_jid)
        contact.receive_presence("subscribe", subscriber.bare_jid)
        contact.send_subscription("subscribed", subscriber.bare_jid)
        subscriber.receive_presence("subscribed", contact.bare_jid)
        subscriber.receive_presence("available", contact.jid)
    one.receive_push(other.bare_jid, "both")
    other.receive_push(one.bare_jid, "both")
