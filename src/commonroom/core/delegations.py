"""XEP-0355: Namespace Delegation: what components answer instead of the server."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from commonroom.core.feature import IqHandler, IqKey, Scope
from commonroom.core.iq import IqHandlers, Route
from commonroom.core.local import LocalDomain
from commonroom.core.questions import NoAnswer, Questions
from commonroom.core.session import Session
from commonroom.core.stand_in import StandIn
from commonroom.core.user import Resource, User
from commonroom.protocol.dataforms import NS_DATA
from commonroom.protocol.delegation import (
    RESTS,
    BadAnswerError,
    Delegation,
    answer_to,
    belongs_to,
    delegated,
    node_of,
)
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO, NS_ROSTER

log = logging.getLogger(__name__)

# Seconds in which a component should answer.
PATIENCE = 60.0


class Nested(NamedTuple):
    """What a component says of the namespaces that it manages (XEP-0355 §7.2)."""

    identities: tuple[Element, ...] = ()
    features: tuple[str, ...] = ()
    forms: tuple[Element, ...] = ()


NOTHING = Nested()
# By domain and by namespace.
Table = Mapping[str, Mapping[str, Delegation]]


class Delegations:
    """By domain and namespace, what components manage; and what they said of that since they are here.

    `tell` brings a stanza to its destination; nobody waits for that.
    """

    def __init__(self, table: Table, questions: Questions, tell: Callable[[Stanza], None]) -> None:
        self.table = table
        self._questions = questions
        self._tell = tell
        self._nested: dict[tuple[str, bool, str], Nested] = {}
        self._present: dict[JID, object] = {}  # what they say counts while they are here

    # What is announced: §7.2

    def nested(self, domain: str, bare: bool) -> Iterable[Nested]:
        """What components say of a domain, or of each account there."""
        for namespace in self.table.get(domain, ()):
            yield self._nested.get((domain, bare, namespace), NOTHING)

    def hides(self, domain: str, feature: str) -> bool:
        """Whether what is announced is a component's business now (XEP-0355 §7.2.1, §7.2.3)."""
        return any(belongs_to(feature, namespace) for namespace in self.table.get(domain, ()))

    def arrived(self, entity: JID) -> None:
        """Ask it what it can do, so that nobody has to wait for that later (XEP-0355 §9)."""
        self.left(entity)
        visit = self._present[entity] = object()
        for domain, managed in self.table.items():
            for namespace, delegation in managed.items():
                if delegation.entity == entity and namespace not in RESTS.values():
                    for bare in (False, True):
                        self._ask(entity, visit, (domain, bare, namespace))

    def _ask(self, entity: JID, visit: object, key: tuple[str, bool, str]) -> None:
        domain, bare, namespace = key
        query = Element(NS_DISCO_INFO, "query", {"node": node_of(namespace, bare)})
        request = Iq(IqType.GET, to=entity, sender=JID.of(None, domain), children=[query])
        self._send(request, partial(self._told, entity, visit, key))

    def _told(self, entity: JID, visit: object, key: tuple[str, bool, str], answer: Iq | NoAnswer) -> None:
        query = answer.child(NS_DISCO_INFO, "query") if isinstance(answer, Iq) else None
        if query is None or self._present.get(entity) is not visit:
            return
        inside = query.elements()
        self._nested[key] = Nested(
            tuple(e for e in inside if (e.namespace, e.name) == (NS_DISCO_INFO, "identity")),
            tuple(e.get("var") or "" for e in inside if (e.namespace, e.name) == (NS_DISCO_INFO, "feature")),
            tuple(e for e in inside if e.namespace == NS_DATA),
        )

    def left(self, entity: JID) -> None:
        """What it said does not count any more."""
        self._present.pop(entity, None)
        gone = [key for key in self._nested if self.table[key[0]][key[2]].entity == entity]
        for key in gone:
            del self._nested[key]

    # What is asked: §4.3

    def find(self, iq: Iq, scope: Scope, at: Any) -> Delegation | None:
        """Whose business a request is, if it is not the server's (XEP-0355 §4.3, §7.2.4, §7.2.5)."""
        request = iq.request()
        namespace = request.namespace
        if namespace in RESTS and scope is not Scope.SERVER:
            if request.get("node") is None and namespace == NS_DISCO_INFO:
                return None  # the answer is made of all that is known
            namespace = RESTS[namespace]
        delegation = self.table.get(_domain(at), {}).get(namespace)
        if delegation is None or not delegation.fits(request):
            return None
        by_itself = iq.sender == delegation.entity or (
            isinstance(at, StandIn) and at.entity == delegation.entity
        )
        return None if by_itself else delegation  # §4.3.1

    def forward(self, iq: Iq, delegation: Delegation, domain: str) -> None:
        """Ask the component, and answer when it does; what else comes is not held up (XEP-0355 §9).

        Raises resource-constraint when too much waits for it.
        """
        request = Iq(IqType.SET, to=delegation.entity, sender=JID.of(None, domain), children=[delegated(iq)])
        self._send(request, partial(self._answered, iq, delegation))

    def _send(self, request: Iq, answered: Callable[[Iq | NoAnswer], None]) -> None:
        self._questions.ask_elsewhere(request, self._tell, answered, PATIENCE)

    def _answered(self, iq: Iq, delegation: Delegation, reply: Iq | NoAnswer) -> None:
        """Whatever is wrong, the account hears of one error (XEP-0355 §4.3)."""
        answer: Stanza | None
        try:
            if not isinstance(reply, Iq):
                raise BadAnswerError("none in time")
            answer = answer_to(iq, reply)
        except BadAnswerError as error:
            facts = {"domain": delegation.entity, "namespace": delegation.namespace, "reason": str(error)}
            log.warning("a component did not answer for its namespace", extra=facts)
            answer = iq.refused(service_unavailable())
        if answer is not None and answer.to is not None:
            self._tell(answer)


class DelegatingIqs(IqHandlers):
    """Asks components what is theirs, and does the rest.

    `interested` are the sessions that asked for their roster: they get pushes, whoever answered (XEP-0355
    §4.3.1).
    """

    def __init__(
        self,
        table: dict[IqKey, IqHandler],
        route: Route,
        delegations: Delegations,
        interested: set[Resource],
    ) -> None:
        super().__init__(table, route)
        self._delegations = delegations
        self._interested = interested

    def handle(self, iq: Iq, scope: Scope, at: Any) -> Awaitable[None] | None:
        """As in `IqHandlers`."""
        delegation = self._delegations.find(iq, scope, at) if iq.is_request else None
        if delegation is None:
            return super().handle(iq, scope, at)
        if delegation.namespace in RESTS.values() and isinstance(at, User):
            _check_presence(iq, at)
        if delegation.namespace == NS_ROSTER and isinstance(at, Session) and not at.closed:
            self._interested.add(at)
        self._delegations.forward(iq, delegation, _domain(at))
        return None


def _check_presence(iq: Iq, user: User) -> None:
    """What an account has is for those who see its presence, whoever answers (XEP-0030 §8)."""
    if iq.sender is None or not user.shows_presence_to(iq.sender):
        raise service_unavailable()


def _domain(at: Any) -> str:
    """Of what a handler is given: whose accounts or server it is."""
    if isinstance(at, Session):
        return at.user.jid.domain
    if isinstance(at, User):
        return at.jid.domain
    assert isinstance(at, LocalDomain)
    return at.name.domain
