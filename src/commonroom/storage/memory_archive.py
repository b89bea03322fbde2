"""Archives of messages in memory; see `memory.py`."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

from commonroom.protocol.jid import JID
from commonroom.storage.records import (
    ArchiveAge,
    ArchiveBounds,
    ArchivedMessage,
    ArchiveFilter,
    ArchivePage,
    Conversation,
)
from commonroom.storage.wanted import cut, matches


class MemoryArchiveStore:
    """See `interfaces.ArchiveStore` and `ArchiveUpkeep`; `note` counts a write."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self.kept: dict[JID, list[ArchivedMessage]] = {}
        self._used: set[int] = set()

    def append(self, owner: JID, message: ArchivedMessage) -> None:
        """Archive a message; ValueError for an id that was used before."""
        self._note()
        if (kept := self.kept.get(owner)) is None:
            return
        if message.id in self._used:
            raise ValueError(f"the id {message.id} was used before")
        self._used.add(message.id)
        kept.append(message)

    async def page(
        self, owner: JID, wanted: ArchiveFilter, limit: int, backwards: bool = False
    ) -> ArchivePage:
        """Read the first messages that are wanted, or the last ones."""
        return cut(tuple(self._matching(owner, wanted)), limit, backwards)

    async def get(self, owner: JID, ids: Sequence[int]) -> tuple[ArchivedMessage, ...]:
        """Read single messages."""
        return tuple(self._matching(owner, ArchiveFilter(ids=tuple(ids))))

    async def bounds(self, owner: JID) -> ArchiveBounds | None:
        """Tell where an archive begins and ends."""
        kept = self.kept.get(owner)
        return ArchiveBounds(kept[0].id, kept[-1].id) if kept else None

    async def count(self, owner: JID, wanted: ArchiveFilter, limit: int) -> int:
        """Count what is wanted."""
        return min(len(self._matching(owner, wanted)), limit)

    async def recent(self, owner: JID, after: int, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages that have an origin."""
        found = [m for m in self._matching(owner, ArchiveFilter(after=after)) if m.origin is not None]
        return tuple(replace(message, xml="", body=None) for message in found[max(len(found) - limit, 0) :])

    async def named(self, owner: JID, peer: JID, origin: str, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages with this peer that have this origin."""
        found = [m for m in self._matching(owner, ArchiveFilter(peer.bare)) if m.origin == origin]
        return tuple(found[max(len(found) - limit, 0) :])

    def replace(self, owner: JID, id: int, xml: str) -> None:
        """Put a tombstone in a message's place."""
        self._note()
        kept = self.kept.get(owner, [])
        position = bisect_left(kept, id, key=attrgetter("id"))
        if position < len(kept) and kept[position].id == id:
            kept[position] = replace(kept[position], xml=xml, body=None)

    def erase(self, owner: JID, peer: JID | None = None) -> None:
        """Forget all messages, or those with one peer."""
        self._note()
        if (kept := self.kept.get(owner)) is not None:
            kept[:] = [] if peer is None else [m for m in kept if m.peer.bare != peer.bare]

    def add_owner(self, owner: JID) -> None:
        """Make an archive."""
        self._note()
        self.kept.setdefault(owner, [])

    def remove_owner(self, owner: JID) -> None:
        """Forget an owner."""
        self._note()
        self.kept.pop(owner, None)

    async def last_id(self) -> int:
        """The greatest id."""
        return max((kept[-1].id for kept in self.kept.values() if kept), default=0)

    async def ages(self, after: JID | None, limit: int) -> tuple[ArchiveAge, ...]:
        """List the owners of archives that are not empty."""
        owners = sorted(owner for owner in self.kept if after is None or owner > after)
        found = (ArchiveAge(owner, self.kept[owner][0].id) for owner in owners if self.kept[owner])
        return tuple(found)[:limit]

    async def expire(self, owner: JID, before: int, limit: int) -> int:
        """Remove old messages."""
        self._note()
        kept = self.kept.get(owner, [])
        gone = min(bisect_left(kept, before, key=attrgetter("id")), limit)
        del kept[:gone]
        return gone

    async def peers(self, owner: JID) -> tuple[JID, ...]:
        """List with whom an archive has messages."""
        return tuple({message.peer.bare for message in self.kept.get(owner, [])})

    async def having(self, owner: JID, were: Sequence[Conversation]) -> tuple[Conversation, ...]:
        """Those of these former conversations that an archive still has messages of."""
        peers = {message.peer.bare for message in self.kept.get(owner, [])}
        return tuple(was for was in were if was.peer in peers)

    async def readdress(self, was: Conversation, now: Conversation, limit: int) -> int:
        """Make messages those of another conversation."""
        kept, moved = self.kept.get(now.owner, []), 0
        for position, message in enumerate(kept):
            if message.peer.bare == was.peer != now.peer and moved < limit:
                resource = message.peer.resource
                peer = now.peer if resource is None else now.peer.with_resource(resource)
                kept[position] = replace(message, peer=peer)
                moved += 1
        if moved:
            self._note()
        return moved

    async def purge(self, limit: int) -> int:
        """Nothing is left over here."""
        return 0

    async def index(self, limit: int) -> int:
        """Nothing is prepared here."""
        return 0

    def _matching(self, owner: JID, wanted: ArchiveFilter) -> list[ArchivedMessage]:
        return [message for message in self.kept.get(owner, []) if matches(message, wanted)]
