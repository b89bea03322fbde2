"""RFC 6120 §10: every stanza passes here once on its way in, and is given to the owner of its domain."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from commonroom.core.commit import AfterCommit, Work
from commonroom.core.feature import Scope, Tables
from commonroom.core.handlers import Handlers
from commonroom.core.message import MessageStage, Outcome, run
from commonroom.core.moments import tell_all
from commonroom.core.session import Session
from commonroom.core.subscription import SUBSCRIPTION_TYPES
from commonroom.core.user import User
from commonroom.protocol.errors import StanzaError, internal_server_error, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, Presence, PresenceType, Stanza
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes

log = logging.getLogger(__name__)


class Destination(Protocol):
    """Owns a domain: the local accounts, a room service, a component, the servers elsewhere."""

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """Take a stanza whose sender is verified. May raise StanzaError, told to the sender.

        A message that had to be written is delivered by an AfterCommit.
        """


# Runs a coroutine under an owner.
Start = Callable[[Coroutine[Any, Any, None]], object]


class Router:
    """`domains` maps each domain to its Destination; `elsewhere` takes the rest.

    This is the one place that catches what handlers raise: the sender hears of it, the stream lives on.
    """

    def __init__(self, elsewhere: Destination, writes: Writes, start: Start) -> None:
        self.domains: dict[str, Destination] = {}
        self.elsewhere = elsewhere
        self._writes = writes
        self.messages = self.presences = self.iqs = 0  # what our clients sent, by kind
        self._start = start

    def connect(self, handlers: Handlers, tables: Tables) -> None:
        """Give the router those that handle what clients send; they route through it in turn."""
        self._iqs = handlers.iqs
        self._presences = handlers.presences
        self._subscriptions = handlers.subscriptions
        self._sent = tables.sent
        self._copies = tables.copies
        self._moments = tables.session

    # From our own clients

    def submit(self, stanza: Stanza, session: Session) -> Awaitable[None] | None:
        """Take a stanza from a client: `from` is stamped, not believed (RFC 6120 §8.1.2.1)."""
        stanza.sender = session.jid
        try:
            if isinstance(stanza, Message):
                self.messages += 1
                waiting = self._submit_message(stanza, session)
            elif isinstance(stanza, Presence):
                self.presences += 1
                waiting = self._submit_presence(stanza, session)
            else:
                assert isinstance(stanza, Iq)
                self.iqs += 1
                waiting = self._submit_iq(stanza, session)
        except Exception as error:  # the one net: see `refuse`
            return self.refuse(stanza, error)
        if waiting is None:
            return None
        if type(waiting) is AfterCommit:
            waiting.start(partial(self.settle, stanza))
            return waiting.rest if waiting.is_done else waiting
        return self._guard(stanza, waiting)

    def _submit_message(self, message: Message, session: Session) -> Awaitable[None] | None:
        if message.to is None:
            message.to = session.user.jid  # RFC 6120 §10.3.1
        message.began = self._writes.appended
        if session.management is not None:
            message.owed = session.management.owed
        outcome = run(self._sent[session.user.wants], message, session.user)
        if outcome is None:
            return self._hand_on(message, session.user)
        return None if outcome is True else self._hand_on_later(message, session.user, outcome)

    async def _hand_on_later(self, message: Message, user: User, waiting: Awaitable[Outcome]) -> None:
        if await waiting is None:
            delivery = self._hand_on(message, user)
            if delivery is not None:
                await delivery

    def _hand_on(self, message: Message, user: User) -> Awaitable[None] | None:
        """Deliver it, and then show it to the sender's other clients, who see only what is on disk.

        They also see what is refused, and then the refusal: it was sent (XEP-0280 §6.1, §8).
        """
        stages = self._copies[user.wants]
        if not stages:
            return self._deliver(message)
        copy: Work = partial(_copy, stages, message, user)
        try:
            waiting = self._deliver(message)
        except StanzaError as refusal:
            waiting, copy = None, partial(_despite, refusal, copy)
        if waiting is None:
            return copy() if self._writes.appended == message.began else self._after_commit(message, copy)
        if type(waiting) is AfterCommit:
            waiting.work = partial(_one_after_the_other, waiting.work, copy)
            return waiting
        return _copy_later(waiting, self._after_commit(message, copy))

    def _after_commit(self, message: Message, work: Work) -> AfterCommit:
        assert message.began is not None
        return AfterCommit(self._writes, message.began, work)

    def _submit_presence(self, presence: Presence, session: Session) -> Awaitable[None] | None:
        if presence.to is None:
            return tell_all(self._presences.broadcast(presence, session), self._moments, session)
        if presence.type in SUBSCRIPTION_TYPES:
            return self._subscriptions.outbound(presence, session.user)
        if presence.type is PresenceType.ERROR or presence.type is PresenceType.PROBE:
            return self._deliver(presence)
        return self._presences.direct(presence, session)

    def _submit_iq(self, iq: Iq, session: Session) -> Awaitable[None] | None:
        if iq.to is None or iq.to == session.user.jid:
            return self._iqs.handle(iq, Scope.OWN_ACCOUNT, session)
        return self._deliver(iq)

    # From another server

    def enter(self, stanza: Stanza) -> Awaitable[None] | None:
        """Take a stanza whose sender another server has proved to speak for; an AfterCommit is started."""
        try:
            waiting = self._deliver(stanza)
        except Exception as error:  # the one net: see `refuse`
            return self.refuse(stanza, error)
        if waiting is None:
            return None
        if type(waiting) is AfterCommit:
            waiting.start(partial(self.settle, stanza))
            return waiting.rest if waiting.is_done else waiting
        return self._guard(stanza, waiting)

    # From anywhere

    def route(self, stanza: Stanza) -> Awaitable[None] | None:
        """Bring a stanza to its destination; a failure is told to its sender."""
        try:
            waiting = self._deliver(stanza)
        except Exception as error:  # the one net: see `refuse`
            return self.refuse(stanza, error)
        return None if waiting is None else self._guard(stanza, waiting)

    def tell(self, stanza: Stanza) -> None:
        """Bring a stanza to its destination; what must wait there goes on by itself."""
        try:
            waiting = self._deliver(stanza)
        except Exception as error:  # the one net: see `refuse`
            waiting = self.refuse(stanza, error)
        if waiting is not None:
            self._start(self._guard(stanza, waiting))

    def _deliver(self, stanza: Stanza) -> Awaitable[None] | None:
        to, sender = stanza.to, stanza.sender
        assert to is not None
        destination = self.domains.get(to.domain, self.elsewhere)
        return destination.receive(stanza, to if sender is None else sender, to)

    def settle(
        self, stanza: Stanza, work: Work, failure: StorageError | None = None
    ) -> Awaitable[None] | None:
        """Do the work that a stanza still needs; a failure of it, or the one that came before, is told."""
        if failure is not None:
            return self.refuse(stanza, failure)
        try:
            waiting = work()
        except Exception as error:  # the one net: see `refuse`
            return self.refuse(stanza, error)
        return None if waiting is None else self._guard(stanza, waiting)

    async def _guard(self, stanza: Stanza, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except Exception as error:  # the one net: see `refuse`
            answer = self.refuse(stanza, error)
            if answer is not None:
                await answer

    def refuse(self, stanza: Stanza, error: Exception) -> Awaitable[None] | None:
        """Answer with the error, unless the stanza is itself one (RFC 6120 §8.3.1)."""
        if isinstance(stanza, Message):
            stanza.arrive()  # nobody will get it any more, and the sender knows
        if isinstance(error, StorageError):
            error = resource_constraint("the server cannot store this now; try again later")
        elif not isinstance(error, StanzaError):
            log.error("a handler failed", exc_info=error, extra={"stanza": stanza.name, "id": stanza.id})
            error = internal_server_error()
        answer = stanza.refused(error)
        if answer is None or answer.to is None:
            return None
        return self.route(answer)


def _copy(stages: tuple[MessageStage, ...], message: Message, user: User) -> Awaitable[None] | None:
    outcome = run(stages, message, user)
    return None if outcome is None or outcome is True else _wait(outcome)


async def _wait(outcome: Awaitable[Outcome]) -> None:
    await outcome


async def _copy_later(delivery: Awaitable[None], copy: AfterCommit) -> None:
    try:
        await delivery
    except StanzaError:
        await copy
        raise
    await copy


def _one_after_the_other(first: Work, second: Work) -> Awaitable[None] | None:
    try:
        waiting = first()
    except StanzaError as refusal:
        return _despite(refusal, second)
    return second() if waiting is None else _then(waiting, second)


async def _then(waiting: Awaitable[None], work: Work) -> None:
    try:
        await waiting
    except StanzaError as refusal:
        rest = _despite(refusal, work)
    else:
        rest = work()
    if rest is not None:
        await rest


def _despite(refusal: StanzaError, work: Work) -> Awaitable[None] | None:
    """The sender hears of it behind the work."""
    waiting = work()
    if waiting is None:
        raise refusal
    return _refuse_behind(waiting, refusal)


async def _refuse_behind(waiting: Awaitable[None], refusal: StanzaError) -> None:
    await waiting
    raise refusal
