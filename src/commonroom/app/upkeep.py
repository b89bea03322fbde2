"""What the service does by itself, in small steps, while nobody waits for it."""

import asyncio
import logging
from collections.abc import Sequence

from commonroom.features.muc.tidying import Tidying
from commonroom.storage.errors import StorageError
from commonroom.storage.retention import Retention

log = logging.getLogger(__name__)

# Seconds: a step takes some milliseconds of the thread that writes, so it takes a tenth of that at most.
BETWEEN_STEPS = 0.1
REST = 60.0
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


async def look_after_rooms(services: Sequence[Tidying]) -> None:
    """Tell the owners of rooms that nobody uses, and remove those of which they were told."""
    while True:
        for service in services:
            try:
                await service.tidy()
            except StorageError as error:
                log.warning("rooms are not looked after now", extra={"reason": str(error)})
        await asyncio.sleep(BETWEEN_ROUNDS)
