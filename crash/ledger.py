"""What the clients saw: each message that was sent, and everything that became of it."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Key(NamedTuple):
    """A message: the number of the account that sent it, and the how many-th to its partner it is, from 1."""

    sender: int
    number: int

    @property
    def recipient(self) -> int:
        """Accounts are in pairs: 0 and 1, 2 and 3, and so on."""
        return partner(self.sender)

    @property
    def text(self) -> str:
        """Its body."""
        return f"message-{self.sender}-{self.number}"

    @property
    def id(self) -> str:
        """Its id and its origin-id: unique, and as long as those of clients are, which are random."""
        return f"message-{self.sender:06}-{self.number:06}"

    @classmethod
    def of(cls, text: str | None) -> "Key | None":
        """Read it from such a text; None if it is not one."""
        word, *numbers = (text or "").split("-")
        if word != "message" or len(numbers) != 2 or not all(map(str.isdecimal, numbers)):
            return None
        return cls(*map(int, numbers))


def partner(account: int) -> int:
    """The other one of the pair."""
    return account ^ 1


@dataclass(slots=True)
class Showing:
    """The recipient's client read the message from a stream."""

    at: float
    session: int  # from one bind to the next: a resumed stream is the same one
    archive_id: str | None
    acknowledged_at: float | None = None  # by <a/>, or without 0198 by going on living


@dataclass(slots=True)
class Record:
    """What became of one message."""

    sent_at: float  # for the first time
    acknowledged_at: float | None = None  # to its sender, by <a/>
    refused: bool = False  # its sender was told so, by an error
    fetched: bool = False  # by its recipient, in catching up with the archive
    showings: list[Showing] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """Whether the server has taken it over from its sender."""
        return self.acknowledged_at is not None

    @property
    def reached(self) -> bool:
        """Whether its recipient saw it in the course of things."""
        return self.fetched or bool(self.showings)


class ArchiveRow(NamedTuple):
    """A message in somebody's archive."""

    archive_id: str
    key: Key


@dataclass(slots=True)
class Session:
    """One client from a bind to the next."""

    managed: bool  # with 0198
    ended_at: float | None = None


class Ledger:
    """Filled by the clients, judged by `verdict.judge`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.records: dict[Key, Record] = {}
        self.orders: defaultdict[int, list[Key]] = defaultdict(list)  # by recipient: as first shown
        self.archives: dict[int, list[ArchiveRow]] = {}  # by owner, whole, read at the end
        self.sessions: list[Session] = []
        self.troubles: list[tuple[float, float]] = []  # when the server could not write to its database
        self.strangers = 0  # messages that nobody had sent
        self.refused_pages = 0  # of archives, by an error

    def sent(self, key: Key) -> None:
        """A client wrote it to its stream for the first time."""
        self.records[key] = Record(self.clock())

    def acknowledged(self, key: Key) -> None:
        """Its sender read an <a/> that counts it."""
        self.records[key].acknowledged_at = self.clock()

    def refused(self, key: Key) -> None:
        """Its sender read an error."""
        self.records[key].refused = True

    def fetched(self, key: Key) -> None:
        """Its recipient read it in the archive, while it caught up."""
        if record := self._record(key):
            record.fetched = True

    def shown(self, key: Key, session: int, archive_id: str | None) -> Showing | None:
        """Its recipient read it from a stream; None for what nobody sent."""
        record = self._record(key)
        if record is None:
            return None
        if not record.reached:
            self.orders[key.recipient].append(key)
        record.showings.append(Showing(self.clock(), session, archive_id))
        return record.showings[-1]

    def seen(self) -> int:
        """How often anybody saw a message."""
        return sum(len(record.showings) + record.fetched for record in self.records.values())

    def open_session(self, managed: bool) -> int:
        """A client has bound a resource; returns the session's number."""
        self.sessions.append(Session(managed))
        return len(self.sessions) - 1

    def connection_lost(self, session: int, at: float) -> None:
        """Its connection is gone; it may be resumed and lose another one later."""
        self.sessions[session].ended_at = at

    def untroubled(self, begin: float, end: float) -> float:
        """How many seconds between two moments the server could write."""
        lost = sum(max(0.0, min(end, to) - max(begin, since)) for since, to in self.troubles)
        return end - begin - lost

    def _record(self, key: Key) -> Record | None:
        record = self.records.get(key)
        if record is None:
            self.strangers += 1
        return record
