"""XEP-0012: when accounts were last online, in a table."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from commonroom.protocol.jid import JID
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import LastActivity
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import account_number, row_of_account
from commonroom.storage.tables import last_activity as table


class SqlLastActivityStore:
    """See `interfaces.LastActivityStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._put = database.upsert(table, ["account_id"], row_of_account(table))
        self._get = database.statement(
            select(table.c.at, table.c.status).where(table.c.account_id == account_number())
        )

    def put(self, account: JID, activity: LastActivity) -> None:
        """Note that the account's last resource left."""
        self._writer.append(
            self._put, {"account": account, "at": to_stamp(activity.at), "status": activity.status}
        )

    async def get(self, account: JID) -> LastActivity | None:
        """Read it."""
        rows = await self._reader.read(lambda c: c.rows(self._get, {"account": account}))
        return LastActivity(from_stamp(rows[0][0]), rows[0][1]) if rows else None

    async def times(self, accounts: Sequence[JID]) -> dict[JID, datetime]:
        """Read when these were last online."""

        def read(connection: Connection) -> dict[JID, datetime]:
            found = ((jid, connection.rows(self._get, {"account": jid})) for jid in accounts)
            return {jid: from_stamp(rows[0][0]) for jid, rows in found if rows}

        return await self._reader.read(read)
