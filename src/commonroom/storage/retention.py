"""XEP-0313 §3.2: how long archives keep messages, and the work that follows from it, in small steps."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import ArchiveUpkeep
from commonroom.storage.records import ArchiveAge

STEP = 100
"""Messages that one step removes or indexes: some 5 ms of the writer's thread (SQLite)."""

OWNERS_AT_ONCE = 200

_SECOND = 1_000_000  # ids are microseconds


class KeepRule(NamedTuple):
    """How long messages are kept, in seconds (None: for ever), in the archives whose owners fit.

    `accounts` are bare addresses in which `*` stands for any text.
    """

    name: str
    accounts: tuple[str, ...]
    keep: float | None


class KeepRules:
    """The first rule that fits an owner counts; `otherwise` is for those that fit none."""

    def __init__(self, rules: Sequence[KeepRule], otherwise: KeepRule) -> None:
        self._rules = tuple((rule, _pattern(rule.accounts)) for rule in rules)
        self._otherwise = otherwise
        self.expire_nothing = all(rule.keep is None for rule in (*rules, otherwise))

    def rule(self, owner: JID) -> KeepRule:
        """The rule for one archive."""
        return next((rule for rule, pattern in self._rules if pattern.fullmatch(owner)), self._otherwise)

    def expired_before(self, owner: JID, now: int) -> int:
        """The id of the moment before which messages are no longer kept; 0 if all are."""
        keep = self.rule(owner).keep
        return 0 if keep is None else max(now - int(keep * _SECOND), 0)


class Retention:
    """The background's work on archives, one step at a time; whoever calls `step` decides on the pauses.

    `now` gives microseconds since 1970. A sweep over all archives begins `sweep_every` seconds after the
    last one has ended: each owner costs it one look at an index, on a reader's thread.
    """

    def __init__(
        self, upkeep: ArchiveUpkeep, rules: KeepRules, now: Callable[[], int], sweep_every: float = 3600.0
    ) -> None:
        self._upkeep = upkeep
        self._rules = rules
        self._now = now
        self._sweep_every = int(sweep_every * _SECOND)
        self._next_sweep = 0
        self._after: JID | None = None
        self._due: deque[tuple[JID, int]] = deque()

    def use(self, rules: KeepRules) -> None:
        """Go by these from now on, beginning with a new sweep."""
        self._rules = rules
        self._due.clear()
        self._after = None
        self._next_sweep = 0

    async def step(self) -> bool:
        """Do some milliseconds of work; False if nothing is left to do for now. Raises StorageError."""
        return bool(await self._upkeep.purge(STEP) or await self._upkeep.index(STEP) or await self._expire())

    async def _expire(self) -> bool:
        if self._due:
            owner, before = self._due[0]
            if await self._upkeep.expire(owner, before, STEP) < STEP:
                self._due.popleft()
            return True
        now = self._now()
        if self._rules.expire_nothing or now < self._next_sweep:
            return False
        ages = await self._upkeep.ages(self._after, OWNERS_AT_ONCE)
        self._due.extend(due(ages, self._rules, now))
        if len(ages) == OWNERS_AT_ONCE:
            self._after = ages[-1].owner
            return True
        self._after = None
        self._next_sweep = now + self._sweep_every
        return bool(self._due)


def due(ages: Sequence[ArchiveAge], rules: KeepRules, now: int) -> list[tuple[JID, int]]:
    """Whose archives have messages that are too old, and the id before which they are."""
    limits = [(age, rules.expired_before(age.owner, now)) for age in ages]
    return [(age.owner, before) for age, before in limits if age.first < before]


def _pattern(accounts: Sequence[str]) -> re.Pattern[str]:
    one = ("[\\s\\S]*".join(map(re.escape, account.split("*"))) for account in accounts)
    return re.compile("|".join(f"(?:{text})" for text in one) or r"(?!)")
