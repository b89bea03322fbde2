"""XEP-0045 §4.2, §10.1: how a room comes into memory: from the disk, or because it is made."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from commonroom.features.muc import history
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.held import Held
from commonroom.features.muc.loading import announced_of, avatar_of, spoken, to_room
from commonroom.features.muc.making import Making
from commonroom.protocol.errors import StanzaError, gone
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, RoomStore, Writes
from commonroom.storage.records import EVERYTHING, ArchivedMessage, ArchiveFilter
from commonroom.storage.room_records import RoomGrave, StoredRoom
from commonroom.storage.stamps import to_stamp

# How far back it is looked for what somebody says again: so long, and so many of their messages.
WINDOW = timedelta(days=1)
LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class RoomStores:
    """Where rooms are kept."""

    rooms: RoomStore
    archive: ArchiveStore
    writes: Writes


class Opening:
    """Reads rooms and makes them; `grave` is for how many seconds one that was destroyed is remembered."""

    def __init__(
        self,
        stores: RoomStores,
        making: Making,
        grave: float,
        next_id: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._stores = stores
        self._making = making
        self._grave = timedelta(seconds=grave)
        self._next_id = next_id
        self._now = now

    async def read(self, address: JID) -> tuple[Held, Effects | None] | None:
        """A room as it was kept, or one of the configuration, which is made; None if there is none.

        Raises gone for one that was destroyed (RFC 6120 §8.3.3.5).
        """
        stored = await self.kept(address)
        if isinstance(stored, StoredRoom):
            held = await self._remember(stored)
            return held, self._making.enlist_newcomers(held.room)
        if self._making.is_declared(address):
            room, effects = self._making.declared(address)
            room.fixed = self._making.fixed(address)
            now = self._now()
            return Held(room, now, now, False, now.timestamp()), effects
        if isinstance(stored, RoomGrave) and self._now() < stored.stamp + self._grave:
            raise _gone(stored)
        return None

    async def kept(self, address: JID) -> StoredRoom | RoomGrave | None:
        """What is on disk."""
        await self.written()
        return await self._stores.rooms.load(address)

    async def make(self, who: JID, address: JID) -> tuple[Held, Effects]:
        """The room of somebody who enters it first; raises StanzaError."""
        room, effects = await self._making.by(who, address)
        room.fixed = self._making.fixed(address)
        now = self._now()
        return Held(room, now, now, False, now.timestamp()), effects

    def appoint(self, owner: JID, address: JID) -> tuple[Held, Effects]:
        """The room that an operator makes."""
        room, effects = self._making.appoint(owner, address)
        room.fixed = self._making.fixed(address)
        now = self._now()
        return Held(room, now, now, False, now.timestamp()), effects

    async def original(self, address: JID, id: int) -> ArchivedMessage | None:
        """A message that somebody wants to take away."""
        await self.written()
        found = await self._stores.archive.get(address, (id,))
        return found[0] if found else None

    async def said_by(self, address: JID, user: JID) -> tuple[ArchivedMessage, ...]:
        """The last messages of somebody."""
        await self.written()
        lately = ArchiveFilter(user.bare, after=to_stamp(self._now() - WINDOW))
        page = await self._stores.archive.page(address, lately, LOOKED_AT, backwards=True)
        return page.messages

    async def _remember(self, stored: StoredRoom) -> Held:
        room = to_room(stored, self._next_id)
        room.fixed = self._making.fixed(room.address)
        length = room.config.history_length
        if length:
            page = await self._stores.archive.page(room.address, EVERYTHING, length, backwards=True)
            history.recall(room, spoken(page.messages))
        head = stored.head
        held = Held(room, head.created, head.used, True, self._now().timestamp())
        held.announced = announced_of(head)
        held.avatar = avatar_of(head)
        return held

    async def written(self) -> None:
        """A room that left memory a moment ago may have changes on their way."""
        if self._stores.writes.behind:
            with suppress(StorageError):  # was told to whoever wrote it
                await self._stores.writes.flushed()

    def left(self, address: JID) -> None:
        """A room is not in memory any more."""
        self._making.left(address)


def _gone(grave: RoomGrave) -> StanzaError:
    text = "this room was destroyed" + (f": {grave.reason}" if grave.reason else "")
    return gone(text + (f"; people went on in {grave.alternate}" if grave.alternate else ""))
