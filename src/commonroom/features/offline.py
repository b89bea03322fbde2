"""XEP-0160, XEP-0334: Best Practices for Handling Offline Messages, and the hint not to keep one."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from commonroom.core.feature import Feature, Xep, on_bound, on_message, on_session
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.signs import SignsOfLife
from commonroom.core.user import User
from commonroom.protocol.delay import NS_DELAY, delay
from commonroom.protocol.errors import StanzaError, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Held as Keeper
from commonroom.protocol.stanza import Message, MessageType, read_message
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import OfflineStore, Writes
from commonroom.storage.records import OfflineMessage
from commonroom.xml.names import NS_CHAT_STATES, NS_CLIENT, NS_HINTS, NS_STANZA_IDS
from commonroom.xml.parser import XmlError, parse_fragment

log = logging.getLogger(__name__)

# Read and written to a client in one go; the next ones follow when it has answered for these, or let the
# time for it pass.
PAGE = 100
# And so many characters of XML, but at least one message: what waits for an acknowledgement is bounded.
PAGE_SIZE = 512 * 1024


class OfflineQuota(NamedTuple):
    """How much waits for one account at most: stanzas, and the bytes of their XML."""

    messages: int
    size: int

    def allows(self, count: int, size: int, more: int) -> bool:
        """Whether one of `more` bytes may wait beside those that do."""
        return count < self.messages and size + more <= self.size


class Held:
    """A message on disk until a client of its recipient surely has it."""

    __slots__ = ("_offline", "id", "size", "user")

    def __init__(self, offline: "Offline", user: User, id: int, size: int) -> None:
        self._offline = offline
        self.user = user
        self.id = id
        self.size = size

    def arrived(self) -> None:
        """It leaves the disk."""
        self._offline.forget(self)

    def missed(self) -> None:
        """It waits for the next resource that takes messages."""
        self._offline.put_back(self)


class _ReadElsewhere:
    """A message that one client has yet to acknowledge, and that another one reads in the archive."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def arrived(self) -> None:
        """Then the account has it."""
        self._message.arrive()

    def missed(self) -> None:
        """The first one may still have got it."""


class Offline(Feature):
    """Keeps what no client surely has, up to `quota` per account.

    What must not be lost is on disk before it is delivered; everything else is written when nobody is there
    to read it. `mail_comes` hears of an account for which something waits. `next_id` gives ids that rise,
    `now` an aware datetime.
    """

    xep = Xep("0160", "1.0.1")
    disco = ("msgoffline",)

    def __init__(
        self,
        store: OfflineStore,
        writes: Writes,
        signs: SignsOfLife,
        quota: OfflineQuota,
        mail_comes: Callable[[JID], None],
        next_id: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._writes = writes
        self._signs = signs
        self._quota = quota
        self._mail_comes = mail_comes
        self._next_id = next_id
        self._now = now
        self._catching_up: dict[JID, Session] = {}
        self._more: set[JID] = set()  # for whom something began to wait since it was last looked
        self._in_flight: dict[JID, dict[int, Message]] = {}  # what some session was given, by account

    @on_message(Received.HOLD)
    def hold(self, message: Message, user: User) -> None:
        """What is archived, or will be acknowledged to its sender, outlives a crash until a client has it."""
        if (message.archive_id is not None or message.lasts) and is_worth_keeping(message):
            xml = message.xml()
            if not self._is_full(user, xml):
                self._keep(message, user, xml)
            elif message.archive_id is None or not user.non_negative:
                raise _full()

    @on_message(Received.STORE)
    def store(self, message: Message, user: User) -> Outcome | Awaitable[Outcome]:
        """Let it wait, if it was not delivered (XEP-0160 §2)."""
        if message.delivered:
            return None
        if isinstance(message.held, Held):
            self._wait(message.held, message, user)
            return None
        if not is_worth_keeping(message):
            return True
        return self._store_now(message, user)

    async def _store_now(self, message: Message, user: User) -> Outcome:
        """Stored means on disk."""
        before = self._writes.appended
        xml = message.xml()
        if self._is_full(user, xml):
            raise _full()
        held = self._keep(message, user, xml)
        await self._writes.flushed(before)
        self._wait(held, message, user)
        return None

    def _is_full(self, user: User, xml: str) -> bool:
        return not self._quota.allows(user.mail_count, user.mail_size, len(xml.encode()))

    def _keep(self, message: Message, user: User, xml: str) -> Held:
        """Under the id that it has in the archive, if it has one."""
        id = self._next_id() if message.archive_id is None else int(message.archive_id)
        size = len(xml.encode())
        self._store.add(user.jid, id, self._now(), xml)
        user.mail_count += 1
        user.mail_size += size
        held = Held(self, user, id, size)
        self._hand_out(message, held)
        return held

    def _hand_out(self, message: Message, held: Held) -> None:
        message.held = held
        self._in_flight.setdefault(held.user.jid, {})[held.id] = message

    def _wait(self, held: Held, message: Message, user: User) -> None:
        held.missed()
        message.stored = True
        self._offer(user)

    def put_back(self, held: Held) -> None:
        """Nobody has it: it waits."""
        if not self._landed(held):
            return
        account = held.user.jid
        self._mail_comes(account)
        if account in self._catching_up:
            self._more.add(account)

    def forget(self, held: Held) -> None:
        """Somebody has it: it leaves the disk."""
        if self._landed(held):
            self._erase(held)

    def _erase(self, held: Held) -> None:
        try:
            self._store.remove(held.user.jid, held.id)
        except StorageError as error:  # too much waits for the disk; to be shown twice is better than a break
            log.warning("a message that arrived stays on disk", extra={"reason": str(error)})
            return
        held.user.mail_count -= 1
        held.user.mail_size -= held.size

    def _landed(self, held: Held) -> bool:
        """Whether it was in flight until now."""
        flying = self._in_flight.get(held.user.jid)
        if flying is None or flying.pop(held.id, None) is None:
            return False
        if not flying:
            del self._in_flight[held.user.jid]
        return True

    # Recognising what is sent again

    async def waiting(self, account: JID, after: int, limit: int) -> Sequence[OfflineMessage]:
        """Read the oldest that is on disk behind an id, whoever was given it."""
        return await self._store.load(account, limit, after)

    async def has_room(self, account: JID, size: int) -> bool:
        """Whether so many bytes more would be kept."""
        usage = await self._store.usage(account)
        return self._quota.allows(usage.count, usage.size, size)

    # Reading the archive

    async def read(self, session: Session, ids: Sequence[int]) -> Mapping[int, Keeper]:
        """Who is to hear whether the session's client gets these messages of its archive: for those that no
        client surely has. They are sent at once."""
        user = session.user
        if not user.mail_count or not ids:
            return {}
        flying = dict(self._in_flight.get(user.jid, {}))
        found = await self._rows(user, len(ids) + PAGE, min(ids) - 1)
        if session.closed:
            return {}
        keepers: dict[int, Keeper] = {
            id: _ReadElsewhere(message) for id, message in flying.items() if not message.arrived
        }
        for stored in found:
            keepers[stored.id] = held = Held(self, user, stored.id, len(stored.xml.encode()))
            self._hand_out(Message(), held)
        return keepers

    # Catching up

    @on_session(Moment.REACHABLE)
    def catch_up(self, session: Session) -> Awaitable[None] | None:
        """Hand over what waits, to one resource that takes messages (XEP-0160 §2, step 5).

        Until it is done the resource is not ready: what comes meanwhile goes behind what waits.
        """
        user = session.user
        if not user.mail_waits or user.jid in self._catching_up:
            return None
        self._catching_up[user.jid] = session
        session.ready = False
        user.presence_changed()
        return self._next_page(session)

    async def _next_page(self, session: Session) -> None:
        try:
            page, is_last = await self._load(session.user)
            if not _is_reachable(session):
                self._done(session)
                self._offer(session.user)
            else:
                self._send(page, is_last, session)
        except Exception:
            self._done(session)  # what comes now need not wait behind what cannot be read
            raise

    async def _load(self, user: User) -> tuple[list[OfflineMessage], bool]:
        """Up to a page of what waits; and whether that is all, also of what came while it was read."""
        while True:
            self._more.discard(user.jid)
            found = await self._rows(user, PAGE + 1)
            page = _page(found)
            is_last = len(page) == len(found)
            if not is_last or user.jid not in self._more:
                return page, is_last

    async def _rows(self, user: User, limit: int, after: int = 0) -> list[OfflineMessage]:
        """The first of those that wait and that no session was given; `limit` at least, if there are so many.

        What was on its way to a client when the reading began may have left the disk meanwhile.
        """
        await self._writes.flushed()
        flying = set(self._in_flight.get(user.jid, ()))
        stored = await self._store.load(user.jid, limit + len(flying), after)
        flying.update(self._in_flight.get(user.jid, ()))
        return [message for message in stored if message.id not in flying]

    def _send(self, page: list[OfflineMessage], is_last: bool, session: Session) -> None:
        for stored in page:
            if session.closed:  # what it was sent was too much
                return
            message = self._read(stored, session)
            if message is not None:
                session.send(message)
        if is_last:
            session.user.mail_waits = False
            self._done(session)
        if page:
            self._signs.ask(session, None if is_last else partial(self._go_on, session))

    def _go_on(self, session: Session) -> None:
        session.after(self._next_page(session))

    def _read(self, stored: OfflineMessage, session: Session) -> Message | None:
        """One that is broken must not keep back those behind it."""
        held = Held(self, session.user, stored.id, len(stored.xml.encode()))
        try:
            message = _delayed(stored, JID.of(None, session.jid.domain))
        except Exception:
            log.exception("a stored message cannot be read", extra={"jid": session.jid, "id": stored.id})
            self._erase(held)
            return None
        self._hand_out(message, held)
        return message

    @on_bound
    async def leave_to_the_archive(self, session: Session) -> None:
        """What the archive has, a client that binds so takes from there (XEP-0386 §3.2).

        Deviation: what the archive does not have stays, because nobody would ever get it.
        """
        user, after = session.user, 0
        if not user.mail_waits:
            return
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()
        while page := await self._store.load(user.jid, PAGE, after):
            after = page[-1].id
            for stored in page:
                in_flight = self._in_flight.get(user.jid, ())
                if stored.id not in in_flight and _is_archived(stored, user.jid):
                    self._erase(Held(self, user, stored.id, len(stored.xml.encode())))

    def _done(self, session: Session) -> None:
        """The session fetches nothing more for now: what comes may go to it directly."""
        if self._catching_up.get(session.user.jid) is session:
            del self._catching_up[session.user.jid]
            session.ready = True
            session.user.presence_changed()

    def _offer(self, user: User) -> None:
        """Let a resource fetch what waits, if one is there and none does."""
        for resource in user.non_negative:
            if isinstance(resource, Session):
                waiting = self.catch_up(resource)
                if waiting is not None:
                    resource.after(waiting)
                return

    @on_session(Moment.CLOSED)
    def left(self, session: Session) -> None:
        """What it did not get is for another."""
        self._done(session)
        self._offer(session.user)


def _is_reachable(session: Session) -> bool:
    """Whether messages to the bare address may still go there (RFC 6121 §8.5.2.1.1)."""
    return not session.closed and session.presence is not None and session.priority >= 0


def _full() -> StanzaError:
    """The sender hears of it (XEP-0160 §2, step 3)."""
    return service_unavailable("the recipient's store of offline messages is full")


def _page(found: list[OfflineMessage]) -> list[OfflineMessage]:
    """As many of them as go out at once."""
    size = 0
    for number, stored in enumerate(found):
        size += len(stored.xml)
        if number and (number == PAGE or size > PAGE_SIZE):
            return found[:number]
    return found


def is_worth_keeping(message: Message) -> bool:
    """Not what asks not to be kept (XEP-0334 §4.2), nor a mere chat state (XEP-0160 §3)."""
    if message.type not in (MessageType.CHAT, MessageType.NORMAL):
        return False
    if message.child(NS_HINTS, "no-store") is not None:
        return False
    if message.type is not MessageType.CHAT:
        return True
    return any(
        element.namespace != NS_CHAT_STATES and element.name != "thread" for element in message.elements()
    )


def _is_archived(stored: OfflineMessage, owner: JID) -> bool:
    """Whether it was stored with its id in the owner's archive; one that is broken is looked at later."""
    try:
        message = parse_fragment(stored.xml, NS_CLIENT)
    except XmlError:
        return False
    found = message.child(NS_STANZA_IDS, "stanza-id")
    return found is not None and found.get("by") == owner


def _delayed(stored: OfflineMessage, by: JID) -> Message:
    element = parse_fragment(stored.xml, NS_CLIENT)
    message = read_message(element)
    message.sender = JID.parse(element.attributes["from"])
    if not any(e.namespace == NS_DELAY and e.get("from") == by for e in message.elements()):
        message.append(delay(by, stored.stamp, "Offline Storage"))
    return message
