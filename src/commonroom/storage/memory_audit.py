"""In memory: tokens of the HTTP API, what is recorded, and statistics."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from commonroom.storage.records import ApiToken, AuditFilter, AuditRecord, DailyStatistic

Note = Callable[[], object]


class MemoryTokenStore:
    """See `audit_interfaces.TokenStore`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._kept: dict[str, ApiToken] = {}

    async def load(self) -> tuple[ApiToken, ...]:
        """List them."""
        return tuple(self._kept[name] for name in sorted(self._kept))

    async def find(self, digest: bytes) -> ApiToken | None:
        """The one with this digest."""
        return next((token for token in self._kept.values() if token.digest == digest), None)

    def put(self, token: ApiToken) -> None:
        """Add or replace one."""
        self._note()
        self._kept[token.name] = token

    def remove(self, name: str) -> None:
        """Forget one."""
        self._note()
        self._kept.pop(name, None)


class MemoryAuditStore:
    """See `audit_interfaces.AuditStore`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._kept: list[AuditRecord] = []

    def add(self, records: Sequence[AuditRecord]) -> None:
        """Keep them."""
        self._note()
        self._kept += records

    async def find(self, wanted: AuditFilter, limit: int) -> tuple[AuditRecord, ...]:
        """Read the last ones that are wanted."""
        found = [each for each in reversed(self._kept) if _fits(each, wanted)]
        return tuple(sorted(found, key=lambda each: -each.at)[:limit])

    async def purge(self, tag: str, before: int, limit: int) -> int:
        """Forget some."""
        self._note()
        old = AuditFilter(tag, until=before)
        gone = sorted((each for each in self._kept if _fits(each, old)), key=lambda each: each.at)[:limit]
        for each in gone:
            self._kept.remove(each)
        return len(gone)


def _fits(record: AuditRecord, wanted: AuditFilter) -> bool:
    tag = wanted.tag
    return (
        (tag is None or record.tag == tag or (tag.endswith(":") and record.tag.startswith(tag)))
        and (wanted.who is None or wanted.who in (record.who, record.peer))
        and (wanted.address is None or record.address == wanted.address)
        and (wanted.since is None or record.at >= wanted.since)
        and (wanted.until is None or record.at < wanted.until)
    )


class MemoryStatisticStore:
    """See `audit_interfaces.StatisticStore`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._visits: dict[tuple[int, bytes], str] = {}
        self._numbers: dict[tuple[int, str], int] = {}

    def visit(self, day: int, pseudonym: bytes, client: str) -> None:
        """Note that somebody was here."""
        self._note()
        self._visits.setdefault((day, pseudonym), client)

    async def visits(self, day: int) -> Mapping[str, int]:
        """How many were here, by client."""
        return Counter(client for (of, _), client in self._visits.items() if of == day)

    async def close(self, day: int) -> None:
        """Forget who was here."""
        self._note()
        self._visits = {key: client for key, client in self._visits.items() if key[0] > day}

    def put(self, statistics: Sequence[DailyStatistic]) -> None:
        """Keep numbers."""
        self._note()
        self._numbers |= {(each.day, each.name): each.value for each in statistics}

    def forget(self, before: int) -> None:
        """Forget the numbers of old days."""
        self._note()
        self._numbers = {key: value for key, value in self._numbers.items() if key[0] >= before}

    async def load(self, since: int) -> tuple[DailyStatistic, ...]:
        """Read numbers."""
        return tuple(
            DailyStatistic(*key, self._numbers[key]) for key in sorted(self._numbers) if key[0] >= since
        )
