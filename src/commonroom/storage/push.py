"""XEP-0357: where accounts want notifications sent, in a table."""

from sqlalchemy import bindparam, delete, select

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database
from commonroom.storage.records import PushService
from commonroom.storage.statements import account_number, row_of_account
from commonroom.storage.tables import push_service as table

_OWN = table.c.account_id == account_number()


class SqlPushStore:
    """See `interfaces.PushStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        columns = (table.c.service, table.c.node, table.c.options)
        self._load = database.statement(select(*columns).where(_OWN).order_by(table.c.service, table.c.node))
        self._put = database.upsert(table, ["account_id", "service", "node"], row_of_account(table))
        of_service = delete(table).where(_OWN, table.c.service == bindparam("service"))
        self._remove_service = database.statement(of_service)
        self._remove = database.statement(of_service.where(table.c.node == bindparam("node")))

    async def load(self, account: JID) -> tuple[PushService, ...]:
        """List them, by service and node."""
        rows = await self._reader.read(lambda c: c.rows(self._load, {"account": account}))
        return tuple(PushService(JID.parse(service), node, options) for service, node, options in rows)

    def put(self, account: JID, push: PushService) -> None:
        """Add or replace one."""
        self._writer.append(
            self._put,
            {"account": account, "service": push.service, "node": push.node, "options": push.options},
        )

    def remove(self, account: JID, service: JID, node: str | None = None) -> None:
        """Forget one node of a service, or all of its nodes."""
        if node is None:
            self._writer.append(self._remove_service, {"account": account, "service": service})
        else:
            self._writer.append(self._remove, {"account": account, "service": service, "node": node})
