"""XEP-0160: what is on disk, or will be, until a client of its recipient surely has it."""

import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

from commonroom.core.iq import Route
from commonroom.core.questions import Timer
from commonroom.core.user import User
from commonroom.protocol.errors import StanzaError, resource_constraint, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import OfflineStore, Writes
from commonroom.storage.stamps import from_stamp

log = logging.getLogger(__name__)

# What a stanza grows by when the recipient's archive gives it an id, beside the address (XEP-0313 §3.5).
ID_SIZE = 120

# Seconds; what is archived, and nobody will ask about, is written after so many, or twice as many.
EVERY = 1.0

# Messages, of those that have waited since before the start, and have arrived.
REMEMBERED = 10_000

NOTHING: Mapping[int, Message] = {}


class OfflineQuota(NamedTuple):
    """How much waits for one account at most: stanzas, and the bytes of their XML."""

    messages: int
    size: int

    def allows(self, count: int, size: int, more: int) -> bool:
        """Whether one of `more` bytes may wait beside those that do."""
        return count < self.messages and size + more <= self.size


class Held:
    """A message for which there is room on disk, until a client of its recipient surely has it."""

    __slots__ = ("_holding", "has_arrived", "id", "is_on_disk", "is_settled", "others", "size", "user")

    def __init__(self, holding: "Holding", user: User, id: int, size: int, is_on_disk: bool) -> None:
        self._holding = holding
        self.user = user
        self.id = id
        self.size = size
        self.is_on_disk = is_on_disk
        self.has_arrived = False
        self.is_settled = is_on_disk
        self.others = 0  # whom it was shown to, beside the first, and who may still say that they have it

    def arrived(self) -> None:
        """It leaves the disk, or need not get there."""
        self._holding.forget(self)

    def missed(self) -> None:
        """It waits for the next resource that takes messages, once nobody is left who may have it."""
        if self.others:
            self.others -= 1
        else:
            self._holding.put_back(self)

    def secure(self) -> None:
        """Somebody is about to count on it."""
        self._holding.secure(self)


class Outlet(NamedTuple):
    """What it takes to act by itself: word of a failure goes to `route`, and `start` runs what that leaves;
    `later` calls a function after so many seconds."""

    route: Route
    start: Callable[[Coroutine[Any, Any, None]], object]
    later: Callable[[float, Callable[[], None]], Timer]


class Holding:
    """Up to `quota` for each account, in the order of ids; `waits` hears of accounts for which some waits.

    What is in flight was given to some session. Its room is taken, whether it is on disk or not.
    """

    def __init__(
        self,
        store: OfflineStore,
        writes: Writes,
        quota: OfflineQuota,
        next_id: Callable[[], int],
        waits: Callable[[JID], None],
        outlet: Outlet,
    ) -> None:
        self._store = store
        self._writes = writes
        self.quota = quota
        self._next_id = next_id
        self._waits = waits
        self._outlet = outlet
        self._flying: dict[JID, dict[int, Message]] = {}
        self._watched: list[tuple[JID, set[int]]] = []  # by who reads what waits
        self._began = next_id()
        self._given: dict[int, None] = {}  # what waited since before this started, and has arrived
        self._unwritten: dict[int, Held] = {}  # what nobody will ask about, in the order of ids
        self._runs = False

    def flying(self, account: JID) -> Mapping[int, Message]:
        """What some session was given, by id."""
        return self._flying.get(account, NOTHING)

    @contextmanager
    def taken(self, account: JID) -> Iterator[set[int]]:
        """What some session was given at any time since: a row of it, however early it was read, may have
        left the disk."""
        watched = (account, set(self.flying(account)))
        self._watched.append(watched)
        try:
            yield watched[1]
        finally:
            self._watched = [each for each in self._watched if each is not watched]

    def is_full(self, user: User, size: int) -> bool:
        """Whether there is no room for so many bytes."""
        return not self.quota.allows(user.mail_count, user.mail_size, size)

    def reserve(self, message: Message, user: User, size: int) -> Held:
        """Room for it, under the id that it has in the archive, if it has one."""
        id = self._next_id() if message.archive_id is None else int(message.archive_id)
        held = Held(self, user, id, size, is_on_disk=False)
        user.mail_count += 1
        user.mail_size += size
        self.hand_out(message, held)
        return held

    def hand_out(self, message: Message, held: Held) -> None:
        """Some session gets it now."""
        message.held = held
        self._flying.setdefault(held.user.jid, {})[held.id] = message
        if self._watched:
            self._note(held)

    def _note(self, held: Held) -> None:
        for account, taken in self._watched:
            if account == held.user.jid:
                taken.add(held.id)

    def write(self, message: Message, held: Held) -> None:
        """With the next commit it is on disk; who waits for that hears of a failure."""
        self._store.add(held.user.jid, held.id, from_stamp(held.id), message.xml())
        held.is_on_disk = held.is_settled = True

    def defer(self, held: Held) -> None:
        """Write it in a while, unless it has arrived by then."""
        self._unwritten[held.id] = held
        if not self._runs:
            self._runs = True
            self._outlet.later(EVERY, partial(self._look, held.id))

    def _look(self, through: int) -> None:
        """Those that were there when it was looked last."""
        for held in tuple(takewhile(lambda held: held.id <= through, self._unwritten.values())):
            self.secure(held)
        self._runs = bool(self._unwritten)
        if self._runs:
            self._outlet.later(EVERY, partial(self._look, next(reversed(self._unwritten))))

    def secure(self, held: Held) -> None:
        """Write it, if it may be needed. Should that fail, its sender is told, before what waits for it."""
        message = self.flying(held.user.jid).get(held.id)
        if message is None or held.is_on_disk:
            return
        self._unwritten.pop(held.id, None)
        before = self._writes.appended
        try:
            self.write(message, held)
        except StorageError as failure:  # too much waits for the disk
            self._written(held, message, failure)
        else:
            self._writes.when_flushed(partial(self._written, held, message), before)

    def _written(self, held: Held, message: Message, failure: StorageError | None) -> None:
        """What its sender counts on, and nobody surely has, is refused: it may come again, and twice."""
        if failure is None or held.has_arrived:
            return
        held.is_on_disk = False
        if held.id not in self.flying(held.user.jid):
            _release(held)  # it waits nowhere
        if message.owed is not None:
            message.arrive()
            self._refuse(message)

    def _refuse(self, message: Message) -> None:
        refusal = message.refused(resource_constraint("the server cannot store this now; try again later"))
        if refusal is not None and refusal.to is not None:
            waiting = self._outlet.route(refusal)
            if waiting is not None:
                self._outlet.start(_wait(waiting))

    def put_back(self, held: Held) -> None:
        """Nobody has it: it waits."""
        self.secure(held)
        if self._landed(held):
            if held.is_on_disk:
                self._waits(held.user.jid)
            else:  # its recipient's archive has it, but what waits cannot be written
                _release(held)

    def forget(self, held: Held) -> None:
        """Somebody has it: it leaves the disk."""
        held.has_arrived = held.is_settled = True
        if self._landed(held):
            if held.is_on_disk:
                self.erase(held)
            else:
                self._unwritten.pop(held.id, None)
                _release(held)

    def erase(self, held: Held) -> None:
        """It is needed no more."""
        try:
            self._store.remove(held.user.jid, held.id)
        except StorageError as error:  # too much waits for the disk; to be shown twice is better than a break
            log.warning("a message that arrived stays on disk", extra={"reason": str(error)})
            return
        _release(held)
        self._note(held)
        if held.id < self._began:
            self._given[held.id] = None
            if len(self._given) > REMEMBERED:
                del self._given[next(iter(self._given))]

    def is_given(self, account: JID, id: int) -> bool:
        """Whether a client was given one since the start, as far as it had waited before."""
        return id in self._given or id in self.flying(account)

    def _landed(self, held: Held) -> bool:
        """Whether it was in flight until now."""
        flying = self._flying.get(held.user.jid)
        if flying is None or flying.pop(held.id, None) is None:
            return False
        if not flying:
            del self._flying[held.user.jid]
        return True


def size_of(xml: str) -> int:
    """In bytes."""
    return len(xml) if xml.isascii() else len(xml.encode())


def full() -> StanzaError:
    """The sender hears of it (XEP-0160 §2, step 3)."""
    return service_unavailable("the recipient's store of offline messages is full")


def _release(held: Held) -> None:
    held.user.mail_count -= 1
    held.user.mail_size -= held.size


async def _wait(waiting: Any) -> None:
    await waiting
