"""Numbers by day. Who was here is counted under pseudonyms, whose key is thrown away when the day is over."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b

from commonroom.storage.audit_interfaces import StatisticStore
from commonroom.storage.interfaces import SecretStore
from commonroom.storage.records import DailyStatistic

DAY = 86_400_000_000  # microseconds
KEY_BYTES = 32
PSEUDONYM_BYTES = 12
# A client that fewer people use is counted as another one: its name could be a person's.
FEWEST = 5
OTHER = "other"
LONGEST_CLIENT = 60


class Statistics:
    """`tick` comes now and then; `microseconds` is the time since 1970, `random` gives so many bytes."""

    def __init__(
        self,
        store: StatisticStore,
        secrets: SecretStore,
        microseconds: Callable[[], int],
        random: Callable[[int], bytes],
        days: int,
    ) -> None:
        """Numbers are kept for so many `days`."""
        self._store = store
        self._secrets = secrets
        self._now = microseconds
        self._random = random
        self.days = days
        self._day = -1
        self._key: bytes | None = None
        self._here: set[bytes] = set()
        self._numbers: dict[str, int] = {}
        self._last: Mapping[str, int] = {}

    def visit(self, account: str, client: str) -> None:
        """An account is here with a client; counts once a day, and not before the first tick."""
        if self._key is None:
            return
        pseudonym = blake2b(account.encode(), key=self._key, digest_size=PSEUDONYM_BYTES).digest()
        if pseudonym not in self._here:
            self._here.add(pseudonym)
            self._store.visit(self._day, pseudonym, client[:LONGEST_CLIENT] or OTHER)

    async def tick(self, counters: Mapping[str, int], levels: Mapping[str, int]) -> None:
        """Take in counters, which only grow while the process lives, and levels, of which the peak is kept.

        Raises StorageError.
        """
        day = self._now() // DAY
        if day != self._day:
            await self._begin(day)
        for name, value in counters.items():
            self._numbers[name] = self._numbers.get(name, 0) + value - self._last.get(name, 0)
        self._last = dict(counters)
        for name, value in levels.items():
            self._numbers[f"peak {name}"] = max(self._numbers.get(f"peak {name}", 0), value)
        self._store.put([DailyStatistic(day, name, value) for name, value in self._numbers.items()])

    async def _begin(self, day: int) -> None:
        """A new day, or the rest of one after a restart. Days before it are closed."""
        today = {each.name: each.value for each in await self._store.load(day) if each.day == day}
        await self._close(day - 1 if self._day < 0 else self._day)
        self._store.forget(day - self.days)
        make = partial(self._random, KEY_BYTES)
        self._key = await self._secrets.get_or_create(_key_name(day), make)
        self._here = set()
        self._day, self._numbers = day, today

    async def _close(self, day: int) -> None:
        """Count who was here, then forget who that was."""
        counted = await self._store.visits(day)
        if counted:
            numbers = {"users": sum(counted.values()), **_by_client(counted)}
            self._store.put([DailyStatistic(day, name, value) for name, value in numbers.items()])
        await self._store.close(day)
        self._secrets.remove(_key_name(day))


def _by_client(counted: Mapping[str, int]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for client, count in counted.items():
        found[client if count >= FEWEST else OTHER] += count
    return {f"client {client}": count for client, count in found.items()}


def _key_name(day: int) -> str:
    return f"statistics of day {day}"
