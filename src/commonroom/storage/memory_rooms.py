"""Rooms in memory; see `memory.py`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from commonroom.protocol.jid import JID
from commonroom.storage.memory_archive import MemoryArchiveStore
from commonroom.storage.room_records import (
    RoomAffiliation,
    RoomGrave,
    RoomHead,
    RoomRequest,
    StoredRoom,
    StoredSubject,
)
from commonroom.storage.stamps import from_stamp, to_stamp


class MemoryRoomStore:
    """See `interfaces.RoomStore`; `note` counts a write."""

    def __init__(self, note: Callable[[], None], archive: MemoryArchiveStore) -> None:
        self._note = note
        self._archive = archive
        self.heads: dict[JID, RoomHead] = {}
        self.lists: dict[JID, dict[JID, RoomAffiliation]] = {}
        self.graves: dict[JID, RoomGrave] = {}
        self._requests: dict[JID, RoomRequest] = {}
        self._vcards: dict[JID, str | None] = {}

    async def load(self, room: JID) -> StoredRoom | RoomGrave | None:
        """Read a room, or that it was destroyed."""
        if (head := self.heads.get(room)) is None:
            return self.graves.get(room)
        return StoredRoom(head, tuple(found for _, found in sorted(self.lists[room].items())))

    async def page(
        self, domain: str, after: JID | None, limit: int, public: bool = False, words: str = ""
    ) -> tuple[RoomHead, ...]:
        """List the rooms of a domain by address."""
        found = self._wanted(domain, public, words)
        return tuple(head for head in found if after is None or head.address > after)[:limit]

    async def count(self, domain: str, public: bool = False, words: str = "") -> int:
        """Count them."""
        return len(self._wanted(domain, public, words))

    async def alike(self, domain: str, skeleton: str, limit: int) -> tuple[JID, ...]:
        """List the rooms whose names look like that."""
        found = self._wanted(domain, False, "")
        return tuple(head.address for head in found if head.skeleton == skeleton)[:limit]

    async def of(self, person: JID, affiliation: str, limit: int) -> tuple[JID, ...]:
        """List the rooms in which somebody has this affiliation."""
        found = (room for room, entries in sorted(self.lists.items()) if person in entries)
        return tuple(r for r in found if self.lists[r][person].affiliation == affiliation)[:limit]

    async def mentioning(self, domain: str, person: JID) -> tuple[JID, ...]:
        """List the rooms that know somebody."""
        named = json.dumps(person, ensure_ascii=False)
        return tuple(
            head.address
            for head in self._wanted(domain, False, "")
            if person in self.lists[head.address] or named in head.config
        )

    async def unused(
        self, domain: str, before: datetime, limit: int, after: datetime | None = None
    ) -> tuple[RoomHead, ...]:
        """List those where somebody was last between these moments."""
        old = (head for head in self._wanted(domain, False, "") if head.used < before)
        found = [head for head in old if after is None or head.used > after]
        return tuple(sorted(found, key=attrgetter("used", "address"))[:limit])

    def put(self, room: RoomHead, lists: Sequence[RoomAffiliation] = ()) -> None:
        """Make or replace a room, with an archive, and some of its lists."""
        created, used, subject = _kept(room.created), _kept(room.used), room.subject
        if subject is not None:
            subject = StoredSubject(subject.xml, _kept(subject.stamp))
        self._note()
        self.heads[room.address] = replace(room, created=created, used=used, subject=subject)
        self.lists.setdefault(room.address, {}).update({entry.jid: entry for entry in lists})
        self.graves.pop(room.address, None)
        self._archive.kept.setdefault(room.address, [])

    async def vcard(self, room: JID) -> str | None:
        """What a room shows of itself."""
        return self._vcards.get(room)

    def put_vcard(self, room: JID, xml: str | None) -> None:
        """Keep it."""
        self._note()
        if room in self.heads:
            self._vcards[room] = xml

    def put_affiliation(self, room: JID, affiliation: RoomAffiliation) -> None:
        """Add or replace somebody in a room's lists."""
        self._note()
        if room in self.lists:
            self.lists[room][affiliation.jid] = affiliation

    def remove_affiliation(self, room: JID, jid: JID) -> None:
        """Keep nothing of somebody."""
        self._note()
        self.lists.get(room, {}).pop(jid, None)

    def remove(self, room: JID) -> None:
        """Remove a room."""
        self._note()
        self.heads.pop(room, None)
        self.lists.pop(room, None)
        self._vcards.pop(room, None)
        self._archive.kept.pop(room, None)

    def bury(self, grave: RoomGrave) -> None:
        """Remove a room, and keep in mind that it was destroyed."""
        stamp = _kept(grave.stamp)
        self.remove(grave.address)
        self.graves[grave.address] = replace(grave, stamp=stamp)

    def forget_graves(self, before: datetime) -> None:
        """Forget who was destroyed before."""
        self._note()
        self.graves = {room: grave for room, grave in self.graves.items() if grave.stamp >= before}

    def request(self, request: RoomRequest) -> None:
        """Note that somebody would like a room."""
        stamp = _kept(request.stamp)
        self._note()
        self._requests.setdefault(request.address, replace(request, stamp=stamp))

    async def requests(self, domain: str) -> tuple[RoomRequest, ...]:
        """List those."""
        return tuple(asked for room, asked in sorted(self._requests.items()) if room.domain == domain)

    def settle(self, room: JID) -> None:
        """Such a request was answered."""
        self._note()
        self._requests.pop(room, None)

    def _wanted(self, domain: str, public: bool, words: str) -> list[RoomHead]:
        found = (head for _, head in sorted(self.heads.items()) if head.address.domain == domain)
        return [head for head in found if (head.public or not public) and words in head.words]


def _kept(moment: datetime) -> datetime:
    """What the tables would make of it."""
    return from_stamp(to_stamp(moment))
