"""XEP-0198: Stream Management: what a client is told of its stanzas, and what it tells of ours."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from commonroom.core.feature import Feature, Xep, on_bind, on_element, on_session
from commonroom.core.moments import Moment
from commonroom.core.questions import Timer
from commonroom.core.session import Management, Session
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError, unexpected_request
from commonroom.protocol.stream_management import (
    FEATURE,
    NS_SM,
    answer,
    counted_too_many,
    enabled,
    failed,
    read_count,
    read_enable,
)
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.serializer import serialize

# Seconds in which what was delivered may be acknowledged, so that it need not be written (XEP-0198 §4: an
# answer may wait for a time, and for nothing else).
MOMENT = 0.1


class Terms(NamedTuple):
    """What clients get: `longest` is the seconds within which they may resume; see `[stream_management]`."""

    longest: int
    stanzas: int
    size: int


class StreamManagement(Feature):
    """Counts what a client sent as handled when all that it caused here is on disk.

    What was delivered and may not have arrived yet is written first, after a moment in which most of it does.
    `begins` hears of sessions that turn it on, `keep` and `forget` of those that can be resumed, and of their
    end. `later` calls a function after so many seconds.
    """

    xep = Xep("0198", "1.6.3")

    def __init__(
        self,
        terms: Terms,
        writes: Writes,
        random_name: Callable[[], str],
        begins: Callable[[Session], None],
        keep: Callable[[str, Session], None],
        forget: Callable[[Session], None],
        later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._terms = terms
        self._writes = writes
        self._random_name = random_name
        self._begins = begins
        self._keep = keep
        self._forget = forget
        self._later = later
        self._owes: dict[Session, bool] = {}  # who waits for an answer; True: and asked again meanwhile

    def stream_features(self) -> tuple[Element, ...]:
        """Announced with resource binding (XEP-0198 §2)."""
        return (FEATURE,)

    @on_element(NS_SM, "enable")
    def enable(self, element: Element, session: Session) -> None:
        """A client asks for it, once (XEP-0198 §3)."""
        _check_is(session.management is None, "stream management is on already")
        try:
            told = self.turn_on(element, session)
        except StanzaError as error:
            told = failed(error)
        session.write(serialize(told, NS_CLIENT))
        session.ask_for_acknowledgement()  # of messages that it was sent before

    @on_bind(NS_SM, "enable")
    def enable_with_the_session(self, element: Element, session: Session) -> Element:
        """From its first stanza on (XEP-0198 §9.1); once (§3)."""
        try:
            if session.management is not None:
                raise unexpected_request("stream management is on already")
            return self.turn_on(element, session)
        except StanzaError as error:
            return failed(error)

    def turn_on(self, element: Element, session: Session) -> Element:
        """Count from now on; gives what to tell the client. Raises bad-request."""
        wish = read_enable(element)
        longest = min(wish.longest or self._terms.longest, self._terms.longest)
        name = self._random_name() if wish.resume and longest else None
        session.manage(Management(name, longest, self._terms.stanzas, self._terms.size, session.received))
        self._begins(session)
        if name is not None:
            self._keep(name, session)
        return enabled(name, longest)

    @on_element(NS_SM, "resume")
    def refuse_to_resume(self, element: Element, session: Session) -> None:
        """Only instead of binding a resource (XEP-0198 §5)."""
        session.write(serialize(failed(unexpected_request("a resource is bound already")), NS_CLIENT))

    @on_element(NS_SM, "a")
    def acknowledged(self, element: Element, session: Session) -> None:
        """The client has handled so many (XEP-0198 §4)."""
        management, outbox = session.management, session.outbox
        _check_is(management is not None, "stream management is off")
        assert management is not None
        assert outbox is not None
        try:
            handled = read_count(element)
        except StanzaError as error:
            raise StreamError(StreamCondition.POLICY_VIOLATION, error.text) from None
        through = outbox.place(handled)
        if through > outbox.sent:
            raise counted_too_many(handled, outbox.sent)
        if through > outbox.confirmed:
            session.confirm(through)
            if management.is_busy:
                management.asked = False
            else:
                session.ask_for_acknowledgement()  # of those that were sent since it was asked
        else:
            management.asked = False

    @on_element(NS_SM, "r")
    def asked(self, element: Element, session: Session) -> None:
        """Answer when all that came before is handled, and on disk (XEP-0198 §4)."""
        _check_is(session.management is not None, "stream management is off")
        if session in self._owes:
            self._owes[session] = True
        else:
            self._begin_to_answer(session)

    def _begin_to_answer(self, session: Session) -> None:
        """With the count of now. What has not arrived yet has a moment to; what comes later has its own."""
        handled = session.handled
        if session.is_waiting:
            self._owes[session] = False
            session.after(self._answer(session, handled, None))
        elif (owed := session.owed) is not None:
            self._owes[session] = False
            self._later(MOMENT, partial(self._after_a_moment, session, handled, owed))
        elif self._writes.behind:
            self._owes[session] = False
            session.after(self._answer(session, handled, 0))
        else:
            session.write(answer(handled))

    def _after_a_moment(self, session: Session, handled: int, owed: int) -> None:
        session.secure(owed)
        if self._writes.behind:
            session.after(self._answer(session, handled, owed))
        else:
            self._say(session, handled)

    async def _answer(self, session: Session, handled: int, owed: int | None) -> None:
        session.secure(owed)
        with suppress(StorageError):  # those whose stanzas failed were told
            await self._writes.flushed()
        self._say(session, handled)

    def _say(self, session: Session, handled: int) -> None:
        asked_again = self._owes.pop(session)
        if session.closed:
            return
        session.write(answer(handled))
        if asked_again:
            self._begin_to_answer(session)

    @on_session(Moment.CLOSED)
    def left(self, session: Session) -> None:
        """It cannot be resumed; how much was handled, and is on disk, may still be asked."""
        session.secure()
        self._forget(session)


def _check_is(right: bool, text: str) -> None:
    """Misuse ends the stream (XEP-0198 §3, §6)."""
    if not right:
        raise StreamError(StreamCondition.POLICY_VIOLATION, text)
