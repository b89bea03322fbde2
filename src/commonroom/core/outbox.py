"""XEP-0198 §4: what a client was sent, until it surely has it."""

from collections import deque
from collections.abc import Sequence

from commonroom.protocol.stanza import Stanza
from commonroom.protocol.stream_management import WRAP


class Outbox:
    """Stanzas in the order in which they were sent, counted from 1. Whoever keeps one bounds it.

    What was sent `before` the count began goes ahead of it: the client has it once it confirms any number.
    """

    __slots__ = ("confirmed", "size", "stanzas")

    def __init__(self, before: Sequence[Stanza] = ()) -> None:
        self.stanzas: deque[Stanza] = deque(before)
        self.confirmed = -len(before)  # how many the client has
        self.size = _size(before)  # characters that wait, of those that were added

    def __len__(self) -> int:
        return len(self.stanzas)

    @property
    def sent(self) -> int:
        """How many were sent so far."""
        return self.confirmed + len(self.stanzas)

    def add(self, stanza: Stanza) -> None:
        """The next one was sent."""
        self.stanzas.append(stanza)
        self.size += len(stanza.xml())

    def place(self, handled: int) -> int:
        """Which number a client means, whose own has 32 bits: the one nearest to what it confirmed."""
        step = (handled - self.confirmed) % WRAP
        return self.confirmed + (step if step < WRAP // 2 else step - WRAP)

    def confirm(self, through: int) -> list[Stanza]:
        """The client has them up to this number, which was sent: give those that it had not before."""
        take = self.stanzas.popleft
        stanzas = [take() for _ in range(through - self.confirmed)]
        if stanzas:
            self.confirmed = through
            if self.size:
                self.size -= _size(stanzas)
        return stanzas

    def remaining(self) -> tuple[Stanza, ...]:
        """What the client may not have."""
        return tuple(self.stanzas)


def _size(stanzas: Sequence[Stanza]) -> int:
    return sum([len(stanza.xml()) for stanza in stanzas])
