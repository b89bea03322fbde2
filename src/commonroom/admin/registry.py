"""What operations on accounts work with, and how it is opened; beside a running service as well."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from commonroom.accounts.chain import Chain, Decision
from commonroom.accounts.directory import Directory
from commonroom.accounts.interfaces import Listed, Listing, NoListing
from commonroom.accounts.plan import is_snapshot
from commonroom.admin.errors import BadAddress
from commonroom.admin.places import database_url, snapshot_in_force
from commonroom.config import Mechanism, Settings
from commonroom.config.accounts import Source
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import DIGESTS
from commonroom.storage.database import open_database
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import Account
from commonroom.storage.stores import sql_stores

NO_LISTING = NoListing()


@dataclass(frozen=True, slots=True)
class Registry:
    """The stores, and what the configuration says of accounts; the first domain is the default one.

    `now` gives an aware datetime; `random` so many bytes. `files` are the accounts in files elsewhere;
    `order` says which source decides.
    """

    stores: Stores
    domains: tuple[str, ...]
    hash_names: tuple[str, ...]
    iterations: int
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    files: Listing = NO_LISTING
    order: tuple[Source, ...] = (Source.STORED, Source.FILES)

    def listed(self, account: JID) -> Listed | None:
        """Who has this address in the files."""
        return self.files.find(account)

    def decide(self, address: JID, kept: Account | None) -> Decision:
        """What the source that decides says of an address, for which this is kept."""
        return Chain(self.order, self.files).decide(address, kept)


def registry(settings: Settings, stores: Stores, files: Listing | None = None) -> Registry:
    """The registry of a configuration."""
    return Registry(
        stores,
        settings.domains,
        hash_names(settings.sasl.mechanisms),
        settings.sasl.iterations,
        lambda: datetime.now(UTC),
        secrets.token_bytes,
        files or NO_LISTING,
        settings.accounts.order,
    )


def served(registry: Registry, domain: str) -> None:
    """Raises BadAddress for a domain without accounts of ours."""
    if domain not in registry.domains:
        raise BadAddress(f"{domain}: it is not served here; configured: {', '.join(registry.domains)}")


@asynccontextmanager
async def open_registry(settings: Settings) -> AsyncIterator[Registry]:
    """Open the database of a configuration, and close it; raises CannotOpen."""
    loop = asyncio.get_running_loop()
    database = open_database(database_url(settings), settings.state, loop, settings.database.commit_delay)
    directory = Directory(time.time, b"", settings.domains)
    try:
        if is_snapshot(snapshot_in_force(settings)):
            directory.use(snapshot_in_force(settings))
        yield registry(settings, sql_stores(database), directory)
    finally:
        directory.close()
        await database.close()


def hash_names(mechanisms: Iterable[Mechanism]) -> tuple[str, ...]:
    """The hashes for which accounts need keys; all, where only PLAIN is offered: SCRAM may be one day."""
    offered = {mechanism.value.removesuffix("-PLUS") for mechanism in mechanisms}
    return tuple(name for name in DIGESTS if f"SCRAM-{name}" in offered) or tuple(DIGESTS)
