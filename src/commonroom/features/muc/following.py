"""XEP-0283: rooms follow people to their new addresses, and forget those who are gone."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

from commonroom.features.muc import people
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.room import Room
from commonroom.features.muc.service import RoomService
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import ArchiveUpkeep, RoomStore, Writes
from commonroom.storage.records import Conversation, Renaming

log = logging.getLogger(__name__)

# Archived messages that get another author's address in one step.
STEP = 500


class Following:
    """See `core.lifecycle.Followers`: for all rooms here, whether they are in memory or on disk."""

    def __init__(
        self, services: Sequence[RoomService], rooms: RoomStore, upkeep: ArchiveUpkeep, writes: Writes
    ) -> None:
        self._services = services
        self._rooms = rooms
        self._upkeep = upkeep
        self._writes = writes

    async def readdress(self, renamings: Sequence[Renaming]) -> None:
        """Lists, nicknames, hats and archives know people by their new addresses; twice does no harm."""
        moves = {one.former: one.new for one in renamings}
        for service in self._services if moves else ():
            domain = service.domain.domain
            async for room in self._knowing(service, moves):
                await self._change(service, room, partial(people.readdress, moves=moves))
                await self._readdress_archive(room.address, moves)
            for request in await self._rooms.requests(domain):
                if request.requester in moves:
                    self._rooms.settle(request.address)
                    self._rooms.request(replace(request, requester=moves[request.requester]))

    async def forget(self, account: JID) -> None:
        """Affiliations end, and nicknames are free."""
        for service in self._services:
            async for room in self._knowing(service, (account,)):
                had_owner = people.has_owner(room)
                await self._change(service, room, partial(people.forget, user=account))
                if had_owner and not people.has_owner(room):
                    log.warning("a room has no owner any more", extra={"room": room.address})
            for request in await self._rooms.requests(service.domain.domain):
                if request.requester == account:
                    self._rooms.settle(request.address)

    async def _knowing(
        self, service: RoomService, users: Mapping[JID, JID] | Sequence[JID]
    ) -> AsyncIterator[Room]:
        """The rooms that know one of these, and all that are in memory, each once."""
        await self._writes.flushed()
        found = dict.fromkeys(room.address for room in service.rooms())
        for user in users:
            found |= dict.fromkeys(await self._rooms.mentioning(service.domain.domain, user))
        for address in found:
            try:
                room = await service.load(address)
            except StanzaError:  # it was destroyed meanwhile
                continue
            if room is not None:
                yield room

    async def _change(self, service: RoomService, room: Room, change: Callable[[Room], Effects]) -> None:
        effects = change(room)
        waiting = service.tell(room, effects) if effects.writes or effects.send else None
        if waiting is not None:
            await waiting

    async def _readdress_archive(self, room: JID, moves: Mapping[JID, JID]) -> None:
        """Who said something may take it back, whatever their address is now (XEP-0424 §5)."""
        were = [Conversation(room, former) for former in moves]
        known = {was.peer for was in await self._upkeep.having(room, were)}
        for former, new in in_turn(moves) if known else ():
            was, now = Conversation(room, former), Conversation(room, new)
            while await self._upkeep.readdress(was, now, STEP):
                pass


def in_turn(moves: Mapping[JID, JID]) -> list[tuple[JID, JID]]:
    """One move after the other, so that nobody is mixed up with who had an address before.

    Where people change places, one waits at an address that nobody can have.
    """
    left, done = dict(moves), []
    waiting = (JID.of(f"moving-{number}", "invalid") for number in count())
    while left:
        free = [former for former, new in left.items() if new not in left]
        if not free:
            former = next(iter(left))
            aside = next(waiting)
            done.append((former, aside))
            left[aside] = left.pop(former)
            continue
        done += [(former, left.pop(former)) for former in free]
    return done
