"""XEP-0502: MUC Activity Indicator: how much is said in a room."""

from collections import deque

from commonroom.features.muc.config import RoomConfig
from commonroom.protocol.stanza import Message, MessageType, Stanza

HOUR = 3600.0
HOURS = 24
NS_CORRECT = "urn:xmpp:message-correct:0"


class Activity:
    """Counts by the hour, since the room came into memory; it knows nothing before the first hour is over."""

    __slots__ = ("_counts", "_until")

    def __init__(self, now: float) -> None:
        self._counts: deque[int] = deque([0], HOURS + 1)
        self._until = now + HOUR

    def count(self, now: float) -> None:
        """Something was said."""
        self._go_on(now)
        self._counts[-1] += 1

    def rate(self, now: float) -> float | None:
        """Messages an hour, in the hours that are over (XEP-0502 §5); None before the first is."""
        self._go_on(now)
        over = len(self._counts) - 1
        return (sum(self._counts) - self._counts[-1]) / over if over else None

    def _go_on(self, now: float) -> None:
        if now - self._until > HOURS * HOUR:
            self._counts.extend([0] * HOURS)
            self._until = now
        while now >= self._until:
            self._counts.append(0)
            self._until += HOUR


def is_told(config: RoomConfig) -> bool:
    """Rooms that are hidden, or not for everybody, say nothing of it (XEP-0502 §9)."""
    return config.public and not config.members_only and config.password is None


def is_counted(stanza: Stanza) -> bool:
    """A message to all, with a body, that corrects no other (XEP-0502 §4)."""
    return (
        isinstance(stanza, Message)
        and stanza.type is MessageType.GROUPCHAT
        and stanza.body() is not None
        and stanza.child(NS_CORRECT, "replace") is None
    )
