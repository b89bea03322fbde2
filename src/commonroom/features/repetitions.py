"""XEP-0198 §4: messages that another server sends again, because it could not know that they had come."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakKeyDictionary

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Outcome, Received
from commonroom.core.user import ARCHIVE, User
from commonroom.protocol.debts import Owed
from commonroom.protocol.jid import JID
from commonroom.protocol.repeats import has_unique_id, is_same
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import OfflineMessage
from commonroom.storage.stamps import to_stamp

# How far back it is looked: so long, and so many messages of the archive, in both directions.
WINDOW = timedelta(days=1)
LOOKED_AT = 200

# Of one recipient's archive: the ids there of what came from a domain, by its origin.
Former = dict[str, list[int]]


class Mailbox(Protocol):
    """What waits for accounts."""

    async def waiting(self, account: JID, after: int, limit: int) -> Sequence[OfflineMessage]:
        """Read the oldest ones behind an id."""

    def is_given(self, account: JID, id: int) -> bool:
        """Whether since the start some client was sent one that had waited before, or has yet to acknowledge
        one."""


class Repetitions(Feature):
    """Compares the first messages of another server's stream with what their recipients' archives have.

    One that is there, and waits or arrived, ends here. One that is there, and may never have been shown
    because this service was killed, goes on under the id that it has. `began` is an id of when it started.
    """

    xep = Xep("0198", "1.6.3")

    def __init__(
        self, store: ArchiveStore, writes: Writes, mailbox: Mailbox, began: int, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._writes = writes
        self._mailbox = mailbox
        self._began = began
        self._now = now
        self._known: WeakKeyDictionary[Owed, dict[JID, Former]] = WeakKeyDictionary()

    @on_message(Received.LIMIT, wants=ARCHIVE, rooms=False)
    def recognise(self, message: Message, user: User) -> Awaitable[Outcome] | None:
        """Take what its recipient has, or will get."""
        stream = message.owed
        if stream is None or not stream.doubtful:
            return None
        stream.doubtful -= 1
        if not stream.doubtful:
            self._known.pop(stream, None)
            return None
        if not has_unique_id(message):
            return None
        known = self._known.setdefault(stream, {}).get(user.jid)
        if known is None:
            return self._look(message, user, stream)
        former = known.get(origin_of(message) or "")
        return self._compare(message, user, former) if former else None

    async def _look(self, message: Message, user: User, stream: Owed) -> Outcome:
        """Once for each recipient and stream: what is found came over a former one."""
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()
        assert message.sender is not None
        known: Former = {}
        for row in await self._store.recent(user.jid, to_stamp(self._now() - WINDOW), LOOKED_AT):
            if not row.outgoing and row.origin is not None and row.peer.domain == message.sender.domain:
                known.setdefault(row.origin, []).append(row.id)
        streams = self._known.get(stream)
        if streams is not None:
            streams[user.jid] = known
        former = known.get(origin_of(message) or "")
        return await self._compare(message, user, former) if former else None

    async def _compare(self, message: Message, user: User, former: list[int]) -> Outcome:
        """With those of the same origin; each of them explains one message."""
        for row in await self._store.get(user.jid, former):
            if not row.outgoing and is_same(message, row.xml):
                former.remove(row.id)
                if await self._is_kept(user.jid, row.id):
                    return True
                message.archive_id = str(row.id)
                return None
        return None

    async def _is_kept(self, account: JID, id: int) -> bool:
        """Whether it waits for a client, or one was given it; or has arrived, as what came since the start
        and does neither."""
        if self._mailbox.is_given(account, id) or id > self._began:
            return True
        return any(row.id == id for row in await self._mailbox.waiting(account, id - 1, 1))
