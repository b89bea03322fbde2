"""What a login needs, in one round trip to a reader's thread."""

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, Table, bindparam, cast, func, select

from commonroom.protocol.jid import JID
from commonroom.storage.accounts import ACCOUNT_COLUMNS, to_account
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.preferences import PREFERENCE_COLUMNS, to_preferences
from commonroom.storage.records import OfflineUsage, StoredUser
from commonroom.storage.roster import RosterReading
from commonroom.storage.statements import Query
from commonroom.storage.tables import account as table
from commonroom.storage.tables import archive_preferences, offline_message, push_service, roster

_FACTS = len(ACCOUNT_COLUMNS)


class SqlUserLoader:
    """See `interfaces.UserLoader`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._user = database.statement(
            select(
                *ACCOUNT_COLUMNS,
                _of_account(roster, roster.c.complete_from),
                _of_account(offline_message, func.count()),
                _of_account(
                    offline_message, cast(func.coalesce(func.sum(offline_message.c.size), 0), BigInteger)
                ),
                _of_account(push_service, func.count()),
                *PREFERENCE_COLUMNS,
            )
            .outerjoin_from(table, archive_preferences, archive_preferences.c.account_id == table.c.id)
            .where(table.c.jid == bindparam("account"))
        )
        self._roster = RosterReading(database)

    async def load_user(self, account: JID) -> StoredUser:
        """Read it all as it was at one moment.

        Few statements: at each, the loop's thread and the reader's may have to wait for each other.
        """
        _, items = self._roster.queries(account)

        def load(connection: Connection) -> StoredUser:
            users, contacts = connection.rows_of(Query(self._user, {"account": account}), items)
            if not users:
                return StoredUser()
            complete_from, count, size, pushes, *preferences = users[0][_FACTS:]
            removed = [] if complete_from is None else [(complete_from,)]
            return StoredUser(
                to_account(users[0][:_FACTS]),
                self._roster.roster(removed, contacts),
                OfflineUsage(count, size),
                to_preferences(*preferences),
                pushes=pushes > 0,
            )

        return await self._reader.read(load)


def _of_account(owned: Table, value: ColumnElement[int]) -> ScalarSelect[int]:
    """A value from another table's rows of the account that is read."""
    return select(value).where(owned.c.account_id == table.c.id).scalar_subquery()
