"""Writes accounts and rosters into the database of a configuration: CONFIGURATION POPULATION."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.site import ITERATIONS, SALT, Population, keys
from commonroom.admin.registry import open_registry
from commonroom.config import load
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import DIGESTS, ScramKeys
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import Account, RosterItem

# Contacts written at once: what waits is bounded.
AT_ONCE = 1000


def accounts(population: Population) -> Iterator[Account]:
    """All with the same keys."""
    hashes = tuple(ScramKeys(name, SALT, ITERATIONS, *keys(digest)) for name, digest in DIGESTS.items())
    created = datetime.now(UTC)
    for number in range(population.accounts):
        yield Account(JID.parse(population.address(number)), hashes, created)


def contact(address: str, number: int, version: int) -> RosterItem:
    """Subscribed both ways, in a group."""
    jid, groups = JID.parse(address), ("Friends",)
    return RosterItem(jid, f"Contact {number}", groups, SubscriptionState.BOTH, False, True, None, version)


async def fill(configuration: Path, people: dict[str, Any]) -> None:
    """Write it all."""
    population = Population(people["accounts"], dict(people["friends"]), people["domain"])
    async with open_registry(load(configuration)) as registry:
        await registry.stores.accounts.put_many(accounts(population))
        written = 0
        for owner, friends in population.friends.items():
            if owner >= population.accounts:
                continue
            for version, friend in enumerate(friends, 1):
                item = contact(population.address(friend), friend, version)
                registry.stores.rosters.put(JID.parse(population.address(owner)), item)
                written += 1
                if written % AT_ONCE == 0:
                    await registry.stores.writes.flushed()
        await registry.stores.writes.flushed()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
