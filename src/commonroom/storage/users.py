"""What a login needs, in one round trip to a reader's thread."""

from sqlalchemy import bindparam, select

from commonroom.protocol.jid import JID
from commonroom.storage.accounts import ACCOUNT_COLUMNS, to_account
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.offline import OfflineReading
from commonroom.storage.records import StoredUser
from commonroom.storage.roster import RosterReading
from commonroom.storage.statements import Query
from commonroom.storage.tables import account as table


class SqlUserLoader:
    """See `interfaces.UserLoader`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._account = database.statement(
            select(*ACCOUNT_COLUMNS).where(table.c.jid == bindparam("account"))
        )
        self._roster = RosterReading(database)
        self._offline = OfflineReading(database)

    async def load_user(self, account: JID) -> StoredUser:
        """Read it all as it was at one moment."""

        def load(connection: Connection) -> StoredUser:
            accounts, usage, complete_from, items = connection.rows_of(
                Query(self._account, {"account": account}),
                self._offline.query(account),
                *self._roster.queries(account),
            )
            if not accounts:
                return StoredUser()
            return StoredUser(
                to_account(accounts[0]), self._roster.roster(complete_from, items), self._offline.usage(usage)
            )

        return await self._reader.read(load)
