"""XEP-0359 §2.2: what came to an archive lately, found again by the ids that its senders gave."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from commonroom.protocol.jid import JID
from commonroom.protocol.repeats import is_same
from commonroom.protocol.stanza import Message
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.stamps import to_stamp

# How far back it is looked: so long, and so many messages of the archive, in both directions.
WINDOW = timedelta(days=1)
LOOKED_AT = 200

# Ids in one account's archive, by origin.
Former = dict[str, list[int]]


class Lately:
    """Looks into archives; `now` gives an aware datetime."""

    def __init__(self, store: ArchiveStore, writes: Writes, now: Callable[[], datetime]) -> None:
        self._store = store
        self._writes = writes
        self._now = now

    async def written(self) -> None:
        """What was handled so far is there to be found."""
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()

    async def find(self, account: JID, fits: Callable[[ArchivedMessage], bool]) -> Former:
        """Those that fit; their XML is not read."""
        await self.written()
        found: Former = {}
        for row in await self._store.recent(account, to_stamp(self._now() - WINDOW), LOOKED_AT):
            if row.origin is not None and fits(row):
                found.setdefault(row.origin, []).append(row.id)
        return found

    async def take(self, message: Message, account: JID, former: list[int], outgoing: bool) -> int | None:
        """Which of those of the same origin it is, if any; each of them explains one message."""
        for row in await self._store.get(account, former):
            if row.outgoing is outgoing and is_same(message, row.xml):
                former.remove(row.id)
                return row.id
        return None
