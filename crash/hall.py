"""A room that outlives every kill: what was said in it, and whom its owner put on its lists."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from crash.ledger import ArchiveRow, Ledger

# Who are in it; the last of all accounts owns it.
SPEAKERS = 4


@dataclass(slots=True)
class Given:
    """One affiliation after the other, of one person; `kept` is the last one that must be on disk."""

    affiliations: list[str] = field(default_factory=list)
    kept: int = -1

    def allows(self, found: str) -> bool:
        """What came after the last one that was acknowledged may be there, or may not."""
        return self.kept < 0 or found in self.affiliations[self.kept :]


class Lists:
    """What the owner asked for. The answer to a request is what acknowledges it."""

    def __init__(self) -> None:
        self.people: dict[str, Given] = {}
        self.acknowledged = 0
        self._asked: dict[str, tuple[str, int]] = {}

    def ask(self, request: str, person: str, affiliation: str) -> None:
        """A request was sent, under an id."""
        given = self.people.setdefault(person, Given())
        given.affiliations.append(affiliation)
        self._asked[request] = person, len(given.affiliations) - 1

    def answer(self, request: str, is_result: bool) -> None:
        """An answer came, perhaps to one of the requests."""
        person, number = self._asked.pop(request, ("", -1))
        if person and is_result:
            self.acknowledged += 1
            self.people[person].kept = max(self.people[person].kept, number)

    def missing(self, found: Mapping[str, str]) -> Iterator[str]:
        """Whose affiliation is none of those that it may be."""
        for person, given in self.people.items():
            if not given.allows(found.get(person, "none")):
                yield person


@dataclass(slots=True)
class Hall:
    """The room of a run; at the end, what it has in its archive and on its lists."""

    address: str
    ledger: Ledger
    lists: Lists = field(default_factory=Lists)
    rows: list[ArchiveRow] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, address: str, clock: Callable[[], float]) -> "Hall":
        """One in which nothing was said."""
        return cls(address, Ledger(clock))
