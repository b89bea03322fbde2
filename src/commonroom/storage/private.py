"""XEP-0049: XML that clients keep on the server, in a table."""

from hashlib import sha256

from sqlalchemy import BigInteger, bindparam, cast, func, select

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database
from commonroom.storage.statements import account_number, row_of_account
from commonroom.storage.tables import private_xml as table

# PostgreSQL's indexes take keys of about 2,700 bytes, and clients may make up longer namespaces.
_LONGEST_KEY = 500

_OWN = table.c.account_id == account_number()


class SqlPrivateStore:
    """See `interfaces.PrivateStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._get = database.statement(
            select(table.c.xml).where(_OWN, table.c.element == bindparam("element"))
        )
        self._put = database.upsert(table, ["account_id", "element"], row_of_account(table))
        total = cast(func.coalesce(func.sum(table.c.size), 0), BigInteger)
        self._size = database.statement(select(total).where(_OWN))

    async def get(self, account: JID, namespace: str, name: str) -> str | None:
        """Read what was stored under an element's name."""
        parameters = {"account": account, "element": _key(namespace, name)}
        rows = await self._reader.read(lambda c: c.rows(self._get, parameters))
        return rows[0][0] if rows else None

    def put(self, account: JID, namespace: str, name: str, xml: str) -> None:
        """Store an element."""
        key = _key(namespace, name)
        self._writer.append(
            self._put, {"account": account, "element": key, "size": len(xml.encode()), "xml": xml}
        )

    async def size(self, account: JID) -> int:
        """How many bytes of XML the account keeps."""
        return await self._reader.read(lambda c: int(c.rows(self._size, {"account": account})[0][0]))


def _key(namespace: str, name: str) -> str:
    """The element's name in one text; a digest (without the brace, so never mistaken) for a long one."""
    key = f"{{{namespace}}}{name}"
    return key if len(key) <= _LONGEST_KEY else sha256(key.encode()).hexdigest()
