"""XEP-0045 §7.2.13, §7.2.14: the last messages, for those who enter."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.forgeries import is_history
from commonroom.features.muc.room import Room, Spoken
from commonroom.protocol.delay import NS_DELAY, utc
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC
from commonroom.protocol.stanza import Message, Presence
from commonroom.protocol.timestamps import read_date_time, to_microseconds
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_HINTS

# Characters that a room's history may hold; the oldest messages go first.
MOST_CHARACTERS = 256 * 1024

_NUMBER = re.compile(r"[0-9]{1,9}")  # int() takes more: "1_0", other digits


def is_kept(message: Message) -> bool:
    """Whether history and archive keep a message: unless a hint says no (XEP-0334 §4.1, §4.2)."""
    is_worth = False
    for child in message.children:
        if isinstance(child, str):
            continue
        if child.namespace == NS_HINTS:
            if child.name in ("no-store", "no-permanent-store"):
                return False
            is_worth = is_worth or child.name == "store"
        elif child.name == "body" and child.namespace == NS_CLIENT:
            is_worth = True
    return is_worth


def remember(room: Room, id: int, user: JID, message: Message, now: datetime) -> None:
    """Keep what was said, with when (XEP-0045 §7.2.13); the oldest goes when it is too much.

    What an owner brings from a conversation elsewhere says itself when it was said (§7.9).
    """
    if room.config.history_length:
        is_dated = room.affiliation(user) is Affiliation.OWNER and any(
            is_history(element, room.address) for element in message.elements()
        )
        dated = message if is_dated else stamped(message, room.address, now)
        room.history.append(Spoken(id, user, dated, now))
        trim(room)


def stamped(message: Message, room: JID, now: datetime) -> Message:
    """The message for those who come later; the stamp is from the room itself (XEP-0045 §7.2.13)."""
    delay = Element(NS_DELAY, "delay", {"from": str(room), "stamp": utc(now)})
    return Message(
        message.type,
        sender=message.sender,
        id=message.id,
        children=[*message.children, delay],
        lang=message.lang,
        extra=message.extra,
    )


def recall(room: Room, spoken: Iterable[tuple[int, JID, Message, datetime]]) -> None:
    """Take messages from the archive, the oldest first, for a room that was not in memory."""
    for id, user, message, stamp in spoken:
        remember(room, id, user.bare, message, stamp)


def trim(room: Room) -> None:
    """Let go what is more than the configuration, or memory, allows."""
    history = room.history
    while len(history) > room.config.history_length:
        history.popleft()
    size = sum([len(spoken.message.payload()) for spoken in history])
    while size > MOST_CHARACTERS:
        size -= len(history.popleft().message.payload())


def replay(room: Room, presence: Presence, to: JID, now: datetime) -> list[Message]:
    """The history for somebody who enters, as little as was asked for (XEP-0045 §7.2.14)."""
    x = presence.child(NS_MUC, "x")
    wish = None if x is None else x.child(NS_MUC, "history")
    chosen = list(room.history)
    if wish is None:
        return [spoken.message.addressed(to, spoken.message.sender) for spoken in chosen]
    since = _since(wish, now)
    if since is not None:
        chosen = [spoken for spoken in chosen if spoken.stamp >= since]
    most = _number(wish.get("maxstanzas"))
    if most is not None:
        chosen = chosen[len(chosen) - most :] if most < len(chosen) else chosen
    copies = [spoken.message.addressed(to, spoken.message.sender) for spoken in chosen]
    characters = _number(wish.get("maxchars"))
    return copies if characters is None else _newest(copies, characters)


def _newest(copies: list[Message], characters: int) -> list[Message]:
    """As many complete stanzas as have that many characters; the newest ones."""
    first = len(copies)
    while first and len(copies[first - 1].xml()) <= characters:
        first -= 1
        characters -= len(copies[first].xml())
    return copies[first:]


def _since(wish: Element, now: datetime) -> datetime | None:
    """The later of both limits; one that nobody can read is none."""
    limits = []
    seconds = _number(wish.get("seconds"))
    if seconds is not None:
        limits.append(now - timedelta(seconds=seconds))
    text = wish.get("since")
    if text is not None:
        try:
            limits.append(now - timedelta(microseconds=to_microseconds(now) - read_date_time(text)))
        except (ValueError, OverflowError):
            return max(limits, default=None)
    return max(limits, default=None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None
