"""XEP-0198 §4: what must outlive a crash before its sender is told that it was handled."""

from typing import Protocol


class Debt(Protocol):
    """A message that its sender will count on; `is_settled` when nothing must be done for it any more.
    Each has a greater `id` than those before, unless it had come before (`doubtful`).
    """

    id: int
    is_settled: bool

    def secure(self) -> None:
        """From the next commit on it outlives a crash, unless a client of its recipient surely has it."""


# What one client sent over a stream with XEP-0198, and nobody may have yet, stays in memory until there is so
# much of it.
LARGEST_DEBT = 100


class Owed:
    """XEP-0198: what a client sent over one stream, and resumed ones, that nobody may have got yet; or
    what another server sent over one.

    It stays in memory: most of it has arrived before the peer asks whether it was handled. Of a server's
    stream (`is_client` is false), the next `doubtful` messages may be such as came before.
    """

    __slots__ = ("__weakref__", "debts", "doubtful", "is_client", "largest")

    def __init__(self, largest: int = LARGEST_DEBT, doubtful: int = 0, is_client: bool = True) -> None:
        self.debts: list[Debt] = []
        self.largest = largest
        self.doubtful = doubtful
        self.is_client = is_client

    def add(self, debt: Debt) -> None:
        """Not too much: what has arrived is forgotten, and if that is little, the rest is written."""
        self.debts.append(debt)
        if len(self.debts) >= self.largest and self.last() and len(self.debts) > self.largest // 2:
            self.secure()

    def last(self) -> int | None:
        """The greatest id of those that are not settled; None if all are."""
        debts = self.debts = [debt for debt in self.debts if not debt.is_settled]
        return max([debt.id for debt in debts]) if debts else None

    def secure(self, through: int | None = None) -> None:
        """Before the client is told that those up to an id, or all, were handled; what that writes must be
        flushed then."""
        for debt in self.debts:
            if through is None or debt.id <= through:
                debt.secure()
        self.debts = [debt for debt in self.debts if not debt.is_settled]
