"""What happens to a session, and who hears of it in which order."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

from commonroom.core.session import Session

log = logging.getLogger(__name__)


class Moment(Enum):
    """In the order of a session's life; all but the first and the last may repeat."""

    BOUND = "bound"
    AVAILABLE = "available"  # after its initial presence was broadcast
    UPDATED = "updated"  # it broadcast presence again
    REACHABLE = "reachable"  # with a priority that lets messages for the bare address come here
    UNAVAILABLE = "unavailable"
    AWAY = "away"  # its connection is gone, but its client may come back (XEP-0198 §5)
    CLOSED = "closed"


SessionHandler = Callable[[Session], Awaitable[None] | None]
Moments = Mapping[Moment, tuple[SessionHandler, ...]]


def tell(handlers: tuple[SessionHandler, ...], session: Session) -> Awaitable[None] | None:
    """Call each in order; what one must wait for, the next waits for too.

    A moment cannot be refused: what a handler raises is logged, and keeps nobody else from hearing of it.
    """
    for position, handler in enumerate(handlers, 1):
        try:
            waiting = handler(session)
        except Exception:
            log.exception("a handler failed", extra={"jid": session.jid})
            continue
        if waiting is not None:
            return _go_on(waiting, handlers[position:], session)
    return None


async def _go_on(waiting: Awaitable[None], rest: tuple[SessionHandler, ...], session: Session) -> None:
    try:
        await waiting
    except Exception:
        log.exception("a handler failed", extra={"jid": session.jid})
    more = tell(rest, session)
    if more is not None:
        await more


def tell_all(moments: tuple[Moment, ...], handlers: Moments, session: Session) -> Awaitable[None] | None:
    """Tell of several moments, in order."""
    return tell(tuple(handler for moment in moments for handler in handlers[moment]), session)
