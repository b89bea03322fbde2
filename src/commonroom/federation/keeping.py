"""XEP-0198: what somebody here counts on, and another server does not surely have yet."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from commonroom.core.subscription import SUBSCRIPTION_TYPES
from commonroom.features.offline import is_worth_keeping
from commonroom.protocol.debts import Owed
from commonroom.protocol.delay import NS_DELAY, delay
from commonroom.protocol.errors import StanzaError, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.repeats import has_unique_id, is_same
from commonroom.protocol.stanza import READERS, Message, MessageType, Presence, Stanza
from commonroom.protocol.stanza_ids import origin_of
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import OutboundStore, Writes
from commonroom.storage.records import OutboundStanza
from commonroom.storage.stamps import from_stamp
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment

log = logging.getLogger(__name__)

# Read in one go.
PAGE = 500
# After a start, for so long what was kept is compared with what clients send again.
AGAIN = timedelta(minutes=5)
# Messages that were taken, of which it is known whether one comes again; some 250 bytes each.
TAKEN = 10_000

_GROUPCHAT = MessageType.GROUPCHAT


class Kept:
    """A stanza that is on disk, or will be when its sender is told that it was handled, until the other
    server has it or its sender knows that it never will."""

    __slots__ = ("_keeping", "id", "is_on_disk", "is_settled", "stanza")

    def __init__(self, keeping: "Keeping", id: int, stanza: Stanza, is_on_disk: bool = False) -> None:
        self._keeping = keeping
        self.id = id
        self.stanza: Stanza | None = stanza
        self.is_on_disk = self.is_settled = is_on_disk

    def arrived(self) -> None:
        """It leaves the disk, or need not get there."""
        self._keeping.forget(self)

    def missed(self) -> None:
        """It stays in its queue, and on disk if it is there."""

    def secure(self) -> None:
        """Somebody is about to count on it."""
        self._keeping.secure(self)


class Listeners(NamedTuple):
    """Who can hear that a message failed: whether its sender is somebody whose clients do, and the address
    of one of them; None while there is none."""

    may_hear: Callable[[JID], bool]
    find: Callable[[JID], JID | None]


class Refusal:
    """Its sender was promised the message, and is told now that it cannot be sent: until it surely knows,
    the message stays on disk."""

    __slots__ = ("_keeping", "_stanza")

    def __init__(self, keeping: "Keeping", stanza: Stanza) -> None:
        self._keeping = keeping
        self._stanza = stanza

    def arrived(self) -> None:
        """It knows."""
        self._keeping.settle(self._stanza)

    def missed(self) -> None:
        """Its client is gone: so the message is tried again."""
        self._keeping.postpone(self._stanza)


class KeptPresence(Presence):
    """A change of a subscription: unlike other presence, nothing repeats it."""

    __slots__ = ("held",)


class Keeping:
    """Keeps messages whose senders are told that they were handled (XEP-0198 §4), and subscriptions.

    `tell` takes a refusal to its sender. For so long as `patience` lasts, nothing that is kept is given up
    before a client of its sender's surely knows.
    """

    def __init__(
        self,
        store: OutboundStore,
        writes: Writes,
        next_id: Callable[[], int],
        now: Callable[[], datetime],
        tell: Callable[[Stanza], None],
        listeners: Listeners,
        patience: timedelta,
    ) -> None:
        self._store = store
        self._writes = writes
        self._next_id = next_id
        self._now = now
        self._tell = tell
        self._listeners = listeners
        self._patience = patience
        self.postpone: Callable[[Stanza], None] = self.settle  # until there is a queue for it
        self._loaded: dict[str, list[Message]] = {}  # what was kept before the start, by origin
        self._taken: OrderedDict[str, Kept] = OrderedDict()  # by the id in the sender's archive
        self._until = now()

    def keep(self, stanza: Stanza) -> Stanza | None:
        """See to it that it outlives a crash, if anybody will count on that; gives what to send. None, if its
        sender sends again what was taken before, and goes out by itself, or has.

        A message costs no write if the other server has it before its sender asks. A change of a
        subscription is written at once: the roster that says so is on disk as well.
        """
        if type(stanza) is Message:
            owed = stanza.owed
            if self._loaded and self._was_loaded(stanza):
                return None
            if owed is not None and is_worth_keeping(stanza, _GROUPCHAT):
                return self._keep_message(stanza, owed)
        elif isinstance(stanza, Presence) and stanza.type in SUBSCRIPTION_TYPES:
            return self._keep_presence(stanza)
        return stanza

    def _keep_message(self, message: Message, owed: Owed) -> Message | None:
        """What comes again over another stream has the id that its sender's archive knows (`Duplicates`).

        Its sender counts on it from now on, by another stream than the one that owes it.
        """
        id = message.sent_id
        if id is not None and (former := self._taken.get(id)) is not None:
            self.secure(former)
            return None
        message.held = kept = Kept(self, self._next_id(), message)
        owed.add(kept)
        if id is not None:
            self._taken[id] = kept
            if len(self._taken) > TAKEN:
                self._taken.popitem(last=False)
        return message

    def _may_come_again(self, stanza: Stanza) -> None:
        """It is not sent: its sender may try again."""
        if not isinstance(stanza, Message):
            return
        if stanza.sent_id is not None:
            self._taken.pop(stanza.sent_id, None)
        elif self._loaded:  # what was on disk does not tell the id in the sender's archive
            former = self._loaded.get(origin_of(stanza) or "", [])
            former[:] = [each for each in former if each is not stanza]

    def _was_loaded(self, message: Message) -> bool:
        """Each that was kept explains one that comes within a while after the start."""
        if self._now() > self._until:
            self._loaded.clear()
        former = self._loaded.get(origin_of(message) or "", []) if has_unique_id(message) else []
        for each in former:
            if is_same(message, each.xml()):
                former.remove(each)
                return True
        return False

    def _keep_presence(self, presence: Presence) -> Stanza:
        copy = _presence(presence)
        copy.held = kept = Kept(self, self._next_id(), copy)
        try:
            self._write(kept)
        except StorageError as error:  # too much waits for the disk: it goes out all the same
            log.warning("a subscription is sent and not kept", extra={"reason": str(error)})
        return copy

    def save(self, stanza: Stanza) -> None:
        """The service stops, and this waits: it goes on after the next start, whoever sent it."""
        held = stanza.held
        if isinstance(held, Kept):
            self.secure(held)
        elif type(stanza) is Message and is_worth_keeping(stanza, _GROUPCHAT):
            stanza.held = kept = Kept(self, self._next_id(), stanza)
            self.secure(kept)

    def secure(self, kept: Kept) -> None:
        """Write it, if it may be needed. Should that fail, its sender is told, before what waits for it."""
        if kept.is_settled:
            return
        before = self._writes.appended
        try:
            self._write(kept)
        except StorageError as failure:  # too much waits for the disk
            self._written(kept, failure)
        else:
            self._writes.when_flushed(partial(self._written, kept), before)

    def _write(self, kept: Kept) -> None:
        assert kept.stanza is not None
        self._store.add(kept.id, kept.stanza.xml())
        kept.is_on_disk = kept.is_settled = True

    def _written(self, kept: Kept, failure: StorageError | None) -> None:
        """It is refused, although it may still arrive: it may come again, and twice."""
        stanza = kept.stanza
        if failure is None or stanza is None:
            return
        kept.is_on_disk = False
        self.forget(kept)
        self._may_come_again(stanza)
        error = resource_constraint("the server cannot store this now; try again later")
        refusal = stanza.refused(error)
        if refusal is not None:
            self._tell(refusal)

    def forget(self, kept: Kept) -> None:
        """The other server has it, or its sender knows that it will not."""
        if kept.stanza is None:
            return
        kept.is_settled = True
        kept.stanza = None  # which refers to this
        if kept.is_on_disk:
            try:
                self._store.remove(kept.id)
            except StorageError as error:  # to arrive twice is better than a break
                log.warning("a stanza that was sent stays on disk", extra={"reason": str(error)})

    # When it cannot be sent

    def must_wait(self, stanza: Stanza) -> bool:
        """Whether it is tried again later, because nobody could be told now that it failed."""
        if not self._is_promised(stanza):
            return False
        assert stanza.sender is not None
        return self._listeners.find(stanza.sender) is None

    def _is_promised(self, stanza: Stanza) -> bool:
        """Whether somebody was told that it was handled, not too long ago."""
        held, sender = stanza.held, stanza.sender
        if not isinstance(held, Kept) or not held.is_on_disk or type(stanza) is not Message:
            return False
        assert sender is not None
        return self._listeners.may_hear(sender) and self._now() - from_stamp(held.id) <= self._patience

    def refuse(self, stanza: Stanza, error: StanzaError) -> None:
        """Nothing is tried any more: its sender is told, by any client if the one that sent it is gone."""
        self._may_come_again(stanza)
        answer = stanza.refused(error)
        if isinstance(answer, Message) and answer.to is not None and self._is_promised(stanza):
            answer.to = self._listeners.find(answer.to) or answer.to
            answer.held = Refusal(self, stanza)
        else:
            self.settle(stanza)
        if answer is not None and answer.to is not None:
            self._tell(answer)

    def settle(self, stanza: Stanza) -> None:
        """Nobody waits for it any more."""
        self._may_come_again(stanza)
        if stanza.held is not None:
            stanza.held.arrived()

    # After a start

    async def load(self) -> list[Stanza]:
        """What was kept when the service ended, in its order, with a note of the delay (XEP-0203 §2)."""
        found: list[Stanza] = []
        after = 0
        while page := await self._store.load(PAGE, after):
            after = page[-1].id
            found += [stanza for kept in page if (stanza := self._read(kept)) is not None]
        for stanza in found:
            if isinstance(stanza, Message) and (origin := origin_of(stanza)) is not None:
                self._loaded.setdefault(origin, []).append(stanza)
        self._until = self._now() + AGAIN
        return found

    def _read(self, row: OutboundStanza) -> Stanza | None:
        """One that is broken must not keep back those behind it."""
        try:
            element = parse_fragment(row.xml, NS_CLIENT)
            stanza = READERS[element.name](element)
            stanza.sender = JID.parse(element.attributes["from"])
        except Exception:
            log.exception("a stanza for another server cannot be read", extra={"id": row.id})
            self._store.remove(row.id)
            return None
        if isinstance(stanza, Presence):
            stanza = _presence(stanza)
        assert isinstance(stanza, Message | KeptPresence)
        if isinstance(stanza, Message):
            _note_delay(stanza, from_stamp(row.id))
        stanza.held = Kept(self, row.id, stanza, is_on_disk=True)
        return stanza


def is_settled(stanza: Stanza) -> bool:
    """Whether nobody waits any more for what was to be kept."""
    return isinstance(stanza.held, Kept) and stanza.held.stanza is None


def _presence(presence: Presence) -> KeptPresence:
    return KeptPresence(
        presence.type,
        presence.to,
        presence.sender,
        presence.id,
        presence.children,
        presence.lang,
        presence.extra,
    )


def _note_delay(message: Message, since: datetime) -> None:
    assert message.sender is not None
    by = JID.of(None, message.sender.domain)
    if not any(e.namespace == NS_DELAY and e.get("from") == by for e in message.elements()):
        message.append(delay(by, since, "The way to your server was interrupted"))
