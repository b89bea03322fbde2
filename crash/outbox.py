"""XEP-0198: the client's count of what it sent, and of that what was acknowledged."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from crash.ledger import Key

WRAP = 2**32


class WrongCount(ValueError):  # noqa: N818 - what happened
    """The server acknowledged what was never sent, or takes back what it acknowledged."""


class Outgoing(NamedTuple):
    """A stanza as it was written; with a key if it is one of the counted messages."""

    xml: str
    key: Key | None


class Outbox:
    """Stanzas that were sent and are not yet acknowledged, in their order."""

    def __init__(self) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._acknowledged = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, stanza: Outgoing) -> None:
        """It was written to the stream."""
        self._waiting.append(stanza)

    def handled(self, count: int) -> list[Key]:
        """The server has handled so many in all (§4); returns the messages that are acknowledged by that."""
        more = (count - self._acknowledged) % WRAP
        if more > len(self._waiting):
            raise WrongCount(f"{count} acknowledged, {self._acknowledged + len(self._waiting)} sent")
        self._acknowledged = count
        done = [self._waiting.popleft() for _ in range(more)]
        return [stanza.key for stanza in done if stanza.key is not None]

    def unacknowledged(self) -> Iterator[Outgoing]:
        """What a resumed stream sends again (§5), in the order in which it was sent."""
        return iter(tuple(self._waiting))

    def renew(self) -> list[Outgoing]:
        """A new session counts from zero; returns the messages that it must send again (§4)."""
        again = [stanza for stanza in self._waiting if stanza.key is not None]
        self._waiting.clear()
        self._acknowledged = 0
        return again
