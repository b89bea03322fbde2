"""XEP-0198 §5: sessions whose stream is gone, and how a client gets its own back."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from commonroom.core.moments import Moment, Moments, tell
from commonroom.core.questions import Timer
from commonroom.core.session import ClientStream, Session
from commonroom.core.user import User
from commonroom.protocol.errors import (
    StanzaError,
    StreamCondition,
    StreamError,
    feature_not_implemented,
    item_not_found,
)
from commonroom.protocol.jid import JID
from commonroom.protocol.stream_management import Resume, counted_too_many
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes

# Streams that can be resumed no more, of which it is still known how many stanzas came over them.
REMEMBERED = 10_000

Resumed = Callable[[Session | StanzaError | StreamError, int | None], None]
"""Hears what became of a wish to resume: the session and how many stanzas of the client's it has handled, or
why not and, if that is still known, how many it had."""


class Away:
    """The stream of a session that has none: what is sent waits in the outbox."""

    closed = False

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def write(self, xml: str) -> None:
        """Nobody is there; stanzas are sent again."""

    def fail(self, error: StreamError) -> None:
        """There is nobody to tell."""
        self._end()

    def give_up(self) -> None:
        """Another stream is there."""

    def pause(self) -> None:
        """Nothing comes."""

    def resume(self) -> None:
        """Nothing comes."""


ROOM = StreamError(StreamCondition.POLICY_VIOLATION, "another client needed the room")


class Resumption:
    """Keeps the sessions of clients that lost their connection, if this service does so at all (`offered`).

    `later` calls a function after so many seconds.
    """

    def __init__(
        self, writes: Writes, later: Callable[[float, Callable[[], None]], Timer], offered: bool
    ) -> None:
        self._offered = offered
        self._writes = writes
        self._later = later
        self._named: dict[str, Session] = {}
        self._timers: dict[Session, Timer] = {}
        self._wanted: dict[Session, ClientStream] = {}  # who is about to get it
        self._gone: OrderedDict[str, tuple[JID, int]] = OrderedDict()

    def connect(self, close: Callable[[Session], None], moments: Moments) -> None:
        """Give it what ends a session, and who hears of its moments."""
        self._close = close
        self._moments = moments

    def keep(self, name: str, session: Session) -> None:
        """From now on the session can be resumed by this name."""
        self._named[name] = session

    def lost(self, session: Session) -> None:
        """The connection is gone without a word: wait for the client, if it may come back."""
        management = session.management
        if session.closed:
            return
        if management is None or management.name is None or session.took_leave:
            self._close(session)
            return
        end = partial(self._close, session)
        session.attach(Away(end))
        self._timers[session] = self._later(management.longest, end)
        waiting = tell(self._moments[Moment.AWAY], session)
        if waiting is not None:
            session.after(waiting)

    def waits_for(self, session: Session) -> bool:
        """Whether its client is away, and may come back."""
        return session in self._timers

    def make_room(self, user: User) -> bool:
        """End the session of the user's that has waited longest for its client; False, if none does."""
        oldest = next((session for session in self._timers if session.user is user), None)
        if oldest is not None:
            oldest.end(ROOM)
        return oldest is not None

    def closed(self, session: Session) -> None:
        """It cannot be resumed any more."""
        management = session.management
        self._wanted.pop(session, None)
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()
        if management is not None and management.name is not None:
            self._named.pop(management.name, None)
            self._gone[management.name] = session.user.jid, session.handled
            if len(self._gone) > REMEMBERED:
                self._gone.popitem(last=False)

    def resume(self, account: JID, wish: Resume, stream: ClientStream, answer: Resumed) -> None:
        """Give the client its session: once everything it sent before is handled, and on disk.

        The answer may come at once. If the former stream is still open, it is closed with `conflict`.
        """
        session = self._named.get(wish.previous)
        if session is None or session.closed or session.user.jid != account:
            self._refuse(account, wish, answer)
            return
        outbox = session.outbox
        assert outbox is not None
        through = outbox.place(wish.handled)
        if through > outbox.sent:
            answer(counted_too_many(wish.handled, outbox.sent), None)
            return
        if through < outbox.confirmed:  # it wants what it said it had, which is not here any more
            answer(item_not_found("you acknowledged more than that"), None)
            return
        self._detach(session, stream)
        session.confirm(through)
        session.secure()
        if session.is_waiting or self._writes.behind:
            session.after(self._settle(session, stream, answer))
        else:
            self._hand_over(session, stream, answer)

    def _refuse(self, account: JID, wish: Resume, answer: Resumed) -> None:
        """With how many stanzas were handled, if that is still known and they are on disk (XEP-0198 §5)."""
        owner, handled = self._gone.get(wish.previous, (None, 0))
        if owner == account:
            self._writes.when_flushed(lambda failure: answer(item_not_found("no such stream"), handled))
        elif self._offered:
            answer(item_not_found("no such stream"), None)
        else:
            answer(feature_not_implemented("streams are not resumed here"), None)

    def _detach(self, session: Session, stream: ClientStream) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()
        self._wanted[session] = stream
        session.attach(Away(partial(self._close, session))).give_up()

    async def _settle(self, session: Session, stream: ClientStream, answer: Resumed) -> None:
        session.secure()
        with suppress(StorageError):  # those whose stanzas failed were told
            await self._writes.flushed()
        self._hand_over(session, stream, answer)

    def _hand_over(self, session: Session, stream: ClientStream, answer: Resumed) -> None:
        if session.closed or self._wanted.get(session) is not stream:  # it ended, or another was faster
            if not stream.closed:
                answer(item_not_found("no such stream"), None)
            return
        del self._wanted[session]
        if stream.closed:
            self.lost(session)
            return
        session.attach(stream)
        answer(session, session.handled)
