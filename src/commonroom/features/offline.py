"""XEP-0160: Best Practices for Handling Offline Messages."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from commonroom.core.feature import Feature, Xep, on_message, on_session
from commonroom.core.iq import NoAnswer, Questions
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.delay import delay
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, MessageType, read_message
from commonroom.storage.interfaces import OfflineStore, Writes
from commonroom.storage.records import OfflineMessage
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_PING
from commonroom.xml.parser import parse_fragment

NS_HINTS = "urn:xmpp:hints"
NS_CHAT_STATES = "http://jabber.org/protocol/chatstates"

# Read and written to a client in one go; the next ones follow when it has answered for these.
PAGE = 100

# Seconds. A client that does not answer pings has the messages if its stream outlives them by so much.
PATIENCE = 30.0


class OfflineQuota(NamedTuple):
    """How much waits for one account at most: stanzas, and the bytes of their XML."""

    messages: int
    size: int


class Offline(Feature):
    """Keeps what nobody was there to read, up to `quota` per account, until a client surely has it.

    A page of messages is followed by a ping: its answer shows that the stream they were written to lived
    on, and only then do they leave the disk. `now` gives an aware datetime.
    """

    xep = Xep("0160", "1.0.1")
    disco = ("msgoffline",)

    def __init__(
        self, store: OfflineStore, writes: Writes, questions: Questions, quota: OfflineQuota, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._writes = writes
        self._questions = questions
        self._quota = quota
        self._now = now
        self._catching_up: set[JID] = set()
        self._more: set[JID] = set()  # for whom something was stored since it was last read

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
        return True

    @on_session(Moment.REACHABLE)
    def catch_up(self, session: Session) -> Awaitable[None] | None:
        """Hand over what waits, to one resource that takes messages (XEP-0160 §2, step 5).

        Until it is done the resource is not ready: what comes meanwhile goes behind what waits.
        """
        user = session.user
        if user.jid in self._catching_up:
            return None
        self._catching_up.add(user.jid)
        session.ready = False
        user.presence_changed()
        return self._next_page(session, 0)

    async def _next_page(self, session: Session, after: int) -> None:
        user = session.user
        page = await self._load(user, after)
        if session.closed:
            self._hand_over(user)
            return
        for stored in page:
            session.send(_delayed(stored, JID.of(None, session.jid.domain)))
        is_last = len(page) < PAGE
        if is_last:
            self._done(session)
        if page:
            ping = Element(NS_PING, "ping")
            self._questions.ask(session, ping, self._delivered(session, page[-1].id, is_last), PATIENCE)

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
        self._catching_up.discard(session.user.jid)
        session.ready = True
        session.user.presence_changed()

    def _delivered(self, session: Session, last: int, is_last: bool) -> Callable[[Iq | NoAnswer], None]:
        def answered(answer: Iq | NoAnswer) -> None:
            if answer is not NoAnswer.CLOSED:  # an answer, or a stream that lives on without one
                self._store.remove(session.user.jid, last)
                if not is_last:
                    session.after(self._next_page(session, last))
            elif not is_last:
                self._hand_over(session.user)

        return answered

    def _hand_over(self, user: User) -> None:
        """The resource that was catching up left: another one may be there."""
        self._catching_up.discard(user.jid)
        for resource in user.non_negative:
            if isinstance(resource, Session):
                waiting = self.catch_up(resource)
                if waiting is not None:
                    resource.after(waiting)
                return


def _is_worth_keeping(message: Message) -> bool:
    """Not what asks not to be kept (XEP-0334 §4.2), nor a mere chat state (XEP-0160 §3)."""
    if message.child(NS_HINTS, "no-store") is not None:
        return False
    if message.type is not MessageType.CHAT:
        return True
    return any(element.namespace != NS_CHAT_STATES and element.name != "thread" for element in message.elements())


def _delayed(stored: OfflineMessage, by: JID) -> Message:
    element = parse_fragment(stored.xml, NS_CLIENT)
    message = read_message(element)
    message.sender = JID.parse(element.attributes["from"])
    message.append(delay(by, stored.stamp, "Offline Storage"))
    return message
