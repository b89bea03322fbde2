"""XEP-0045: a room of witches, for the tests: stanzas in as XML, and what everybody is told out, in brief."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from commonroom.features.muc import handling
from commonroom.features.muc.affiliations import Affiliation, Entry
from commonroom.features.muc.config import RoomConfig, Whois
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.entering import found
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import READERS, Iq, Message, Presence, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER, NS_STANZA_ERRORS
from commonroom.xml.parser import parse_fragment

ROOM = JID.parse("coven@chat.shakespeare.lit")
CRONE = "crone1@shakespeare.lit/desktop"
WICCA = "wiccarocks@shakespeare.lit/laptop"
HAG = "hag66@shakespeare.lit/pda"
HECATE = "hecate@shakespeare.lit/broom"
KEY = b"k" * 32
START = datetime(2002, 10, 13, 23, 58, 37, tzinfo=UTC)
LISTS = {
    "crone1@shakespeare.lit": Affiliation.OWNER,
    "wiccarocks@shakespeare.lit": Affiliation.ADMIN,
    "hag66@shakespeare.lit": Affiliation.MEMBER,
}
OPEN = RoomConfig(persistent=True, public=True, whois=Whois.ANYONE)
HIDDEN = replace(OPEN, whois=Whois.MODERATORS)

MUC = "http://jabber.org/protocol/muc"


class Coven:
    """A room, and a clock that stands still until it is moved."""

    def __init__(
        self, config: RoomConfig = OPEN, lists: dict[str, Affiliation] | None = None, **changes: Any
    ):
        self.now = START
        self.effects = Effects()
        self.room = Room(ROOM, replace(config, **changes), KEY, count(1000).__next__)
        entries = LISTS if lists is None else lists
        self.room.restore([(JID.parse(jid), Entry(one, version=1)) for jid, one in entries.items()], [], 1)

    @staticmethod
    def new(founder: str = CRONE, **changes: Any) -> "Coven":
        """A room that was just made, and is locked."""
        coven = Coven()
        config = replace(OPEN, persistent=False, **changes)
        coven.room, coven.effects = found(ROOM, config, JID.parse(founder).bare, KEY, count(1000).__next__)
        return coven

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def send(self, sender: str, xml: str) -> list[Stanza]:
        """One stanza from a client; its `to` is the room, or `room/nick`, unless it says otherwise."""
        element = parse_fragment(xml, NS_CLIENT)
        element.attributes["to"] = element.attributes.get("to", str(ROOM)).replace("room", str(ROOM), 1)
        stanza = READERS[element.name](element)
        stanza.sender = JID.parse(sender)
        return self.give(stanza)

    def give(self, stanza: Stanza) -> list[Stanza]:
        self.effects = Effects()
        try:
            self.effects = handling.receive(self.room, stanza, self.now)
        except StanzaError as error:
            refusal = stanza.refused(error)
            return [] if refusal is None else [refusal]
        return list(self.effects.stanzas())

    def hears(self, sender: str, xml: str) -> list[str]:
        """The same, in brief."""
        return [brief(stanza) for stanza in self.send(sender, xml)]

    def enter(self, sender: str, nick: str, inside: str = "", more: str = "") -> list[str]:
        return self.hears(
            sender, f"<presence id='j' to='room/{nick}'><x xmlns='{MUC}'>{inside}</x>{more}</presence>"
        )

    def everybody(self) -> "Coven":
        """The three witches are inside."""
        self.enter(CRONE, "firstwitch")
        self.enter(WICCA, "secondwitch")
        self.enter(HAG, "thirdwitch")
        return self

    def admin(self, sender: str, *items: str) -> list[str]:
        return self.hears(
            sender,
            f"<iq type='set' id='a'><query xmlns='{MUC}#admin'>{''.join(items)}</query></iq>",
        )

    def listing(self, sender: str, item: str) -> list[Stanza]:
        return self.send(sender, f"<iq type='get' id='a'><query xmlns='{MUC}#admin'>{item}</query></iq>")

    def owner(self, sender: str, inside: str, kind: str = "set") -> list[str]:
        return self.hears(
            sender, f"<iq type='{kind}' id='o'><query xmlns='{MUC}#owner'>{inside}</query></iq>"
        )

    def configure(self, sender: str, **fields: str | Iterable[str]) -> list[str]:
        return self.owner(sender, form("roomconfig", {f"muc#roomconfig_{k}": v for k, v in fields.items()}))

    def say(self, sender: str, text: str, more: str = "") -> list[str]:
        return self.hears(sender, f"<message type='groupchat' id='m'><body>{text}</body>{more}</message>")


def form(kind: str, fields: Mapping[str, str | Iterable[str]]) -> str:
    """A submitted form of one of the kinds of XEP-0045."""
    parts = [f"<field var='FORM_TYPE'><value>{MUC}#{kind}</value></field>"]
    for var, values in fields.items():
        texts = (values,) if isinstance(values, str) else values
        parts.append(f"<field var='{var}'>{''.join(f'<value>{text}</value>' for text in texts)}</field>")
    return f"<x xmlns='jabber:x:data' type='submit'>{''.join(parts)}</x>"


def to(stanzas: Iterable[str], recipient: str) -> list[str]:
    """What one of them is told, without to whom."""
    start = f"{short(recipient)} < "
    return [text.removeprefix(start) for text in stanzas if text.startswith(start)]


def short(jid: JID | str | None) -> str:
    """Occupants by nickname, users by the beginning of their address."""
    if jid is None:
        return "-"
    address = JID.parse(jid)
    if address.bare == ROOM:
        return address.resource or "room"
    return (address.local or address.domain) + (f"/{address.resource}" if address.resource else "")


def brief(stanza: Stanza) -> str:
    """Who is told by whom, and what: `hag66/pda < firstwitch: owner/moderator 110`."""
    told = f"{short(stanza.to)} < {short(stanza.sender)}:"
    error = stanza.child(NS_CLIENT, "error")
    if error is not None:
        names = [child.name for child in error.elements() if child.namespace == NS_STANZA_ERRORS]
        return f"{told} {error.get('type')} {names[0]}"
    words = [word for word in _words(stanza) if word]
    return " ".join([told, *words])


def _words(stanza: Stanza) -> list[str]:
    if isinstance(stanza, Iq):
        return [stanza.type.value]
    words = ["gone"] if isinstance(stanza, Presence) and stanza.type.value == "unavailable" else []
    if isinstance(stanza, Presence):
        shown = (stanza.child(NS_CLIENT, name) for name in ("show", "status"))
        words += [child.text() for child in shown if child is not None]
    if isinstance(stanza, Message):
        words += [
            f"{name}={child.text()!r}"
            for name in ("subject", "body")
            if (child := stanza.child(NS_CLIENT, name)) is not None
        ]
        words += ["delayed"] if stanza.child("urn:xmpp:delay", "delay") is not None else []
    x = stanza.child(NS_MUC_USER, "x")
    return words if x is None else [*words, *_user_words(x)]


def _user_words(x: Element) -> list[str]:
    words = []
    for child in x.elements():
        if child.name == "item":
            words += [f"{child.get('affiliation')}/{child.get('role')}"]
            words += [
                f"{key}={short(child.get(key)) if key == 'jid' else child.get(key)}"
                for key in ("jid", "nick")
                if child.get(key)
            ]
            words += [f"by {inner.get('nick')}" for inner in child.elements() if inner.name == "actor"]
            words += [f"because {inner.text()}" for inner in child.elements() if inner.name == "reason"]
        elif child.name in ("invite", "decline"):
            reason = child.child_text(NS_MUC_USER, "reason")
            words += [child.name, short(child.get("from")), *([f"because {reason}"] if reason else [])]
        elif child.name == "status":
            words += [child.get("code") or ""]
        elif child.name == "destroy":
            reason = child.child_text(NS_MUC_USER, "reason")
            words += ["destroyed", *([short(child.get("jid"))] if child.get("jid") else [])]
            words += [f"because {reason}"] if reason else []
        elif child.name == "password":
            words += [f"password={child.text()}"]
    return words
