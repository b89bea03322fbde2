"""XEP-0045 §4.2: how a persistent room is kept, and comes back."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from commonroom.features.muc import hats
from commonroom.features.muc.affiliations import Affiliation, Entry
from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.confusables import skeleton
from commonroom.features.muc.held import Held
from commonroom.features.muc.room import Room, Subject
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, read_message
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import RoomAffiliation, RoomHead, StoredRoom, StoredSubject
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment

NONE = Affiliation.NONE.value


def to_head(held: Held) -> RoomHead:
    """What is kept of the room itself."""
    room = held.room
    config = room.config
    name = room.address.local or ""
    said: dict[str, Any] = {
        "config": config.to_dict(),
        "hats": hats.to_dict(room),
        "complete": room.complete_from,
    }
    if held.announced is not None:
        said["announced"] = to_stamp(held.announced)
    if held.avatar:
        said["avatar"] = held.avatar
    if room.requests:
        said["requests"] = room.requests
    subject = room.subject
    return RoomHead(
        room.address,
        json.dumps(said, ensure_ascii=False),
        config.public,
        searched(name, config),
        skeleton(name),
        room.occupant_key,
        held.created,
        held.used,
        room.version,
        None if subject is None else StoredSubject(subject.message.xml(), subject.stamp),
    )


def searched(name: str, config: RoomConfig) -> str:
    """What a room is found by: a line each for its address, its name and its description."""
    parts = (name, config.name, config.description)
    return "\n".join(" ".join(part.split()).casefold() for part in parts)


def to_affiliation(room: Room, jid: JID) -> RoomAffiliation | None:
    """What is kept of somebody: the entry on a list, or that there was one (XEP-0463); None: nothing."""
    entry = room.affiliations.get(jid)
    if entry is not None:
        return RoomAffiliation(jid, entry.affiliation.value, entry.nick, entry.reason, entry.version)
    version = room.former.get(jid)
    return None if version is None else RoomAffiliation(jid, NONE, version=version)


def all_affiliations(room: Room) -> Iterator[RoomAffiliation]:
    """The lists as they are kept."""
    for jid in (*room.affiliations, *room.former):
        found = to_affiliation(room, jid)
        if found is not None:
            yield found


def config_of(head: RoomHead) -> RoomConfig:
    """The configuration of a room that need not be in memory."""
    return RoomConfig.from_dict(json.loads(head.config).get("config", {}))


def announced_of(head: RoomHead) -> datetime | None:
    """When the owners of a room heard that nobody uses it."""
    stamp = json.loads(head.config).get("announced")
    return None if stamp is None else from_stamp(stamp)


def avatar_of(head: RoomHead) -> tuple[str, ...]:
    """The hashes of a room's avatar."""
    return tuple(json.loads(head.config).get("avatar", ()))


def to_room(stored: StoredRoom, next_id: Callable[[], int]) -> Room:
    """The room as it was."""
    head = stored.head
    said = json.loads(head.config)
    room = Room(head.address, RoomConfig.from_dict(said.get("config", {})), head.occupant_key, next_id)
    entries = [(a.jid, _entry(a)) for a in stored.affiliations if a.affiliation != NONE]
    former = [(a.jid, a.version) for a in stored.affiliations if a.affiliation == NONE]
    room.restore(entries, former, head.version)
    room.complete_from = max(room.complete_from, int(said.get("complete", 0)))
    hats.restore(room, said.get("hats", {}))
    room.requests = {
        JID.parse(user): nick for user, nick in said.get("requests", {}).items()
    }  # XEP-0045 §9.9
    if head.subject is not None:
        room.subject = Subject(to_message(head.subject.xml), head.subject.stamp)
    return room


def _entry(kept: RoomAffiliation) -> Entry:
    return Entry(Affiliation(kept.affiliation), kept.nick, kept.reason, kept.version)


def to_message(xml: str) -> Message:
    """A message of the room that was kept, from whom it was."""
    element = parse_fragment(xml, NS_CLIENT)
    message = read_message(element)
    message.sender = JID.parse(element.get("from") or "")
    return message


def spoken(messages: Iterable[ArchivedMessage]) -> Iterator[tuple[int, JID, Message, datetime]]:
    """What was said, as the history takes it; subjects alone are none of it."""
    for kept in messages:
        message = to_message(kept.xml)
        if message.body() is not None:
            yield kept.id, kept.peer.bare, message, from_stamp(kept.id)
