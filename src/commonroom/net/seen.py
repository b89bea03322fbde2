"""What operators see of connections."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from commonroom.core.session import Session
from commonroom.protocol.jid import JID


class Seen(NamedTuple):
    """A connection: its session, if it has one; `tls` is the version. Times are of the service's clock."""

    session: Session | None
    address: str
    tls: str | None
    connected_at: float
    last_received: float


class Event(Enum):
    """What is logged of a connection, and recorded; the value is the event's name in the log."""

    LOGGED_IN = "logged in"
    LOGIN_FAILED = "login failed"
    SESSION_RESUMED = "session resumed"
    SESSION_WAITS = "session waits"
    SESSION_ENDED = "session ended"


# Hears of each event: whose account or session, the IP address, and the facts that are logged.
Witness = Callable[[Event, JID | None, str, Mapping[str, str]], None]


def unseen(event: Event, account: JID | None, address: str, facts: Mapping[str, str]) -> None:
    """Nobody looks."""
