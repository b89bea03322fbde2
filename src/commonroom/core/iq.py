"""RFC 6120 §8.2.3 and §10.3.3: who answers an IQ that is for the server or for an account."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, NamedTuple, Protocol

from commonroom.core.feature import ANSWERED, IqHandler, IqKey, Reply, Scope
from commonroom.core.session import Session
from commonroom.protocol.errors import StanzaError, feature_not_implemented, resource_constraint, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType, Stanza
from commonroom.xml.element import Element

Route = Callable[[Stanza], Awaitable[None] | None]



class Timer(Protocol):
    """What can be called off."""

    def cancel(self) -> object:
        """Do not call after all."""


# Questions that one session may owe us an answer to; a client that never answers must not fill our memory.
QUESTIONS_PER_SESSION = 16


class IqHandlers:
    """Finds the one handler, calls it, and sends its answer."""

    def __init__(self, table: dict[IqKey, IqHandler], route: Route) -> None:
        self._table = table
        self._route = route
        self._namespaces = {(scope, namespace) for scope, _, namespace, _ in table}

    def handle(self, iq: Iq, scope: Scope, at: Any) -> Awaitable[None] | None:
        """Answer a request (`at` is what the scope's handlers are given); results and errors end here.

        Raises service-unavailable for a namespace that nobody here knows, feature-not-implemented for a
        request that its namespace does not have (RFC 6120 §8.3.3.3, §8.3.3.19).
        """
        if not iq.is_request:
            return None
        request = iq.request()
        handler = self._table.get((scope, iq.type, request.namespace, request.name))
        if handler is None:
            raise self._unknown(scope, request.namespace)
        reply = handler(iq, at)
        if reply is None or reply is ANSWERED or isinstance(reply, Element):
            return self._answer(iq, reply)
        return self._answer_later(iq, reply)

    def _unknown(self, scope: Scope, namespace: str) -> StanzaError:
        """At other accounts always the same, as if there were none (RFC 6121 §8.5.1)."""
        known = scope is not Scope.ACCOUNT and (scope, namespace) in self._namespaces
        return feature_not_implemented() if known else service_unavailable()

    def _answer(self, iq: Iq, reply: Reply) -> Awaitable[None] | None:
        return None if reply is ANSWERED else self._route(iq.result(reply))

    async def _answer_later(self, iq: Iq, reply: Awaitable[Reply]) -> None:
        waiting = self._answer(iq, await reply)
        if waiting is not None:
            await waiting


class NoAnswer(Enum):
    """Why a question has no answer."""

    SILENT = "silent"  # the client let the time pass; its stream lives on
    CLOSED = "closed"  # the session ended


class _Question(NamedTuple):
    session: Session
    answered: Callable[[Iq | NoAnswer], None]
    timer: Timer


class Questions:
    """What the server itself asks its clients; `later` calls a function after so many seconds."""

    def __init__(self, later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._later = later
        self._asked: dict[JID, dict[str, _Question]] = {}
        self._number = 0  # never used again: a late answer must not be taken for one to a later question

    def ask(
        self, session: Session, payload: Element, answered: Callable[[Iq | NoAnswer], None], patience: float
    ) -> None:
        """Send a get; `answered` is called once: with the result or error, or with why there is none.

        Raises resource-constraint when the session already owes too many answers.
        """
        asked = self._asked.setdefault(session.jid, {})
        if len(asked) >= QUESTIONS_PER_SESSION:
            raise resource_constraint("too many questions are unanswered")
        self._number += 1
        key = f"ask-{self._number}"
        timer = self._later(patience, lambda: self._settle(session.jid, key, NoAnswer.SILENT))
        asked[key] = _Question(session, answered, timer)
        domain = JID.of(None, session.jid.domain)
        session.send(Iq(IqType.GET, to=session.jid, sender=domain, id=key, children=[payload]))

    def answered(self, iq: Iq) -> None:
        """Take a result or error that came for the server; one that nobody asked for is dropped."""
        if iq.sender is not None and iq.id is not None:
            self._settle(iq.sender, iq.id, iq)

    def session_closed(self, session: Session) -> None:
        """Nobody will answer any more; a new session of that address may have been asked meanwhile."""
        asked = self._asked.get(session.jid, {})
        for key in [key for key, question in asked.items() if question.session is session]:
            self._settle(session.jid, key, NoAnswer.CLOSED)

    def _settle(self, asked: JID, key: str, answer: Iq | NoAnswer) -> None:
        questions = self._asked.get(asked)
        question = None if questions is None else questions.pop(key, None)
        if questions is not None and not questions:
            del self._asked[asked]
        if question is not None:
            question.timer.cancel()
            question.answered(answer)
