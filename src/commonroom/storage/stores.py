"""All stores of a database that is open, for whoever puts the service together."""

from commonroom.storage.accounts import SqlAccountStore
from commonroom.storage.archive import SqlArchiveStore
from commonroom.storage.archive_upkeep import SqlArchiveUpkeep
from commonroom.storage.archive_words import ArchiveWords
from commonroom.storage.audit import SqlAuditStore
from commonroom.storage.database import Database
from commonroom.storage.devices import SqlDeviceStore
from commonroom.storage.interfaces import Stores
from commonroom.storage.last_activity import SqlLastActivityStore
from commonroom.storage.listed import SqlListedStore
from commonroom.storage.offline import SqlOfflineStore
from commonroom.storage.outbound import SqlOutboundStore
from commonroom.storage.preferences import SqlPreferenceStore
from commonroom.storage.private import SqlPrivateStore
from commonroom.storage.push import SqlPushStore
from commonroom.storage.rooms import SqlRoomStore
from commonroom.storage.roster import SqlRosterStore
from commonroom.storage.service_secrets import SqlSecretStore
from commonroom.storage.statistics import SqlStatisticStore
from commonroom.storage.tokens import SqlTokenStore
from commonroom.storage.users import SqlUserLoader


def sql_stores(database: Database) -> Stores:
    """Make the stores of a database that is open."""
    words = ArchiveWords(database)
    return Stores(
        SqlAccountStore(database),
        SqlRosterStore(database),
        SqlOfflineStore(database),
        SqlPrivateStore(database),
        SqlLastActivityStore(database),
        SqlSecretStore(database),
        SqlUserLoader(database),
        database.writer,
        SqlArchiveStore(database, words),
        SqlArchiveUpkeep(database, words),
        SqlPreferenceStore(database),
        SqlPushStore(database),
        SqlDeviceStore(database),
        SqlRoomStore(database),
        SqlTokenStore(database),
        SqlAuditStore(database),
        SqlStatisticStore(database),
        SqlListedStore(database),
        SqlOutboundStore(database),
    )
