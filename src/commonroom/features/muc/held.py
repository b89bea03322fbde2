"""A room in memory, with what the service has to know of it."""

from collections import deque
from datetime import datetime

from commonroom.features.muc.activity import Activity
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.limits import Limited
from commonroom.features.muc.repeats import Former
from commonroom.features.muc.room import Room
from commonroom.protocol.jid import JID


class Held(Limited):
    """A room and how it is kept.

    used        when somebody was last there, to the day
    is_stored   it is on disk
    is_closed   it was given up, because what is in memory is not what is on disk
    pending     deliveries that wait for the disk
    queue       what is to be sent, while `is_sending`
    touched     when something last came for it, in seconds
    activity    how much is said (XEP-0502)
    avatar      the hashes of its avatar, if it has one (XEP-0486)
    announced   when its owners were told that nobody uses it
    came        clients that came in, with what their users said before, once that was looked for
    """

    __slots__ = (
        "activity",
        "announced",
        "avatar",
        "came",
        "created",
        "is_closed",
        "is_sending",
        "is_stored",
        "pending",
        "queue",
        "room",
        "touched",
        "used",
    )

    def __init__(
        self, room: Room, created: datetime, used: datetime, is_stored: bool, touched: float
    ) -> None:
        super().__init__()
        self.room = room
        self.created = created
        self.used = used
        self.is_stored = is_stored
        self.is_closed = False
        self.pending = 0
        self.queue: deque[Effects] = deque()
        self.is_sending = False
        self.touched = touched
        self.announced: datetime | None = None
        self.activity = Activity(touched)
        self.avatar: tuple[str, ...] = ()
        self.came: dict[JID, Former | None] = {}

    def left(self, session: JID) -> None:
        """A client is not in the room any more. One that comes back at once has as much left of what it may
        send as the room gives it."""
        self.people.pop(session, None)
        self.came.pop(session, None)

    def forget_gone(self) -> None:
        """The same for those whom others put out."""
        for session in (self.people.keys() | self.came.keys()) - self.room.by_address.keys():
            self.left(session)
