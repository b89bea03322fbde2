"""What waits for other servers, in memory; see `interfaces.OutboundStore`."""

from collections.abc import Callable

from commonroom.storage.records import OutboundStanza


class MemoryOutboundStore:
    """See `interfaces.OutboundStore`; `note` begins a write."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self._kept: dict[int, str] = {}

    def add(self, id: int, xml: str) -> None:
        """Keep a stanza."""
        self._note()
        self._kept[id] = xml

    async def load(self, limit: int, after: int = 0) -> tuple[OutboundStanza, ...]:
        """Read the oldest ones."""
        found = sorted(id for id in self._kept if id > after)[:limit]
        return tuple(OutboundStanza(id, self._kept[id]) for id in found)

    async def last_id(self) -> int:
        """The greatest id."""
        return max(self._kept, default=0)

    def remove(self, *ids: int) -> None:
        """Forget some."""
        self._note()
        for id in ids:
            self._kept.pop(id, None)
