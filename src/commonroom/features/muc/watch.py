"""XEP-0045 §18.1.2: who is in which room, and who only seems to be: ghosts are found by asking."""

from collections.abc import Callable
from functools import partial

from commonroom.core.questions import NoAnswer
from commonroom.features.muc.attendance import Attendance
from commonroom.features.muc.leaving import GONE, condition_of
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_PING

Answered = Callable[[Iq | NoAnswer], None]


class Watch:
    """`is_in` tells whether a client is in a room, `lost` hears that it is not there any more, `ask` sends a
    question. `is_online` tells of a client here whether it is there, and None of one elsewhere.

    Clients are asked when nothing was heard of them for `patience` seconds.
    """

    def __init__(
        self,
        is_in: Callable[[JID, JID], bool],
        lost: Callable[[JID, JID], None],
        ask: Callable[[Iq, Answered], None],
        is_online: Callable[[JID], bool | None],
        patience: float,
    ) -> None:
        self._is_in = is_in
        self._lost = lost
        self._ask = ask
        self._is_online = is_online
        self._patience = patience
        self._attendance = Attendance()
        self._doubted: dict[tuple[JID, JID], int] = {}  # by the number of the question
        self._asked = 0

    def __bool__(self) -> bool:
        return bool(self._attendance)

    def note(self, session: JID, room: JID, now: float) -> None:
        """Something came from a client: it is in the room, or has left it."""
        if self._is_in(session, room):
            self._attendance.heard(session, room, now)
        else:
            self._attendance.left(session, room)

    def trust(self, session: JID, room: JID) -> None:
        """The client itself sent something: whatever it was asked, it is there."""
        self._doubted.pop((session, room), None)

    def rooms(self, session: JID) -> int:
        """In how many rooms a client is; those that put it out are forgotten."""
        for room in tuple(self._attendance.rooms(session)):
            if not self._is_in(session, room):
                self._attendance.left(session, room)
        return len(self._attendance.rooms(session))

    def ended(self, session: JID) -> None:
        """A client is nowhere any more."""
        for room in tuple(self._attendance.rooms(session)):
            self._drop(session, room)

    def go_round(self, now: float) -> None:
        """Ask those who were silent for long; each once in that time."""
        for session, room in self._attendance.silent(now - self._patience):
            if self._is_in(session, room):
                self._attendance.heard(session, room, now)
                self.doubt(session, room)
            else:
                self._attendance.left(session, room)

    def doubt(self, session: JID, room: JID) -> None:
        """Ask a client whether it is there; what we know of our own needs no question."""
        is_online = self._is_online(session)
        if is_online is None:
            key = (session, room)
            if key not in self._doubted:
                self._asked += 1
                self._doubted[key] = self._asked
                ping = Iq(IqType.GET, to=session, sender=room, children=[Element(NS_PING, "ping")])
                self._ask(ping, partial(self._answered, key, self._asked))
        elif not is_online:
            self._drop(session, room)

    def _answered(self, key: tuple[JID, JID], number: int, answer: Iq | NoAnswer) -> None:
        """Any answer but that nobody is there comes from somebody; so does what was sent instead of one."""
        is_doubted = self._doubted.get(key) == number
        if is_doubted:
            del self._doubted[key]
        if condition_of(answer) in GONE if isinstance(answer, Iq) else is_doubted:
            self._drop(*key)

    def _drop(self, session: JID, room: JID) -> None:
        self._attendance.left(session, room)
        if self._is_in(session, room):
            self._lost(session, room)
