"""The XML that the clients send, and how they read what they get."""

from commonroom.xml.element import Element
from crash.ledger import Key

NS_CLIENT = "jabber:client"
NS_STREAMS = "http://etherx.jabber.org/streams"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_MANAGEMENT = "urn:xmpp:sm:3"
NS_ARCHIVE = "urn:xmpp:mam:2"
NS_FORWARD = "urn:xmpp:forward:0"
NS_PAGES = "http://jabber.org/protocol/rsm"
NS_IDS = "urn:xmpp:sid:0"
NS_DISCO = "http://jabber.org/protocol/disco#info"
NS_ROOM = "http://jabber.org/protocol/muc"
NS_OCCUPANT = NS_ROOM + "#user"
NS_LISTS = NS_ROOM + "#admin"

PRESENCE = "<presence/>"
ENABLE = f"<enable xmlns='{NS_MANAGEMENT}' resume='true'/>"
REQUEST = f"<r xmlns='{NS_MANAGEMENT}'/>"
END = "</stream:stream>"


def header(domain: str) -> str:
    """The opening of a stream."""
    return (
        f"<?xml version='1.0'?><stream:stream xmlns='{NS_CLIENT}' xmlns:stream='{NS_STREAMS}'"
        f" to='{domain}' version='1.0'>"
    )


def plain(credentials: str) -> str:
    """SASL PLAIN, its message in base64."""
    return f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>{credentials}</auth>"


def bind(resource: str) -> str:
    """RFC 6120 §7.7: a resource of the client's choice."""
    return f"<iq type='set' id='bind'><bind xmlns='{NS_BIND}'><resource>{resource}</resource></bind></iq>"


def resume(previous: str, handled: int) -> str:
    """XEP-0198 §5."""
    return f"<resume xmlns='{NS_MANAGEMENT}' previd='{previous}' h='{handled}'/>"


def answer(handled: int) -> str:
    """XEP-0198 §4."""
    return f"<a xmlns='{NS_MANAGEMENT}' h='{handled}'/>"


def chat(key: Key, to: str) -> str:
    """A message as clients send it: with an id that is as long as theirs, the same when it is sent again."""
    return _message("chat", key, to)


def groupchat(key: Key, room: str) -> str:
    """The same to a room (XEP-0045 §7.4)."""
    return _message("groupchat", key, room)


def _message(kind: str, key: Key, to: str) -> str:
    id = key.id
    return (
        f"<message type='{kind}' id='{id}' to='{to}'><body>{key.text}</body>"
        f"<origin-id xmlns='{NS_IDS}' id='{id}'/></message>"
    )


def enter(room: str, nick: str) -> str:
    """XEP-0045 §7.2.1."""
    return f"<presence to='{room}/{nick}'><x xmlns='{NS_ROOM}'/></presence>"


def is_own(presence: Element) -> bool:
    """Whether that is what a room says of whom it is sent to (XEP-0045 §7.2.2)."""
    x = presence.child(NS_OCCUPANT, "x")
    return x is not None and any(e.name == "status" and e.get("code") == "110" for e in x.elements())


def affiliate(name: str, room: str, person: str, affiliation: str) -> str:
    """XEP-0045 §9: put somebody on a list, or take them off with `none`."""
    item = f"<item jid='{person}' affiliation='{affiliation}'/>"
    return f"<iq type='set' id='{name}' to='{room}'><query xmlns='{NS_LISTS}'>{item}</query></iq>"


def listed(name: str, room: str, affiliation: str) -> str:
    """XEP-0045 §9.2, §9.5: who is on a list?"""
    item = f"<item affiliation='{affiliation}'/>"
    return f"<iq type='get' id='{name}' to='{room}'><query xmlns='{NS_LISTS}'>{item}</query></iq>"


def items(answer: Element) -> list[Element]:
    """What a list has; raises ValueError for an error."""
    query = answer.child(NS_LISTS, "query")
    if query is None or answer.get("type") != "result":
        raise ValueError(f"no list: {answer!r}")
    return query.elements()


def result(iq: Element) -> str:
    """The empty answer to a request."""
    to = f" to='{iq.get('from')}'" if iq.get("from") else ""
    return f"<iq type='result' id='{iq.get('id')}'{to}/>"


def disco(name: str, to: str) -> str:
    """What can it do?"""
    return f"<iq type='get' id='{name}' to='{to}'><query xmlns='{NS_DISCO}'/></iq>"


def archive_page(name: str, after: str | None, limit: int, room: str | None = None) -> str:
    """XEP-0313 §4: a page of one's own archive or a room's, from the oldest or behind one that is known."""
    to = f" to='{room}'" if room else ""
    behind = f"<after>{after}</after>" if after else ""
    return (
        f"<iq type='set' id='{name}'{to}><query xmlns='{NS_ARCHIVE}' queryid='{name}'>"
        f"<set xmlns='{NS_PAGES}'><max>{limit}</max>{behind}</set></query></iq>"
    )


def key_of(message: Element) -> Key | None:
    """Which of the counted messages it is: its body says so, for a server may change ids."""
    return Key.of(message.child_text(NS_CLIENT, "body") or message.get("id"))


def archive_id(message: Element, owner: str) -> str | None:
    """XEP-0359: under which id the owner's archive has it."""
    for element in message.elements():
        if (element.namespace, element.name) == (NS_IDS, "stanza-id") and element.get("by") == owner:
            return element.get("id")
    return None


def forwarded(archived: Element) -> Element | None:
    """The message in a <result/> of the archive."""
    frame = archived.child(NS_FORWARD, "forwarded")
    return frame.child(NS_CLIENT, "message") if frame else None
