"""Keeps records: gathered for a moment and written together, so that nobody waits for them."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from commonroom.audit.tags import Source
from commonroom.storage.audit_interfaces import AuditStore
from commonroom.storage.errors import StorageError
from commonroom.storage.records import AuditRecord

log = logging.getLogger(__name__)

# Seconds between two calls of `flush`. So much may be missing after a crash; what operators do is written
# before they see anything.
GATHER = 1.0
# Records that wait; what comes beyond while the database takes nothing is lost, and that is told.
LARGEST = 20_000


class AuditLog:
    """`microseconds` is the time since 1970; somebody must call `flush` now and then.

    Records of sources that are not kept cost a look into a set.
    """

    def __init__(self, store: AuditStore, sources: Iterable[Source], microseconds: Callable[[], int]) -> None:
        self._store = store
        self._now = microseconds
        self._gathered: list[AuditRecord] = []
        self._lost = 0  # since that was told
        self.keep(sources)

    def keep(self, sources: Iterable[Source]) -> None:
        """Keep records of these sources from now on; `with_messages` is asked for each message."""
        self._sources = frozenset(str(source) for source in sources)
        self.with_messages = Source.MESSAGE in self._sources

    def record(
        self,
        tag: str,
        who: str | None = None,
        peer: str | None = None,
        address: str | None = None,
        facts: Mapping[str, Any] | str = "{}",
    ) -> None:
        """It happened now; `facts` may be JSON already."""
        if tag.partition(":")[0] not in self._sources:
            return
        gathered = self._gathered
        if len(gathered) >= LARGEST:
            self._lost += 1
            return
        kept = (
            facts if isinstance(facts, str) else json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        )
        gathered.append(AuditRecord(self._now(), tag, who, peer, address, kept))

    def flush(self) -> None:
        """Hand over what has gathered; it is on disk with the next commit."""
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        reason = "too many at once"
        try:
            self._store.add(gathered)
        except StorageError as error:
            self._lost += len(gathered)
            reason = str(error)
        if self._lost:
            log.warning("records cannot be kept", extra={"lost": self._lost, "reason": reason})
            self._lost = 0
