"""What the service does by itself, in small steps, while nobody waits for it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from commonroom.audit.log import GATHER, AuditLog
from commonroom.audit.statistics import Statistics
from commonroom.audit.tags import OPTIONS
from commonroom.config.records import Records
from commonroom.features.muc.tidying import Tidying
from commonroom.storage.audit_interfaces import AuditStore
from commonroom.storage.errors import StorageError
from commonroom.storage.retention import Retention

log = logging.getLogger(__name__)

# Seconds: a step takes some milliseconds of the thread that writes, so it takes a tenth of that at most.
BETWEEN_STEPS = 0.1
REST = 60.0
# Between two looks at records that are too old.
RECORDS_EVERY = 600.0
STEP = 500
SECOND = 1_000_000  # microseconds
BETWEEN_ROUNDS = 3600.0


async def look_after_archives(retention: Retention) -> None:
    """Remove what is too old or was erased, and index what is searched."""
    while True:
        try:
            more = await retention.step()
        except StorageError as error:
            log.warning("archives are not looked after now", extra={"reason": str(error)})
            more = False
        await asyncio.sleep(BETWEEN_STEPS if more else REST)


async def look_after_records(
    store: AuditStore, records: Callable[[], Records], microseconds: Callable[[], int]
) -> None:
    """Erase each kind of record when its time is over."""
    while True:
        try:
            more = await purge_records(store, records(), microseconds())
        except StorageError as error:
            log.warning("records are not looked after now", extra={"reason": str(error)})
            more = False
        await asyncio.sleep(BETWEEN_STEPS if more else RECORDS_EVERY)


async def purge_records(store: AuditStore, records: Records, now: int) -> bool:
    """One step; False, if nothing is left that is too old. Raises StorageError."""
    purged = 0
    for source, option in OPTIONS.items():
        kept = int(getattr(records, option) * SECOND)
        purged = max(purged, await store.purge(f"{source}:", now - kept, STEP))
    return purged == STEP


async def keep_records(audit: AuditLog) -> None:
    """Write what has gathered."""
    while True:
        await asyncio.sleep(GATHER)
        audit.flush()


async def count_days(
    statistics: Statistics,
    counters: Callable[[], Mapping[str, int]],
    levels: Callable[[], Mapping[str, int]],
) -> None:
    """Once a minute, take in what can be counted."""
    while True:
        try:
            await statistics.tick(counters(), levels())
        except StorageError as error:
            log.warning("statistics are not kept now", extra={"reason": str(error)})
        await asyncio.sleep(REST)


async def look_after_rooms(services: Sequence[Tidying]) -> None:
    """Tell the owners of rooms that nobody uses, and remove those of which they were told."""
    while True:
        for service in services:
            try:
                await service.tidy()
            except StorageError as error:
                log.warning("rooms are not looked after now", extra={"reason": str(error)})
        await asyncio.sleep(BETWEEN_ROUNDS)
