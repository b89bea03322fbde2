"""What the server itself asks its clients, and whether they are still there."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple, Protocol

from commonroom.core.iq import Route
from commonroom.core.session import Session
from commonroom.protocol.errors import conflict, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO, NS_PING

# Questions that one session may owe us an answer to; a client that never answers must not fill our memory.
PER_SESSION = 16

# And that a service elsewhere may: it is asked for many accounts.
PER_SERVICE = 1000


class Timer(Protocol):
    """What can be called off."""

    def cancel(self) -> object:
        """Do not call after all."""


class NoAnswer(Enum):
    """Why a question has no answer."""

    SILENT = "silent"  # the client let the time pass; its stream lives on
    CLOSED = "closed"  # the session ended


Answered = Callable[[Iq | NoAnswer], None]
_Key = tuple[JID | None, str]


class _Question(NamedTuple):
    session: Session | None  # None: it was asked of somebody elsewhere
    answered: Answered
    timer: Timer


class Questions:
    """What the server itself asks its clients; `later` calls a function after so many seconds."""

    def __init__(self, later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._later = later
        # By whom it was asked of, and by the account in whose name (None: the server's own) and the id.
        self._asked: dict[JID, dict[_Key, _Question]] = {}
        self._number = 0  # never used again: a late answer must not be taken for one to a later question
        self._knows_ping: set[Session] = set()

    def ask_whether_alive(self, session: Session, answered: Answered, patience: float) -> None:
        """Ask what every client answers: what it can do, and once it has said that it knows pings, a ping.

        XEP-0199 §5 has one find that out first, with reason: go-sendxmpp 0.5.6 crashes when it is pinged.
        """
        if session in self._knows_ping:
            self.ask(session, Element(NS_PING, "ping"), answered, patience)
            return

        def learn(answer: Iq | NoAnswer) -> None:
            if isinstance(answer, Iq) and _announces_ping(answer):
                self._knows_ping.add(session)
            answered(answer)

        self.ask(session, Element(NS_DISCO_INFO, "query"), learn, patience)

    def ask(self, session: Session, payload: Element, answered: Answered, patience: float) -> None:
        """Send a get; `answered` is called once: with the result or error, or with why there is none.

        Raises resource-constraint when the session already owes too many answers.
        """
        key = self._expect(session.jid, session, PER_SESSION, answered, patience)
        domain = JID.of(None, session.jid.domain)
        session.send(Iq(IqType.GET, to=session.jid, sender=domain, id=key, children=[payload]))

    def ask_elsewhere(
        self, request: Iq, route: Route, answered: Answered, patience: float
    ) -> Awaitable[None] | None:
        """Send a get or set, which gets its id here, to somebody who is no client of ours.

        `answered` hears as in `ask`, also that the way there is blocked: of that as an error.
        """
        assert request.to is not None
        request.id = self._expect(request.to, None, PER_SERVICE, answered, patience)
        return route(request)

    def expect_for(self, request: Iq, answered: Answered, patience: float) -> None:
        """An account asks this, and none of its clients: take the answer, which goes to its bare address.

        Raises conflict if the account asks the same entity something of that id already.
        """
        assert request.to is not None and request.sender is not None and request.id is not None
        key = (request.sender, request.id)
        if key in self._asked.get(request.to, {}):
            raise conflict("a request of this id waits for its answer")
        self._note(request.to, key, None, PER_SERVICE, answered, patience)

    def _expect(
        self, asked: JID, session: Session | None, limit: int, answered: Answered, patience: float
    ) -> str:
        self._number += 1
        id = f"ask-{self._number}"
        self._note(asked, (None, id), session, limit, answered, patience)
        return id

    def _note(
        self, asked: JID, key: _Key, session: Session | None, limit: int, answered: Answered, patience: float
    ) -> None:
        if len(self._asked.get(asked, ())) >= limit:
            raise resource_constraint("too many questions are unanswered")
        timer = self._later(patience, lambda: self._settle(asked, key, NoAnswer.SILENT))
        self._asked.setdefault(asked, {})[key] = _Question(session, answered, timer)

    def answered(self, iq: Iq) -> None:
        """Take a result or error that came for the server; one that nobody asked for is dropped."""
        if iq.sender is not None and iq.id is not None:
            self._settle(iq.sender, (None, iq.id), iq)

    def answered_for(self, account: JID, iq: Iq) -> None:
        """The same for what came for the bare address of an account; see `expect_for`."""
        if iq.sender is not None and iq.id is not None:
            self._settle(iq.sender, (account, iq.id), iq)

    def session_closed(self, session: Session) -> None:
        """Nobody will answer any more; a new session of that address may have been asked meanwhile."""
        self._knows_ping.discard(session)
        asked = self._asked.get(session.jid, {})
        for key in [key for key, question in asked.items() if question.session is session]:
            self._settle(session.jid, key, NoAnswer.CLOSED)

    def _settle(self, asked: JID, key: _Key, answer: Iq | NoAnswer) -> None:
        questions = self._asked.get(asked)
        question = None if questions is None else questions.pop(key, None)
        if questions is not None and not questions:
            del self._asked[asked]
        if question is not None:
            question.timer.cancel()
            question.answered(answer)


def _announces_ping(info: Iq) -> bool:
    query = info.child(NS_DISCO_INFO, "query")
    return query is not None and any(feature.get("var") == NS_PING for feature in query.elements())
