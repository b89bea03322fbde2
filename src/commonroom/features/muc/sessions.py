"""XEP-0045 §7.14: whoever is not available any more has left all rooms."""

from collections.abc import Sequence

from commonroom.core.feature import Feature, Xep, on_session
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.features.muc.service import RoomService


class RoomSessions(Feature):
    """Tells the services of rooms of sessions that ended.

    Rooms hear of it by directed presence before (RFC 6121 §4.6.3). But a client may have had an error from a
    room that it is in, after which nobody owes that room a word. A session that may be resumed has not ended.
    """

    xep = Xep("0045", "1.35.5")

    def __init__(self, services: Sequence[RoomService]) -> None:
        self._services = services

    @on_session(Moment.UNAVAILABLE)
    @on_session(Moment.CLOSED)
    def ended(self, session: Session) -> None:
        """It is in no room any more."""
        for service in self._services:
            service.session_ended(session.jid)
