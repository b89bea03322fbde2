"""XEP-0160, XEP-0334: Best Practices for Handling Offline Messages, and the hint not to keep one."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from commonroom.core.feature import Feature, Xep, on_bound, on_message, on_session
from commonroom.core.holding import ID_SIZE, Held, Holding, OfflineQuota, Outlet, full, size_of
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.signs import SignsOfLife
from commonroom.core.user import User
from commonroom.protocol.delay import NS_DELAY, delay
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
# Seconds; what could not be read is read again after so many.
LATER = 30.0

_CHAT, _NORMAL = MessageType.CHAT, MessageType.NORMAL  # a member of an Enum costs 0.1 µs to look up


class _ReadElsewhere:
    """A message that one client has yet to acknowledge, and that another one reads in the archive."""

    __slots__ = ("_held", "_message")

    def __init__(self, message: Message) -> None:
        assert isinstance(message.held, Held)
        self._message = message
        self._held = message.held
        self._held.others += 1

    def arrived(self) -> None:
        """Then the account has it."""
        self._message.arrive()

    def missed(self) -> None:
        """Another one may still have got it."""
        self._held.missed()


class Offline(Feature):
    """Keeps what no client surely has, up to `quota` per account.

    What waits for nobody is on disk at once. What is delivered gets there before its sender can count on it
    (XEP-0198), if it has not arrived by then. `mail_comes` hears of an account for which something waits.
    `next_id` gives ids that rise, `is_away` knows whose connection is gone.
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
        is_away: Callable[[Session], bool],
        outlet: Outlet,
    ) -> None:
        self._store = store
        self._writes = writes
        self._signs = signs
        self._holding = Holding(store, writes, quota, next_id, self._waits, outlet)
        self._later = outlet.later
        self._mail_comes = mail_comes
        self._is_away = is_away
        self._catching_up: dict[JID, Session] = {}
        self._unread: set[JID] = set()  # for whom it is tried again in a while
        self._left: dict[Session, int] = {}  # up to which id a session reads in the archive what is there
        self._more: set[JID] = set()  # for whom something began to wait since it was last looked

    @on_message(Received.HOLD, rooms=False)
    def hold(self, message: Message, user: User) -> None:
        """What is archived, or will be acknowledged to its sender, outlives a crash until a client has it.

        At once, if nobody is there; and if it is archived and may come again, because then it must be known
        whether anybody has it (`Duplicates`).
        """
        owed, is_archived = message.owed, message.archive_id is not None
        if (owed is None and not is_archived) or not is_worth_keeping(message):
            return
        holding = self._holding
        size = size_of(message.xml())
        if holding.is_full(user, size):
            if not is_archived or not user.non_negative:
                raise full()
            return
        held = holding.reserve(message, user, size)
        if not self._is_there(user) or (is_archived and owed is not None and owed.is_client):
            holding.write(message, held)
        elif owed is None:
            holding.defer(held)
        else:
            owed.add(held)

    def _is_there(self, user: User) -> bool:
        """Whether a client may acknowledge it in a moment."""
        resources = user.most_available
        return bool(resources) and not (isinstance(resources[0], Session) and self._is_away(resources[0]))

    def check_room(self, message: Message, user: User) -> None:
        """Before it is archived: what is refused must not be taken for one that came before."""
        if not user.non_negative and is_worth_keeping(message):
            more = ID_SIZE + len(user.jid.escaped or user.jid)
            if self._holding.is_full(user, size_of(message.xml()) + more):
                raise full()

    @on_message(Received.STORE, rooms=False)
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
        size = size_of(message.xml())
        if self._holding.is_full(user, size):
            raise full()
        held = self._holding.reserve(message, user, size)
        self._holding.write(message, held)
        await self._writes.flushed(before)
        self._wait(held, message, user)
        return None

    def _wait(self, held: Held, message: Message, user: User) -> None:
        held.missed()
        message.stored = True
        self._offer(user)

    def _waits(self, account: JID) -> None:
        self._mail_comes(account)
        if account in self._catching_up:
            self._more.add(account)

    # Recognising what is sent again

    async def waiting(self, account: JID, after: int, limit: int) -> Sequence[OfflineMessage]:
        """Read the oldest that is on disk behind an id, whoever was given it."""
        return await self._store.load(account, limit, after)

    def is_given(self, account: JID, id: int) -> bool:
        """Whether since the start some client was sent one that had waited before, or has yet to acknowledge
        one."""
        return self._holding.is_given(account, id)

    async def has_room(self, account: JID, size: int) -> bool:
        """Whether so many bytes more would be kept."""
        usage = await self._store.usage(account)
        return self._holding.quota.allows(usage.count, usage.size, size)

    # Reading the archive

    async def read(self, session: Session, ids: Sequence[int]) -> Mapping[int, Keeper]:
        """Who is to hear whether the session's client gets these messages of its archive: for those that no
        client surely has. They are sent at once."""
        user, wanted = session.user, frozenset(ids)
        while user.mail_count and wanted:
            with self._holding.taken(user.jid) as taken:
                found = await self._among(user, wanted)
            flying = self._holding.flying(user.jid)
            if session.closed:
                break
            if wanted & taken <= flying.keys():  # or else what came back meanwhile was not looked at
                waiting = [stored for stored in found if stored.id not in taken]
                return self._shown(waiting, [flying[id] for id in wanted & taken], user)
        return {}

    async def _among(self, user: User, wanted: frozenset[int]) -> list[OfflineMessage]:
        """Those of them that wait, and that no session was given when they were read."""
        found: list[OfflineMessage] = []
        after, last = min(wanted) - 1, max(wanted)
        while after < last:
            rows = await self._rows(user, PAGE, after)
            found += [stored for stored in rows if stored.id in wanted]
            after = rows[-1].id if len(rows) >= PAGE else last
        return found

    def _shown(
        self, waiting: Sequence[OfflineMessage], flying: Sequence[Message], user: User
    ) -> dict[int, Keeper]:
        """What nobody carries would never land: the others wait on."""
        keepers: dict[int, Keeper] = {}
        for message in flying:
            if isinstance(message.held, Held):
                keepers[message.held.id] = _ReadElsewhere(message)
        for stored in waiting:
            keepers[stored.id] = held = self._held(stored, user)
            self._holding.hand_out(Message(), held)
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
            page, is_last = await self._load(session)
            if not _is_reachable(session):
                self._done(session)
                self._offer(session.user)
            else:
                self._send(page, is_last, session)
        except StorageError as error:
            log.warning("what waits cannot be read", extra={"jid": session.user.jid, "reason": str(error)})
            self._done(session)  # what comes now need not wait behind what cannot be read
            self._try_later(session.user)
        except Exception:
            self._done(session)
            raise

    def _try_later(self, user: User) -> None:
        if user.jid not in self._unread:
            self._unread.add(user.jid)
            self._later(LATER, partial(self._try_again, user))

    def _try_again(self, user: User) -> None:
        self._unread.discard(user.jid)
        self._offer(user)

    async def _load(self, session: Session) -> tuple[list[OfflineMessage], bool]:
        """Up to a page of what waits; and whether that is all, also of what came while it was read."""
        user = session.user
        while True:
            self._more.discard(user.jid)
            found = await self._rows_for(session)
            page = _page(found)
            is_last = len(page) == len(found)
            if not is_last or user.jid not in self._more:
                return page, is_last

    async def _rows_for(self, session: Session) -> list[OfflineMessage]:
        """More than a page, if there is more; without what its client reads in the archive."""
        left, account = self._left.get(session, 0), session.user.jid
        while True:
            found: list[OfflineMessage] = []
            after, is_more = 0, True
            with self._holding.taken(account) as taken:
                while is_more and len(found) <= PAGE:
                    rows = await self._rows(session.user, PAGE + 1, after)
                    found += [s for s in rows if s.id > left or not _is_archived(s, account)]
                    after, is_more = rows[-1].id if rows else 0, len(rows) > PAGE
                if taken.isdisjoint(stored.id for stored in found):
                    return found

    async def _rows(self, user: User, limit: int, after: int = 0) -> list[OfflineMessage]:
        """The first of those that wait and that no session was given; `limit` at least, if there are so many.

        What was on its way to a client while it was read may have left the disk, or be about to: that is
        looked at before what was written so far is waited for.
        """
        with self._holding.taken(user.jid) as taken:
            await self._writes.flushed()
            while True:
                asked = limit + len(taken)
                stored = await self._store.load(user.jid, asked, after)
                found = [message for message in stored if message.id not in taken]
                if len(found) >= limit or len(stored) < asked:
                    return found

    def _send(self, page: list[OfflineMessage], is_last: bool, session: Session) -> None:
        for stored in page:
            if session.closed:  # what it was sent was too much
                return
            message = self._read(stored, session)
            if message is not None:
                session.send(message)
        if is_last:
            session.user.mail_waits = session in self._left
            self._done(session)
        if page:
            self._signs.ask(session, None if is_last else partial(self._go_on, session))

    def _go_on(self, session: Session) -> None:
        session.after(self._next_page(session))

    def _read(self, stored: OfflineMessage, session: Session) -> Message | None:
        """One that is broken must not keep back those behind it."""
        held = self._held(stored, session.user)
        try:
            message = _delayed(stored, JID.of(None, session.jid.domain))
        except Exception:
            log.exception("a stored message cannot be read", extra={"jid": session.jid, "id": stored.id})
            self._holding.erase(held)
            return None
        self._holding.hand_out(message, held)
        return message

    def _held(self, stored: OfflineMessage, user: User) -> Held:
        return Held(self._holding, user, stored.id, size_of(stored.xml), is_on_disk=True)

    @on_bound
    async def leave_to_the_archive(self, session: Session) -> None:
        """What the archive has, a client that binds so takes from there (XEP-0386 §3.2).

        Deviation: what waits is not cleared. It leaves the disk when somebody read it there, or a client
        got it; or where it would take more than half of the room, because not every client reads so far
        back. What the archive does not have is sent.
        """
        user, after = session.user, 0
        if not user.mail_waits:
            return
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()
        read: list[OfflineMessage] = []
        with self._holding.taken(user.jid) as taken:
            while page := await self._store.load(user.jid, PAGE, after):
                after = page[-1].id
                read += [stored for stored in page if _is_archived(stored, user.jid)]
            found = [self._held(stored, user) for stored in read if stored.id not in taken]
        if found and not session.closed:
            self._left[session] = found[-1].id
            self._make_room(found)

    def _make_room(self, found: Sequence[Held]) -> None:
        """The archive has them, the oldest first."""
        most, largest = self._holding.quota
        count, size = len(found), sum(held.size for held in found)
        for held in found:
            if count <= most // 2 and size <= largest // 2:
                return
            self._holding.erase(held)
            count, size = count - 1, size - held.size

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
        self._left.pop(session, None)
        self._done(session)
        self._offer(session.user)


def _is_reachable(session: Session) -> bool:
    """Whether messages to the bare address may still go there (RFC 6121 §8.5.2.1.1)."""
    return not session.closed and session.presence is not None and session.priority >= 0


def _page(found: list[OfflineMessage]) -> list[OfflineMessage]:
    """As many of them as go out at once."""
    size = 0
    for number, stored in enumerate(found):
        size += len(stored.xml)
        if number and (number == PAGE or size > PAGE_SIZE):
            return found[:number]
    return found


def is_worth_keeping(message: Message, also: MessageType = _CHAT) -> bool:
    """Not what asks not to be kept (XEP-0334 §4.2), nor a mere chat state (XEP-0160 §3). Of the other types
    there may be one `also`."""
    kind = message.type
    is_worth = kind is _NORMAL
    if not is_worth and kind is not _CHAT and kind is not also:
        return False
    for child in message.children:
        if isinstance(child, str):
            continue
        if child.namespace == NS_HINTS and child.name == "no-store":
            return False
        if child.namespace != NS_CHAT_STATES and child.name != "thread":
            is_worth = True
    return is_worth


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
