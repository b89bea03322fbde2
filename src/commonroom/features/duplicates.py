"""XEP-0198 §4: messages that a client sends again, although they are on disk already."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from commonroom.core.feature import Feature, Xep, on_message, on_session
from commonroom.core.lately import Former, Lately
from commonroom.core.message import Outcome, Sent
from commonroom.core.moments import Moment
from commonroom.core.questions import Timer
from commonroom.core.session import Session
from commonroom.core.user import ARCHIVE, User
from commonroom.protocol.debts import Owed
from commonroom.protocol.jid import JID
from commonroom.protocol.repeats import has_unique_id, is_same
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import ArchiveFilter, OfflineMessage

# What switches the stage on, while any stream of a user's is at its beginning.
WANT = "duplicates"

# How long that is: so many messages, and so many seconds from the first of them that could be a duplicate.
MESSAGES = 100
SECONDS = 300.0

# The recipient's copy came with the sender's: it is among the next so many of the conversation.
NEAR = 20

NS_RETRACT = "urn:xmpp:message-retract:1"


class Keepers(NamedTuple):
    """Who knows what is kept: whether the sender's archive keeps a message, and whether one waits for its
    recipient until a client has it."""

    archives: Callable[[Message, User], bool]
    holds: Callable[[Message], bool]


class Mailbox(Protocol):
    """What waits for accounts."""

    async def waiting(self, account: JID, after: int, limit: int) -> Sequence[OfflineMessage]:
        """Read the oldest ones behind an id."""

    async def has_room(self, account: JID, size: int) -> bool:
        """Whether so many bytes more would be kept."""


class _Watch:
    """A stream; at its beginning `left` is not 0. `sent` are the messages of former streams,
    by origin: their ids in the archive; None as long as nobody looked."""

    __slots__ = ("left", "sent", "session", "timer")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.left = MESSAGES
        self.sent: Former | None = None
        self.timer: Timer | None = None


class Duplicates(Feature):
    """Takes what is in the archives of both sides, or in the sender's and waits; docs/decisions/0014.

    A client without an acknowledgement sends its messages again. `later` calls a function after so many
    seconds, `now` gives an aware datetime.
    """

    xep = Xep("0198", "1.6.3")

    def __init__(
        self,
        store: ArchiveStore,
        writes: Writes,
        mailbox: Mailbox,
        keepers: Keepers,
        domains: frozenset[str],
        now: Callable[[], datetime],
        later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._store = store
        self._lately = Lately(store, writes, now)
        self._mailbox = mailbox
        self._keepers = keepers
        self._domains = domains
        self._later = later
        # By account and by what each owes, which its messages name; in the order in which they began. One
        # that was closed is here until all that its client sent is handled.
        self._watched: dict[JID, dict[Owed, _Watch]] = {}

    def watch(self, session: Session) -> None:
        """Its client turned XEP-0198 on. Who archives nothing has nothing to compare with."""
        if ARCHIVE in session.user.wants and not session.closed and session.management is not None:
            self._watched.setdefault(session.user.jid, {})[session.management.owed] = _Watch(session)
            session.user.wants |= {WANT}

    @on_session(Moment.CLOSED)
    def left(self, session: Session) -> None:
        """All that it sent is handled."""
        account = session.user.jid
        watches = self._watched.get(account, {})
        if session.management is not None and (watch := watches.pop(session.management.owed, None)):
            self._stop(watch)
            if not watches:
                del self._watched[account]

    def _stop(self, watch: _Watch) -> None:
        """Nothing that comes over this stream from now on is looked at."""
        watch.left, watch.sent = 0, None
        if watch.timer is not None:
            watch.timer.cancel()
        user = watch.session.user
        if not any(other.left for other in self._watched.get(user.jid, {}).values()):
            user.wants -= {WANT}

    @on_message(Sent.BLOCK, wants=WANT)
    def recognise(self, message: Message, user: User) -> Awaitable[Outcome] | None:
        """Take what both sides have; what only its sender has keeps the id that it has there."""
        watch = None if message.owed is None else self._watched.get(user.jid, {}).get(message.owed)
        if watch is None or watch.left == 0:
            return None
        sent = watch.sent
        watch.left -= 1
        if watch.left == 0:
            self._stop(watch)
        if not self._may_be_known(message, user):
            return None
        if sent is None:
            return self._look(message, user, watch)
        former = sent.get(origin_of(message) or "")
        return self._compare(message, user, former) if former else None

    def _may_be_known(self, message: Message, user: User) -> bool:
        """Not what has no unique id, nor what is never on disk on both sides.

        A retraction must be done again: what it retracts may have come again, too.
        """
        return (
            has_unique_id(message)
            and self._keepers.archives(message, user)
            and self._keepers.holds(message)
            and message.child(NS_RETRACT, "retract") is None
        )

    async def _look(self, message: Message, user: User, watch: _Watch) -> Outcome:
        """Once for each stream. The sender's later stanzas wait: what is found was not sent over this one.

        What came over former streams, and is still handled, comes first: it may be the same.
        """
        for former_stream in self._before(watch):
            await former_stream.come_to_rest()
        sent = await self._lately.find(user.jid, lambda row: row.outgoing)
        if not sent:
            self._stop(watch)
        elif watch.left:
            watch.sent = sent
            watch.timer = self._later(SECONDS, partial(self._stop, watch))
        ids = sent.get(origin_of(message) or "")
        return await self._compare(message, user, ids) if ids else None

    def _before(self, watch: _Watch) -> list[Session]:
        """Of the same account; later ones wait for this, and it must not wait for them."""
        streams = list(self._watched.get(watch.session.user.jid, {}).values())
        return [other.session for other in streams[: streams.index(watch)]] if watch in streams else []

    async def _compare(self, message: Message, user: User, former: list[int]) -> Outcome:
        """With those of the same id."""
        id = await self._lately.take(message, user.jid, former, outgoing=True)
        if id is None:
            return None
        message.sent_id = str(id)
        return True if await self._reached(message, id) else None

    async def _reached(self, message: Message, sent_id: int) -> bool:
        """Whether its recipient has the copy of it, or will get it."""
        to, sender = message.to, message.sender
        assert to is not None
        assert sender is not None
        if to.local is None or to.domain not in self._domains:
            return False
        await self._lately.written()
        conversation = ArchiveFilter(sender.bare, after=sent_id - 1)
        page = await self._store.page(to.bare, conversation, NEAR)
        is_own = to.bare == sender.bare  # then one row stands for both
        copies = (m for m in page.messages if m.outgoing is is_own and is_same(message, m.xml))
        if (copy := next(copies, None)) is not None:
            return await self._was_held(to.bare, copy.id, len(copy.xml.encode()))
        waiting = await self._mailbox.waiting(to.bare, sent_id - 1, NEAR)
        return any(is_same(message, stored.xml) for stored in waiting)

    async def _was_held(self, account: JID, id: int, size: int) -> bool:
        """Whether it waits for a client, or one has it. Where nothing more fits, it may never have waited."""
        waiting = await self._mailbox.waiting(account, id - 1, 1)
        return any(stored.id == id for stored in waiting) or await self._mailbox.has_room(account, size)
