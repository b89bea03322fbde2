"""RFC 6120 §10: every stanza passes here once on its way in, and is given to the owner of its domain."""

import logging
from collections.abc import Awaitable
from typing import Protocol

from commonroom.core.feature import Scope, Tables
from commonroom.core.iq import IqHandlers
from commonroom.core.message import Outcome, run
from commonroom.core.moments import tell_all
from commonroom.core.presence import Presences
from commonroom.core.session import Session
from commonroom.core.subscription import SUBSCRIPTION_TYPES, Subscriptions
from commonroom.protocol.errors import StanzaError, internal_server_error, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, Presence, PresenceType, Stanza
from commonroom.storage.errors import StorageError

log = logging.getLogger(__name__)


class Destination(Protocol):
    """Owns a domain: the local accounts, a room service, a component, the servers elsewhere."""

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """Take a stanza whose sender is verified. May raise StanzaError, told to the sender."""


class Router:
    """`domains` maps each domain to its Destination; `elsewhere` takes the rest.

    This is the one place that catches what handlers raise: the sender hears of it, the stream lives on.
    """

    def __init__(self, elsewhere: Destination) -> None:
        self.domains: dict[str, Destination] = {}
        self._elsewhere = elsewhere

    def connect(
        self, iqs: IqHandlers, presences: Presences, subscriptions: Subscriptions, tables: Tables
    ) -> None:
        """Give the router those that handle what clients send; they route through it in turn."""
        self._iqs = iqs
        self._presences = presences
        self._subscriptions = subscriptions
        self._sent = tables.sent
        self._moments = tables.session

    # From our own clients

    def submit(self, stanza: Stanza, session: Session) -> Awaitable[None] | None:
        """Take a stanza from a client: `from` is stamped, not believed (RFC 6120 §8.1.2.1)."""
        stanza.sender = session.jid
        try:
            if isinstance(stanza, Message):
                waiting = self._submit_message(stanza, session)
            elif isinstance(stanza, Presence):
                waiting = self._submit_presence(stanza, session)
            else:
                assert isinstance(stanza, Iq)
                waiting = self._submit_iq(stanza, session)
        except Exception as error:  # the one net: see _refuse
            return self._refuse(stanza, error)
        return None if waiting is None else self._guard(stanza, waiting)

    def _submit_message(self, message: Message, session: Session) -> Awaitable[None] | None:
        if message.to is None:
            message.to = session.user.jid  # RFC 6120 §10.3.1
        outcome = run(self._sent[session.user.wants], message, session.user)
        if outcome is None:
            return self._deliver(message)
        return None if outcome is True else self._deliver_later(message, outcome)

    async def _deliver_later(self, message: Message, waiting: Awaitable[Outcome]) -> None:
        if await waiting is None:
            delivery = self._deliver(message)
            if delivery is not None:
                await delivery

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

    # From anywhere

    def route(self, stanza: Stanza) -> Awaitable[None] | None:
        """Bring a stanza to its destination; a failure is told to its sender."""
        try:
            waiting = self._deliver(stanza)
        except Exception as error:  # the one net: see _refuse
            return self._refuse(stanza, error)
        return None if waiting is None else self._guard(stanza, waiting)

    def _deliver(self, stanza: Stanza) -> Awaitable[None] | None:
        to, sender = stanza.to, stanza.sender
        assert to is not None
        destination = self.domains.get(to.domain, self._elsewhere)
        return destination.receive(stanza, to if sender is None else sender, to)

    async def _guard(self, stanza: Stanza, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except Exception as error:  # the one net: see _refuse
            answer = self._refuse(stanza, error)
            if answer is not None:
                await answer

    def _refuse(self, stanza: Stanza, error: Exception) -> Awaitable[None] | None:
        """Answer with the error, unless the stanza is itself one (RFC 6120 §8.3.1)."""
        if isinstance(error, StorageError):
            error = resource_constraint("the server cannot store this now; try again later")
        elif not isinstance(error, StanzaError):
            log.error("a handler failed", exc_info=error, extra={"stanza": stanza.name, "id": stanza.id})
            error = internal_server_error()
        answer = stanza.refused(error)
        if answer is None or answer.to is None:
            return None
        return self.route(answer)
