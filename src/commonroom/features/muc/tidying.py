"""Rooms that nobody uses: their owners hear of it, and some time later they go (docs/rooms.md)."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.effects import RoomDestroyed
from commonroom.features.muc.loading import announced_of
from commonroom.features.muc.owning import destroy
from commonroom.features.muc.policy import NamePolicy
from commonroom.features.muc.room import Room
from commonroom.features.muc.service import RoomService
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.stanza import Message, MessageType
from commonroom.storage.interfaces import RoomStore
from commonroom.storage.room_records import RoomHead
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

AT_ONCE = 100
REASON = "nobody has used this room for long"


class Tidying:
    """Looks after the rooms of one service; `notice` and `grave` are in seconds."""

    def __init__(
        self,
        service: RoomService,
        store: RoomStore,
        policy: NamePolicy,
        notice: float,
        grave: float,
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._store = store
        self._policy = policy
        self._notice = timedelta(seconds=notice)
        self._grave = timedelta(seconds=grave)
        self._now = now

    async def tidy(self) -> None:
        """Go once through all that nobody used for long; raises StorageError."""
        now = self._now()
        self._store.forget_graves(now - self._grave)
        shortest = self._policy.shortest_unused()
        if shortest is None:
            return
        place: datetime | None = None
        before = now - timedelta(seconds=shortest)
        while heads := await self._store.unused(self._service.domain.domain, before, AT_ONCE, place):
            place = heads[-1].used
            for head in heads:
                with suppress(StanzaError):  # it was destroyed meanwhile
                    await self._look_at(head, now)

    async def _look_at(self, head: RoomHead, now: datetime) -> None:
        after = self._policy.unused_after(head.address.local or "")
        if after is None or head.used + timedelta(seconds=after) > now:
            return
        if self._service.occupants(head.address):
            return  # they have been there since before
        announced = announced_of(head)
        if announced is None:
            room = await self._service.note_unused(head.address)
            if room is not None:
                self._announce(room, head, now)
        elif announced + self._notice <= now:
            room = await self._service.load(head.address)
            if room is not None and not room.occupants:  # nobody came in while it was read
                waiting = self._service.tell(room, destroy(room, RoomDestroyed(REASON)))
                if waiting is not None:
                    await waiting

    def _announce(self, room: Room, head: RoomHead, now: datetime) -> None:
        text = (
            f"Nobody has been in the room {room.address} since {head.used:%Y-%m-%d}. It will be removed "
            f"with all that was said in it after {now + self._notice:%Y-%m-%d}, unless somebody enters it."
        )
        for jid, _ in room.listed(Affiliation.OWNER):
            if jid.local is not None:
                body = Element(NS_CLIENT, "body", None, text)
                self._service.announce(Message(MessageType.NORMAL, jid, room.address, children=[body]))
