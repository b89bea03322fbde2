"""Writes accounts of another domain into the database of a configuration: CONFIGURATION NUMBER DOMAIN."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from bench.servers.fill_commonroom import accounts
from commonroom.admin.registry import open_registry
from commonroom.config import load
from commonroom.protocol.jid import JID


async def fill(configuration: Path, number: int, domain: str) -> None:
    """With the names and passwords of the bench's."""
    people = (replace(each, jid=JID.of(each.jid.local, domain)) for each in accounts(number))
    async with open_registry(load(configuration)) as registry:
        await registry.stores.accounts.put_many(people)
        await registry.stores.writes.flushed()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
