"""A client's side of an archive (XEP-0313): asks, and reads the answer."""

from typing import NamedTuple

from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MAM
from tests.conversations.world import Client

NS_RSM = "http://jabber.org/protocol/rsm"
NS_FORWARD = "urn:xmpp:forward:0"
NS_DELAY = "urn:xmpp:delay"
FULL_TEXT = "{urn:xmpp:fulltext:0}fulltext"


class Result(NamedTuple):
    """One message of a page."""

    id: str
    stamp: str
    message: Element

    @property
    def body(self) -> str | None:
        return self.message.child_text(NS_CLIENT, "body")


class Page(NamedTuple):
    """What came for a query: the results, and the <fin/>."""

    results: list[Result]
    fin: Element

    @property
    def ids(self) -> list[str]:
        return [result.id for result in self.results]

    @property
    def bodies(self) -> list[str | None]:
        return [result.body for result in self.results]

    @property
    def is_complete(self) -> bool:
        return self.fin.get("complete") == "true"

    def said(self, name: str) -> str | None:
        """A child of the <set/>."""
        described = self.fin.child(NS_RSM, "set")
        assert described is not None
        return described.child_text(NS_RSM, name)


def field(name: str, *values: object) -> str:
    return f"<field var='{name}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


def form(*fields: str, kind: str = "submit", form_type: str = NS_MAM) -> str:
    return f"<x xmlns='jabber:x:data' type='{kind}'>{field('FORM_TYPE', form_type)}{''.join(fields)}</x>"


def rsm(**children: object) -> str:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in children.items())
    return f"<set xmlns='{NS_RSM}'>{inside}</set>"


def query(*inside: str, attributes: str = "", to: str = "", kind: str = "set") -> str:
    to = to and f" to='{to}'"
    return f"<iq type='{kind}' id='q'{to}><query xmlns='{NS_MAM}'{attributes}>{''.join(inside)}</query></iq>"


def page(client: Client, *inside: str, **options: str) -> Page:
    """Ask, and expect results, each in its envelope, and then their end."""
    client.received()
    client.send(query(*inside, **options))
    *messages, answer = client.received()
    fin = answer.child(NS_MAM, "fin")
    assert (answer.name, answer.get("type"), answer.get("id")) == ("iq", "result", "q"), answer
    assert fin is not None
    return Page([opened(message) for message in messages], fin)


def opened(message: Element) -> Result:
    """The stored message in its envelope (XEP-0313 §4.2)."""
    result = message.child(NS_MAM, "result")
    assert result is not None
    forwarded = result.child(NS_FORWARD, "forwarded")
    assert forwarded is not None
    delay, stored = forwarded.elements()
    assert (delay.namespace, delay.name) == (NS_DELAY, "delay")
    assert (stored.namespace, stored.name) == (NS_CLIENT, "message")
    return Result(result.get("id", ""), delay.get("stamp", ""), stored)


def everything(client: Client) -> list[Result]:
    """The whole archive, page by page."""
    found: list[Result] = []
    while True:
        part = page(client, rsm(max=100, **({"after": found[-1].id} if found else {})))
        found += part.results
        if part.is_complete:
            return found


def chat(to: str, body: object, kind: str = "chat", inside: str = "", id: str = "") -> str:
    named = id and f" id='{id}'"
    return f"<message to='{to}' type='{kind}'{named}><body>{body}</body>{inside}</message>"
