"""When the certificates of a running service end, and saying so in good time."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from commonroom.admin.places import server_key_pairs
from commonroom.config import Settings
from commonroom.net.certificate_facts import ends
from commonroom.net.certificates import RENEWAL

log = logging.getLogger(__name__)

# Seconds.
EVERY = 24 * 3600.0


def expiries(settings: Settings) -> dict[str, float]:
    """The end of each certificate that is used, for rooms and components as well, as seconds since 1970."""
    files = {pair.certificate for pair in server_key_pairs(settings).values()}
    moments = {file: ends(file) for file in files}
    return {str(file): moment.timestamp() for file, moment in moments.items() if moment is not None}


async def warn_of_expiry(settings: Callable[[], Settings]) -> None:
    """At the start, and every day."""
    while True:
        warn_now(expiries(settings()), datetime.now(UTC))
        await asyncio.sleep(EVERY)


def warn_now(ends: dict[str, float], now: datetime) -> None:
    """A line in the log for each that ends soon: authorities that renew by themselves would have done it."""
    for file, end in ends.items():
        left = datetime.fromtimestamp(end, UTC) - now
        if left < timedelta(0):
            log.error("a certificate has expired", extra={"file": file, "days": -left.days})
        elif left < RENEWAL:
            log.warning("a certificate expires soon", extra={"file": file, "days": left.days})
