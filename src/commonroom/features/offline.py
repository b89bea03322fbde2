"""XEP-0160, XEP-0334: Best Practices for Handling Offline Messages, and the hint not to keep one."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from commonroom.core.feature import Feature, Xep, on_message, on_session
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.questions import NoAnswer, Questions
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.delay import delay
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, MessageType, read_message
from commonroom.storage.interfaces import OfflineStore, Writes
from commonroom.storage.records import OfflineMessage
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment

log = logging.getLogger(__name__)

NS_HINTS = "urn:xmpp:hints"
NS_CHAT_STATES = "http://jabber.org/protocol/chatstates"

# Read and written to a client in one go; the next ones follow when it has answered for these.
PAGE = 100

# Seconds. A client that has not answered by then gets the next page without; its messages stay on disk.
PATIENCE = 30.0


class OfflineQuota(NamedTuple):
    """How much waits for one account at most: stanzas, and the bytes of their XML."""

    messages: int
    size: int


class Offline(Feature):
    """Keeps what nobody was there to read, up to `quota` per account, until a client surely has it.

    A page of messages is followed by a question: its answer shows that they arrived, and only then do they
    leave the disk. `now` gives an aware datetime.
    """

    xep = Xep("0160", "1.0.1")
    disco = ("msgoffline",)

    def __init__(
        self,
        store: OfflineStore,
        writes: Writes,
        questions: Questions,
        quota: OfflineQuota,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._writes = writes
        self._questions = questions
        self._quota = quota
        self._now = now
        self._catching_up: dict[JID, Session] = {}
        self._more: set[JID] = set()  # for whom something was stored since it was last read
        self._sent: dict[Session, int] = {}  # up to which message each was sent what it has yet to confirm

    @on_message(Received.STORE)
    def store(self, message: Message, user: User) -> Outcome | Awaitable[Outcome]:
        """Store what was not delivered (XEP-0160 §2)."""
        if message.delivered:
            return None
        if not _is_worth_keeping(message):
            return True
        return self._store_unless_full(message, user)

    async def _store_unless_full(self, message: Message, user: User) -> Outcome:
        """Beyond the quota the sender hears of it (XEP-0160 §2, step 3); stored means on disk."""
        await self._writes.flushed()
        usage = await self._store.usage(user.jid)
        xml = message.xml()
        if usage.count >= self._quota.messages or usage.size + len(xml.encode()) > self._quota.size:
            raise service_unavailable("the recipient's store of offline messages is full")
        self._store.add(user.jid, self._now(), xml)
        if user.jid in self._catching_up:
            self._more.add(user.jid)
        await self._writes.flushed()
        self._offer(user)
        return True

    @on_session(Moment.REACHABLE)
    def catch_up(self, session: Session) -> Awaitable[None] | None:
        """Hand over what waits, to one resource that takes messages (XEP-0160 §2, step 5).

        Until it is done the resource is not ready: what comes meanwhile goes behind what waits.
        """
        user = session.user
        if user.jid in self._catching_up:
            return None
        self._catching_up[user.jid] = session
        session.ready = False
        user.presence_changed()
        return self._next_page(session)

    async def _next_page(self, session: Session) -> None:
        try:
            page = await self._load(session.user, self._sent.get(session, 0))
            if not _is_reachable(session):
                self._done(session)
                self._offer(session.user)
            else:
                self._send(page, session)
        except Exception:
            self._done(session)  # what comes now need not wait behind what cannot be read
            raise

    def _send(self, page: list[OfflineMessage], session: Session) -> None:
        for stored in page:
            message = self._read(stored, session)
            if message is not None:
                session.send(message)
        is_last = len(page) < PAGE
        if is_last:
            self._done(session)
        if page:
            self._sent[session] = page[-1].id
            self._questions.ask_whether_alive(
                session, self._delivered(session, page[-1].id, is_last), PATIENCE
            )

    def _read(self, stored: OfflineMessage, session: Session) -> Message | None:
        """One that is broken must not keep back those behind it."""
        try:
            return _delayed(stored, JID.of(None, session.jid.domain))
        except Exception:
            log.exception("a stored message cannot be read", extra={"jid": session.jid, "id": stored.id})
            return None

    async def _load(self, user: User, after: int) -> list[OfflineMessage]:
        """Up to a page; if that seems to be all, nothing was stored while it was read."""
        page: list[OfflineMessage] = []
        while len(page) < PAGE:
            self._more.discard(user.jid)
            await self._writes.flushed()
            page += await self._store.load(user.jid, PAGE - len(page), page[-1].id if page else after)
            if user.jid not in self._more:
                break
        return page

    def _done(self, session: Session) -> None:
        """The session fetches nothing more for now: what comes may go to it directly."""
        if self._catching_up.get(session.user.jid) is session:
            del self._catching_up[session.user.jid]
            session.ready = True
            session.user.presence_changed()

    def _delivered(self, session: Session, last: int, is_last: bool) -> Callable[[Iq | NoAnswer], None]:
        def answered(answer: Iq | NoAnswer) -> None:
            if answer is NoAnswer.CLOSED:
                return
            try:
                if answer is not NoAnswer.SILENT:
                    self._store.remove(session.user.jid, last)
                    if self._sent.get(session) == last:
                        del self._sent[session]
            finally:
                if not is_last:
                    session.after(self._next_page(session))

        return answered

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
        """Who closed the stream in order has read it; what others did not confirm is for another."""
        self._done(session)
        last = self._sent.pop(session, None)
        if last is not None:
            if session.took_leave:
                self._store.remove(session.user.jid, last)
            self._offer(session.user)


def _is_reachable(session: Session) -> bool:
    """Whether messages to the bare address may still go there (RFC 6121 §8.5.2.1.1)."""
    return not session.closed and session.presence is not None and session.priority >= 0


def _is_worth_keeping(message: Message) -> bool:
    """Not what asks not to be kept (XEP-0334 §4.2), nor a mere chat state (XEP-0160 §3)."""
    if message.child(NS_HINTS, "no-store") is not None:
        return False
    if message.type is not MessageType.CHAT:
        return True
    return any(
        element.namespace != NS_CHAT_STATES and element.name != "thread" for element in message.elements()
    )


def _delayed(stored: OfflineMessage, by: JID) -> Message:
    element = parse_fragment(stored.xml, NS_CLIENT)
    message = read_message(element)
    message.sender = JID.parse(element.attributes["from"])
    message.append(delay(by, stored.stamp, "Offline Storage"))
    return message
