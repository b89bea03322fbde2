"""XEP-0198 §4: what a client was sent, until it surely has it."""

from collections import deque

from commonroom.protocol.stanza import Stanza


class Outbox:
    """Stanzas in the order in which they were sent, counted from 1. Whoever keeps one bounds it."""

    __slots__ = ("_stanzas", "confirmed", "size")

    def __init__(self) -> None:
        self._stanzas: deque[Stanza] = deque()
        self.confirmed = 0  # how many the client has
        self.size = 0  # characters that wait

    def __len__(self) -> int:
        return len(self._stanzas)

    @property
    def sent(self) -> int:
        """How many were sent so far."""
        return self.confirmed + len(self._stanzas)

    def add(self, stanza: Stanza) -> None:
        """The next one was sent."""
        self._stanzas.append(stanza)
        self.size += len(stanza.xml())

    def confirm(self, through: int) -> list[Stanza]:
        """The client has them up to this number, which was sent: give those that it had not before."""
        stanzas = [self._stanzas.popleft() for _ in range(through - self.confirmed)]
        if stanzas:
            self.confirmed = through
            self.size -= sum([len(stanza.xml()) for stanza in stanzas])
        return stanzas

    def remaining(self) -> tuple[Stanza, ...]:
        """What the client may not have."""
        return tuple(self._stanzas)
