"""XEP-0045 §18.1.2: who is in which room, and of whom nothing was heard for long."""

from collections import OrderedDict
from collections.abc import Collection, Iterator

from commonroom.protocol.jid import JID


class Attendance:
    """Clients and rooms, those first of whom nothing was heard the longest.

    Who was put out of a room stays here until somebody looks.
    """

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[JID, JID], float] = OrderedDict()
        self._rooms: dict[JID, set[JID]] = {}

    def __bool__(self) -> bool:
        return bool(self._heard)

    def heard(self, session: JID, room: JID, now: float) -> None:
        """A client that is in a room sent something there."""
        key = (session, room)
        known = key in self._heard
        self._heard[key] = now
        if known:
            self._heard.move_to_end(key)
        else:
            self._rooms.setdefault(session, set()).add(room)

    def left(self, session: JID, room: JID) -> None:
        """It is not in this room any more."""
        if self._heard.pop((session, room), None) is not None:
            rooms = self._rooms[session]
            rooms.discard(room)
            if not rooms:
                del self._rooms[session]

    def rooms(self, session: JID) -> Collection[JID]:
        """The rooms that a client is in, or was put out of lately."""
        return self._rooms.get(session, ())

    def silent(self, before: float) -> Iterator[tuple[JID, JID]]:
        """Each client and room of which nothing was heard since; whoever asks settles it before the next."""
        while self._heard:
            key, heard = next(iter(self._heard.items()))
            if heard >= before:
                return
            yield key
