"""XEP-0356: Privileged Entity: what components do in the name of accounts, where they may."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from commonroom.core.commit import AfterCommit, Work
from commonroom.core.components import Outlet
from commonroom.core.feature import Feature, Scope, Xep
from commonroom.core.iq import IqHandlers
from commonroom.core.questions import NoAnswer, Questions
from commonroom.core.session import Session
from commonroom.core.stand_in import StandIn
from commonroom.core.user import User
from commonroom.protocol.errors import (
    StanzaError,
    forbidden,
    remote_server_timeout,
    resource_constraint,
    service_unavailable,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.privileges import Grant, advertised, encapsulated, outgoing, wrapped_answer
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_PRIVILEGE, NS_ROSTER

log = logging.getLogger(__name__)

# Of a connected component, so many refusals are in the log.
REFUSALS_LOGGED = 10
# Seconds in which a request in somebody's name should be answered; and how many of a component may wait.
PATIENCE = 60.0
WAITING = 1000


class Entrance(Protocol):
    """The router, for what comes from components and from accounts."""

    def submit(self, stanza: Stanza, session: Session, /) -> Awaitable[None] | None: ...
    def enter(self, stanza: Stanza) -> Awaitable[None] | None: ...
    def settle(self, stanza: Stanza, work: Work) -> Awaitable[None] | None: ...
    def refuse(self, stanza: Stanza, error: Exception) -> Awaitable[None] | None: ...
    def route(self, stanza: Stanza) -> Awaitable[None] | None: ...
    def tell(self, stanza: Stanza) -> None: ...


class Accounts(NamedTuple):
    """`find` knows who is in memory, `load` reads from the disk. `domains` are all that have accounts."""

    find: Callable[[JID], User | None]
    load: Callable[[JID], Awaitable[User | None]]
    domains: frozenset[str]


class PrivilegedEntities(Feature):
    """Takes what components send. A component's grant counts for its domain's own address alone: what it
    sends from others there it may be passing on for somebody.
    """

    xep = Xep("0356", "0.4.1")

    def __init__(
        self,
        grants: Iterable[Grant],
        accounts: Accounts,
        router: Entrance,
        questions: Questions,
        start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]],
    ) -> None:
        self._grants = {grant.entity: grant for grant in grants}
        self._accounts = accounts
        self._router = router
        self._questions = questions
        self._start = start
        self._outlets: dict[JID, Outlet] = {}
        self._waiting: Counter[JID] = Counter()
        self._refusals: Counter[JID] = Counter()

    def connect(self, iqs: IqHandlers) -> None:
        """What accounts ask of the service goes there."""
        self._iqs = iqs

    # Components come and go

    def greeting(self, domain: str) -> list[Stanza]:
        """What it may do, from each domain whose accounts it manages (XEP-0356 §4.2)."""
        entity = JID.of(None, domain)
        grant = self._grants.get(entity)
        told = None if grant is None else advertised(grant)
        if grant is None or told is None:
            return []
        senders = (JID.of(None, name) for name in sorted(grant.domains))
        return [Message(to=entity, sender=sender, id="privileges", children=[told]) for sender in senders]

    def arrived(self, domain: str, outlet: Outlet) -> None:
        """It is told of changes from now on."""
        entity = JID.of(None, domain)
        self._outlets[entity] = outlet
        self._refusals.pop(entity, None)

    def left(self, domain: str) -> None:
        """Nobody is there to be told."""
        self._outlets.pop(JID.of(None, domain), None)

    # What they send

    def enter(self, stanza: Stanza) -> Awaitable[None] | None:
        """Take a stanza of a component, of whose domain its sender surely is; as `Router.enter`."""
        grant = None if stanza.sender is None else self._grants.get(stanza.sender)
        if grant is None or stanza.to is None:
            return self._router.enter(stanza)
        if isinstance(stanza, Message):
            return self._take_message(stanza, grant)
        if isinstance(stanza, Iq) and stanza.is_request:
            request = stanza.request()
            if (request.namespace, request.name) == (NS_PRIVILEGE, "privileged_iq"):
                return self._ask(stanza, grant)
            if (request.namespace, request.name) == (NS_ROSTER, "query") and self._is_account(stanza.to):
                return self._roster(stanza, grant)
        return self._router.enter(stanza)

    def _is_account(self, to: JID) -> bool:
        return to.is_bare and to.local is not None and to.domain in self._accounts.domains

    # Rosters: §4

    def _roster(self, iq: Iq, grant: Grant) -> Awaitable[None] | None:
        """Answered as it would be to the account itself (XEP-0356 §4.3)."""
        try:
            grant.check_roster(iq)
        except StanzaError as error:
            return self._refuse(iq, error)
        assert iq.to is not None
        user = self._accounts.find(iq.to)
        work: Work = partial(self._load_roster, iq, grant)
        if user is not None:
            work = partial(self._handle, iq, user, grant)
        return self._router.settle(iq, work)

    def _refuse(self, stanza: Stanza, error: StanzaError) -> Awaitable[None] | None:
        """It may not, or what it sends is wrong: the operator should know as well."""
        assert stanza.sender is not None
        self._refusals[stanza.sender] += 1
        if self._refusals[stanza.sender] <= REFUSALS_LOGGED:
            facts = {"domain": stanza.sender, "to": stanza.to, "reason": str(error)}
            log.warning("a component was refused a privilege", extra=facts)
        return self._router.refuse(stanza, error)

    async def _load_roster(self, iq: Iq, grant: Grant) -> None:
        assert iq.to is not None
        user = await self._accounts.load(iq.to)
        if user is None:
            raise service_unavailable()
        await _finished(self._handle(iq, user, grant))

    def _handle(self, iq: Iq, user: User, grant: Grant) -> Awaitable[None] | None:
        return self._iqs.handle(_without_version(iq), Scope.OWN_ACCOUNT, self._stand_in(user, grant))

    def _stand_in(self, user: User | None, grant: Grant) -> StandIn:
        """No component can do what the account itself cannot (XEP-0356 §9); raises forbidden."""
        if user is None or user.disabled:
            raise forbidden("there is no such account, or it is closed")
        return StandIn(user, grant.entity, self._router.submit, self._start)

    def push(self, user: User, payload: Element, version: int) -> None:
        """A roster has changed: tell those that are to know (XEP-0356 §4.4)."""
        for entity, outlet in self._outlets.items():
            grant = self._grants.get(entity)
            if grant is not None and grant.push and grant.manages(user.jid):
                id = f"roster-{version}"
                if not outlet(Iq(IqType.SET, to=entity, sender=user.jid, id=id, children=[payload])):
                    log.warning("a component missed a change of a roster", extra={"domain": entity})

    # Messages: §5

    def _take_message(self, message: Message, grant: Grant) -> Awaitable[None] | None:
        """What is wrapped is sent as if it came from the account, or from the server (XEP-0356 §5.3)."""
        to = message.to
        assert to is not None
        if (
            message.type is MessageType.ERROR
            or to.local is not None
            or to.domain not in self._accounts.domains
            or message.child(NS_PRIVILEGE, "privilege") is None
        ):
            return self._router.enter(message)
        try:
            wrapped = outgoing(message, grant)
        except StanzaError as error:
            return self._refuse(message, error)
        assert wrapped.sender is not None
        wrapped.follows = message.follows
        if wrapped.sender.local is None:
            wrapped.to = wrapped.to or wrapped.sender
            return self._router.enter(wrapped)
        user = self._accounts.find(wrapped.sender)
        if user is None or user.disabled:
            return self._router.settle(message, partial(self._load_and_send, wrapped, grant))
        return self._router.submit(wrapped, self._stand_in(user, grant))

    async def _load_and_send(self, message: Message, grant: Grant) -> None:
        assert message.sender is not None
        stand_in = self._stand_in(await self._accounts.load(message.sender), grant)
        await _finished(self._router.submit(message, stand_in))

    # Requests: §6

    def _ask(self, iq: Iq, grant: Grant) -> Awaitable[None] | None:
        """What is wrapped is asked as if by the account; the answer comes back wrapped (XEP-0356 §6.3)."""
        try:
            request = encapsulated(iq, grant)
        except StanzaError as error:
            return self._refuse(iq, error)
        return self._router.settle(iq, partial(self._submit, iq, request, grant))

    async def _submit(self, iq: Iq, request: Iq, grant: Grant) -> None:
        assert request.sender is not None
        stand_in = self._stand_in(await self._accounts.load(request.sender), grant)
        if self._waiting[grant.entity] >= WAITING:
            raise resource_constraint(f"{WAITING} requests wait for their answers")
        request.to = request.to or request.sender
        self._questions.expect_for(request, partial(self._answered, iq, grant.entity), PATIENCE)
        self._waiting[grant.entity] += 1
        await _finished(self._router.submit(_without_version(request), stand_in))

    def _answered(self, iq: Iq, entity: JID, answer: Iq | NoAnswer) -> None:
        self._waiting[entity] -= 1
        if isinstance(answer, Iq):
            self._router.tell(iq.result(wrapped_answer(answer)))
            return
        refusal = iq.refused(remote_server_timeout("there was no answer"))
        if refusal is not None:
            self._router.tell(refusal)


async def _finished(waiting: Awaitable[None] | None) -> None:
    """What was submitted is under way already: it is waited for, and not done again."""
    if isinstance(waiting, AfterCommit):
        await waiting.done()
        waiting = waiting.rest
    if waiting is not None:
        await waiting


def _without_version(iq: Iq) -> Iq:
    """Who asks for what changed since some version gets the rest by pushes (RFC 6121 §2.6.3), and a
    stand-in gets none: let it have the whole roster."""
    request = iq.request()
    if request.namespace == NS_ROSTER:
        request.attributes.pop("ver", None)
    return iq
