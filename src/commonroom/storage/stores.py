"""All stores of one database, for whoever puts the service together."""

from dataclasses import dataclass

from commonroom.storage.accounts import SqlAccountStore
from commonroom.storage.database import Database
from commonroom.storage.interfaces import (
    AccountStore,
    LastActivityStore,
    OfflineStore,
    PrivateStore,
    RosterStore,
    SecretStore,
    UserLoader,
    Writes,
)
from commonroom.storage.last_activity import SqlLastActivityStore
from commonroom.storage.memory import (
    Memory,
    MemoryAccountStore,
    MemoryLastActivityStore,
    MemoryOfflineStore,
    MemoryPrivateStore,
    MemoryRosterStore,
    MemorySecretStore,
    MemoryUserLoader,
)
from commonroom.storage.offline import SqlOfflineStore
from commonroom.storage.private import SqlPrivateStore
from commonroom.storage.roster import SqlRosterStore
from commonroom.storage.service_secrets import SqlSecretStore
from commonroom.storage.users import SqlUserLoader


@dataclass(frozen=True, slots=True)
class Stores:
    """Hand each part of the service the one it needs, never this."""

    accounts: AccountStore
    rosters: RosterStore
    offline: OfflineStore
    private: PrivateStore
    last_activity: LastActivityStore
    secrets: SecretStore
    users: UserLoader
    writes: Writes


def sql_stores(database: Database) -> Stores:
    """Make the stores of a database that is open."""
    return Stores(
        SqlAccountStore(database),
        SqlRosterStore(database),
        SqlOfflineStore(database),
        SqlPrivateStore(database),
        SqlLastActivityStore(database),
        SqlSecretStore(database),
        SqlUserLoader(database),
        database.writer,
    )


def memory_stores(memory: Memory) -> Stores:
    """Make stores that keep nothing beyond the process, for tests."""
    return Stores(
        MemoryAccountStore(memory),
        MemoryRosterStore(memory),
        MemoryOfflineStore(memory),
        MemoryPrivateStore(memory),
        MemoryLastActivityStore(memory),
        MemorySecretStore(memory),
        MemoryUserLoader(memory),
        memory.writes,
    )
