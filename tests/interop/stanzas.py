"""What the tests ask about a stanza that slixmpp received."""

from typing import NamedTuple

from slixmpp.stanza import Iq, Message, Presence


class Contact(NamedTuple):
    """A roster item as the server tells it (RFC 6121 §2.1.2)."""

    subscription: str
    name: str = ""
    groups: frozenset[str] = frozenset()
    ask: str = ""


def is_message(stanza: object, body: str) -> bool:
    return isinstance(stanza, Message) and stanza["body"] == body


def is_presence(stanza: object, kind: str, sender: str) -> bool:
    """Whether it is presence of the kind; a bare sender stands for all of its resources."""
    if not isinstance(stanza, Presence) or stanza["type"] != kind:
        return False
    return sender in (str(stanza["from"]), str(stanza["from"].bare))


def is_request(stanza: object) -> bool:
    """Whether it is a subscription request (RFC 6121 §3.1.3)."""
    return isinstance(stanza, Presence) and stanza["type"] == "subscribe"


def is_push(stanza: object) -> bool:
    """Whether it is a roster push (RFC 6121 §2.1.6)."""
    if not isinstance(stanza, Iq) or stanza["type"] != "set":
        return False
    return stanza.get_plugin("roster", check=True) is not None


def contacts(iq: Iq) -> dict[str, Contact]:
    """The items of a roster result or push by their address."""
    return {
        str(jid): Contact(item["subscription"], item["name"], frozenset(item["groups"]), item["ask"])
        for jid, item in iq["roster"]["items"].items()
    }
