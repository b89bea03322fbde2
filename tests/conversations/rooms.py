"""Rooms in conversations: entering, leaving, and what is heard there."""

from commonroom.protocol.muc import NS_MUC, NS_MUC_OWNER
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from tests.conversations.world import Client

SERVICE = "group.example.org"
HALL = f"hall@{SERVICE}"
SUBMIT = "<x xmlns='jabber:x:data' type='submit'/>"
FORM = "http://jabber.org/protocol/muc#roomconfig"


def enter(client: Client, nick: str, room: str = HALL, inside: str = "") -> list[Element]:
    """Ask to come in; gives what comes."""
    client.received()
    client.send(f"<presence to='{room}/{nick}'><x xmlns='{NS_MUC}'>{inside}</x></presence>")
    return client.received()


def form(**fields: str) -> str:
    """A form that sets these fields: `persistentroom="1"`; none of them is an instant room."""
    inside = "".join(
        f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in fields.items()
    )
    kind = f"<field var='FORM_TYPE'><value>{FORM}</value></field>" if fields else ""
    return f"<x xmlns='jabber:x:data' type='submit'>{kind}{inside}</x>"


def configure(client: Client, room: str = HALL, **fields: str) -> Element:
    """Submit a form of these fields."""
    query = f"<query xmlns='{NS_MUC_OWNER}'>{form(**fields)}</query>"
    client.received()
    client.send(f"<iq type='set' id='own' to='{room}'>{query}</iq>")
    return next(e for e in client.received() if e.name == "iq")


def make(client: Client, nick: str, room: str = HALL, **fields: str) -> None:
    """Make a room, lasting unless it is said otherwise."""
    assert "201" in codes(enter(client, nick, room)), "not made"
    assert configure(client, room, **{"persistentroom": "1", **fields}).get("type") == "result"
    client.received()


def say(client: Client, text: str, room: str = HALL, id: str = "") -> None:
    """Say something to all."""
    named = f" id='{id}'" if id else ""
    client.send(f"<message type='groupchat' to='{room}'{named}><body>{text}</body></message>")


def codes(stanzas: list[Element]) -> list[str]:
    """The status codes in what came."""
    found = []
    for stanza in stanzas:
        x = stanza.child(NS_MUC_USER, "x")
        if x is not None:
            found += [status.get("code") or "" for status in x.elements() if status.name == "status"]
    return found


def said(client: Client) -> list[str]:
    """`nick: text` of each message with a body that came."""
    found = []
    for stanza in client.received():
        body = stanza.child_text(NS_CLIENT, "body") if stanza.name == "message" else None
        if body is not None:
            found.append(f"{(stanza.get('from') or '').partition('/')[2]}: {body}")
    return found


def here(stanzas: list[Element]) -> list[str]:
    """`+nick` of each available presence, `-nick` of each unavailable one."""
    signs = {None: "+", "unavailable": "-", "error": "!"}
    return [
        signs[stanza.get("type")] + (stanza.get("from") or "").partition("/")[2]
        for stanza in stanzas
        if stanza.name == "presence"
    ]
