"""XEP-0198 §4: messages that another server sends again, because it could not know that they had come."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from weakref import WeakKeyDictionary

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.lately import Former, Lately
from commonroom.core.message import Outcome, Received
from commonroom.core.user import ARCHIVE, User
from commonroom.protocol.debts import Owed
from commonroom.protocol.jid import JID
from commonroom.protocol.repeats import has_unique_id
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import OfflineMessage


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
        self._lately = Lately(store, writes, now)
        self._mailbox = mailbox
        self._began = began
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
        assert message.sender is not None
        domain = message.sender.domain
        known = await self._lately.find(user.jid, lambda row: not row.outgoing and row.peer.domain == domain)
        streams = self._known.get(stream)
        if streams is not None:
            streams[user.jid] = known
        former = known.get(origin_of(message) or "")
        return await self._compare(message, user, former) if former else None

    async def _compare(self, message: Message, user: User, former: list[int]) -> Outcome:
        """With those of the same origin."""
        id = await self._lately.take(message, user.jid, former, outgoing=False)
        if id is None:
            return None
        if await self._is_kept(user.jid, id):
            return True
        message.archive_id = str(id)
        return None

    async def _is_kept(self, account: JID, id: int) -> bool:
        """Whether it waits for a client, or one was given it; or has arrived, as what came since the start
        and does neither."""
        if self._mailbox.is_given(account, id) or id > self._began:
            return True
        return any(row.id == id for row in await self._mailbox.waiting(account, id - 1, 1))
