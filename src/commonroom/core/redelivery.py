"""XEP-0198 §4: what a client that is gone may not have got goes to its user's others, or is kept, once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from commonroom.core.local import LocalDomain
from commonroom.core.router import Router
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.delay import NS_DELAY, delay
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, MessageType, Stanza
from commonroom.storage.stamps import from_stamp


class Redelivery:
    """Delivers anew within `domains`; senders hear of what fails. `now` gives an aware datetime."""

    def __init__(
        self, router: Router, domains: Mapping[str, LocalDomain], now: Callable[[], datetime]
    ) -> None:
        self._router = router
        self._domains = domains
        self._now = now

    def hand_on(self, session: Session) -> Awaitable[None] | None:
        """Deal with the rest of a session's outbox, in order.

        A client without XEP-0198 that took its leave has read what it was sent.
        """
        read = session.took_leave and session.management is None
        rest = session.remaining()
        # What waited before and goes back comes first again: no later one may overtake it.
        behind = any(isinstance(s, Message) and not s.arrived and _waited(s, session) for s in rest)
        waiting = []
        for stanza in rest:
            if read and isinstance(stanza, Message):
                stanza.arrive()
            else:
                work = self._stanza(stanza, session, behind)
                if work is not None:
                    waiting.append(work)
        return _all(waiting) if waiting else None

    def _stanza(self, stanza: Stanza, session: Session, behind: bool) -> Awaitable[None] | None:
        if isinstance(stanza, Message):
            return self._message(stanza, session, behind)
        if isinstance(stanza, Iq) and stanza.is_request:
            refusal = stanza.refused(service_unavailable())
            return None if refusal is None or refusal.to is None else self._router.route(refusal)
        return None

    def _message(self, message: Message, session: Session, behind: bool) -> Awaitable[None] | None:
        if message.arrived or any(_has_it(other, message) for other in message.delivered):
            return None
        if message.type is MessageType.ERROR:  # nobody else has use for it, but what it is about may have
            if message.held is not None:
                message.held.missed()
            return None
        if session in message.delivered and not (behind and message.held is not None):
            again = self._again(message, session.user)
            domain = self._domains[session.user.jid.domain]
            return self._router.settle(again, partial(domain.give, again, session.user))
        if message.held is not None:
            message.held.missed()
        return None

    def _again(self, message: Message, user: User) -> Message:
        """As it was, but for whoever is there now, and with a note of the delay (XEP-0198 §4)."""
        to = user.jid if message.type in (MessageType.CHAT, MessageType.NORMAL) else message.to
        again = Message(
            message.type,
            to,
            message.sender,
            message.id,
            [*message.children],
            message.lang,
            message.extra,
        )
        by = JID.of(None, user.jid.domain)
        if not any(e.namespace == NS_DELAY and e.get("from") == by for e in again.elements()):
            again.append(delay(by, self._came(message), "The first delivery failed"))
        again.held = message.held
        if message.archive_id is not None:
            again.file_under(user.jid, message.archive_id)
        return again

    def _came(self, message: Message) -> datetime:
        """An id of the archive is a time: that of the delivery that failed (XEP-0198 §4)."""
        return self._now() if message.archive_id is None else from_stamp(int(message.archive_id))


def _waited(message: Message, session: Session) -> bool:
    """Whether it came from where messages wait, to this session alone."""
    return message.held is not None and session not in message.delivered


def _has_it(other: object, message: Message) -> bool:
    """Whether another session may still acknowledge it."""
    return isinstance(other, Session) and not other.closed


async def _all(waiting: Sequence[Awaitable[None]]) -> None:
    for work in waiting:
        await work
