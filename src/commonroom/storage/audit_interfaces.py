"""What operators' tools keep: tokens, records and statistics."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from commonroom.storage.records import ApiToken, AuditFilter, AuditRecord, DailyStatistic


class TokenStore(Protocol):
    """The tokens of the HTTP API."""

    async def load(self) -> tuple[ApiToken, ...]:
        """List them, by name."""

    async def find(self, digest: bytes) -> ApiToken | None:
        """The one with this digest."""

    def put(self, token: ApiToken) -> None:
        """Add one, or replace the one of that name."""

    def remove(self, name: str) -> None:
        """Forget one."""


class AuditStore(Protocol):
    """What is recorded."""

    def add(self, records: Sequence[AuditRecord]) -> None:
        """Keep them, all in one write."""

    async def find(self, wanted: AuditFilter, limit: int) -> tuple[AuditRecord, ...]:
        """Read the last ones that are wanted, the newest first."""

    async def purge(self, tag: str, before: int, limit: int) -> int:
        """Forget up to `limit` of a tag, or of those that begin so, from before a moment; tells how many."""


class StatisticStore(Protocol):
    """Who was here by day, under pseudonyms, and the numbers that are made of it."""

    def visit(self, day: int, pseudonym: bytes, client: str) -> None:
        """Note that somebody was here; the client that was noted first stays."""

    async def visits(self, day: int) -> Mapping[str, int]:
        """How many were here, by client."""

    async def close(self, day: int) -> None:
        """Forget who was here up to this day."""

    def put(self, statistics: Sequence[DailyStatistic]) -> None:
        """Keep numbers, in place of those of that day and name."""

    def forget(self, before: int) -> None:
        """Forget the numbers of the days before one."""

    async def load(self, since: int) -> tuple[DailyStatistic, ...]:
        """Read the numbers of the days from one on, by day and name."""
