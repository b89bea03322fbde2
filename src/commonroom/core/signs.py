"""Whether messages that were written to a client arrived: without XEP-0198, its stream must live on."""

from collections.abc import Callable

from commonroom.core.questions import NoAnswer, Questions, Timer
from commonroom.core.session import Session
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.stanza import Iq

# Seconds: how often clients are looked at that got messages, and within which one that is asked answers.
EVERY = 15.0
PATIENCE = 30.0
# Between two questions to a client with XEP-0198 that is sent one message after the other.
MOMENT = 0.025


class SignsOfLife:
    """The sessions with messages in their outbox. Nothing runs while there are none."""

    def __init__(self, questions: Questions, later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._questions = questions
        self._later = later
        self._unsure: set[Session] = set()
        self._asked: dict[Session, int] = {}  # up to which message of its outbox
        self._runs = False
        self._busy: set[Session] = set()  # with XEP-0198, and asked a moment ago
        self._ticks = False

    def expect(self, session: Session) -> None:
        """It was sent a message; its client will show that it lives, or be asked.

        One with XEP-0198 was asked already; for what comes next it is in a moment, and for all at once.
        """
        if session.management is not None:
            self._busy.add(session)
            if not self._ticks:
                self._ticks = True
                self._later(MOMENT, self._tick)
            return
        self._unsure.add(session)
        if not self._runs:
            self._runs = True
            self._later(EVERY, self._look)

    def _tick(self) -> None:
        self._busy = {session for session in tuple(self._busy) if session.ask_again()}
        self._ticks = bool(self._busy)
        if self._ticks:
            self._later(MOMENT, self._tick)

    def ask(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """Ask now; `then` is called when there was an answer, or time enough for one, unless it left.

        With XEP-0198 no time is enough: a client that lost its connection may take long to come back.
        """
        if session.closed:
            return
        question = _Question(self._later, session, then)
        self._asked[session] = question.through
        try:
            self._questions.ask_whether_alive(session, question.answered, PATIENCE)
        except StanzaError:  # it owes us too many answers already
            self._asked.pop(session, None)
            self._later(PATIENCE, question.go_on)

    def session_closed(self, session: Session) -> None:
        """Nothing more is expected of it."""
        self._busy.discard(session)
        self._unsure.discard(session)
        self._asked.pop(session, None)

    def _look(self) -> None:
        """Whoever is silent is not asked again: sooner or later its connection ends."""
        self._runs = False
        for session in tuple(self._unsure):
            outbox = session.outbox
            if session.management is not None or not outbox:
                self._unsure.discard(session)
                session.is_watched = False
                self._asked.pop(session, None)
            elif outbox.confirmed >= self._asked.get(session, 0):
                self.ask(session)
        if self._unsure:
            self._runs = True
            self._later(EVERY, self._look)


class _Question:
    """Whether a client has what was sent to it until now. Not a function that knows itself: each would be a
    circle, with all that waits for this client in it."""

    __slots__ = ("_later", "_outbox", "_session", "_then", "through")

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], Timer],
        session: Session,
        then: Callable[[], None] | None,
    ) -> None:
        self._later = later
        self._session = session
        self._outbox = session.outbox
        self._then = then
        self.through = 0 if session.outbox is None else session.outbox.sent

    def answered(self, answer: Iq | NoAnswer) -> None:
        if answer is NoAnswer.CLOSED:
            return
        if answer is NoAnswer.SILENT:
            self.go_on()
            return
        session = self._session
        if session.outbox is self._outbox and session.management is None:
            session.confirm(self.through)
        if self._then is not None:
            self._then()

    def go_on(self) -> None:
        session = self._session
        if self._then is None or session.closed:
            return
        is_same = session.management is not None and session.outbox is self._outbox
        if is_same and session.confirmed < self.through:
            self._later(PATIENCE, self.go_on)
        else:
            self._then()
