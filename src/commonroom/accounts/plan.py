"""What a new state of the account files would change, and whether an operator has to be asked first."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from commonroom.accounts import snapshot
from commonroom.protocol.jid import JID


class ChangeKind(Enum):
    """What becomes of an account; in this order it is told."""

    ADDED = "added"
    DEPARTED = "departed"
    RENAMED = "renamed"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    PASSWORD = "password"


# They take something away: so many of them at once may be a mistake.
TAKES_AWAY = (ChangeKind.DEPARTED, ChangeKind.RENAMED, ChangeKind.LOCKED)


class Change(NamedTuple):
    """One account's; `former` is the address that it had before it was renamed."""

    kind: ChangeKind
    address: JID
    former: JID | None


class HoldRule(NamedTuple):
    """See `accounts.hold_share` and `accounts.hold_least`."""

    share: float
    least: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one snapshot against the one before: counts, and what is wrong in the files.

    `before` is None if there was none. `digest` names exactly these files.
    """

    path: Path
    accounts: int
    before: int | None
    counts: dict[ChangeKind, int]
    faults: tuple[str, ...]
    fault_count: int
    digest: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes for anybody; aliases may."""
        return not any(self.counts.values())

    def hold(self, rule: HoldRule) -> str | None:
        """Why an operator has to confirm it; None if nobody has to."""
        if not self.before:
            return None
        if self.accounts == 0:
            return f"the files list nobody any more; there were {self.before} accounts"
        lost = sum(self.counts[kind] for kind in TAKES_AWAY)
        if lost <= max(rule.least, rule.share * self.before):
            return None
        words = ", ".join(f"{self.counts[kind]} {kind.value}" for kind in TAKES_AWAY)
        return f"{lost} of {self.before} accounts would lose their access or address ({words})"

    def changes(self, *kinds: ChangeKind) -> Iterator[Change]:
        """Those of these kinds, one after the other: there may be many. Whoever iterates reads the file."""
        with closing(snapshot.open_finished(self.path)) as connection:
            for kind in kinds:
                statement = "SELECT address, former FROM change WHERE kind = ?"
                for address, former in connection.execute(statement, (kind.value,)):
                    yield Change(kind, JID.parse(address), None if former is None else JID.parse(former))

    def logins(self, addresses: Iterable[JID]) -> dict[JID, str]:
        """Whose these addresses are, by the names in the files."""
        found = {}
        with closing(snapshot.open_finished(self.path)) as connection:
            for address in addresses:
                row = connection.execute("SELECT login FROM entry WHERE address = ?", (address,)).fetchone()
                if row is not None:
                    found[address] = row[0]
        return found

    def sample(self, kind: ChangeKind, limit: int) -> list[Change]:
        """The first ones."""
        return list(islice(self.changes(kind), limit))


def read_plan(path: Path) -> Plan:
    """The plan in a snapshot; raises sqlite3.Error."""
    with closing(snapshot.open_finished(path)) as connection:
        facts = dict(connection.execute("SELECT name, value FROM fact"))
        found = dict(connection.execute("SELECT kind, count(*) FROM change GROUP BY kind"))
        faults = tuple(text for (text,) in connection.execute("SELECT text FROM fault"))
    counts = {kind: found.get(kind.value, 0) for kind in ChangeKind}
    return Plan(path, facts["accounts"], facts["before"], counts, faults, facts["faults"], facts["digest"])


def is_snapshot(path: Path) -> bool:
    """Whether there is one that can be read."""
    try:
        snapshot.open_finished(path).close()
    except sqlite3.Error:
        return False
    return True
