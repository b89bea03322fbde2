"""Writes accounts of another domain into the database of a configuration: CONFIGURATION NUMBER DOMAIN."""

import asyncio
import sys
from pathlib import Path

from bench.servers.fill_commonroom import accounts
from bench.site import Population
from commonroom.admin.registry import open_registry
from commonroom.config import load


async def fill(configuration: Path, number: int, domain: str) -> None:
    """With the names and passwords of the bench's."""
    async with open_registry(load(configuration)) as registry:
        await registry.stores.accounts.put_many(accounts(Population(number, domain=domain)))
        await registry.stores.writes.flushed()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
