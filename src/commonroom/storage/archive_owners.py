"""Who has an archive: what accounts and archives write together."""

from sqlalchemy import bindparam, literal_column, null, select, true, update

from commonroom.protocol.jid import JID
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.tables import archive_owner

_OWNER = archive_owner.c.address == bindparam("owner")


class ArchiveOwners:
    """Who has an archive: the statements that accounts and archives share."""

    def __init__(self, database: Database) -> None:
        address = bindparam("owner", type_=archive_owner.c.address.type).label("address")
        unindexed = literal_column("0", archive_owner.c.indexed.type).label("indexed")
        self.add = database.add_missing(archive_owner, select(address, unindexed).where(true()))
        self.leave = database.statement(update(archive_owner).where(_OWNER).values(address=null()))
        self._has = database.statement(select(true()).where(_OWNER))

    def renew(self, connection: Connection, owner: JID) -> None:
        """Give an owner an archive that is empty, in place of the old one."""
        one = {"owner": owner}
        if connection.rows(self._has, one):
            connection.execute(self.leave, one)
            connection.execute(self.add, one)
