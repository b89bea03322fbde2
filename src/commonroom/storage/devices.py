"""XEP-0388, XEP-0484: the clients of accounts, and the tokens with which they log in, in a table."""

from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.mechanism import Token
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import Device
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import Row, account_number, row_of_account
from commonroom.storage.tables import device as table

_OWN = table.c.account_id == account_number()
_ONE = table.c.client == bindparam("client")


class SqlDeviceStore:
    """See `interfaces.DeviceStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        columns = [column for column in table.columns if column.name != "account_id"]
        self._load = database.statement(select(*columns).where(_OWN).order_by(table.c.client))
        self._get = database.statement(select(*columns).where(_OWN, _ONE))
        self._put = database.upsert(table, ["account_id", "client"], row_of_account(table))
        self._remove = database.statement(delete(table).where(_OWN, _ONE))

    async def load(self, account: JID) -> tuple[Device, ...]:
        """List them."""
        rows = await self._reader.read(lambda c: c.rows(self._load, {"account": account}))
        return tuple(_to_device(row) for row in rows)

    async def get(self, account: JID, client: str) -> Device | None:
        """Read one."""

        def find(connection: Connection) -> Sequence[Row]:
            return connection.rows(self._get, {"account": account, "client": client})

        rows = await self._reader.read(find)
        return _to_device(rows[0]) if rows else None

    def put(self, account: JID, device: Device) -> None:
        """Add or replace one."""
        self._writer.append(
            self._put,
            {
                "account": account,
                "client": device.client,
                "software": device.software,
                "name": device.name,
                "first_seen": to_stamp(device.first_seen),
                "last_seen": to_stamp(device.last_seen),
                "password": device.password,
                "tokens": "\n".join(_format(token) for token in device.tokens),
            },
        )

    def remove(self, account: JID, client: str) -> None:
        """Forget one."""
        self._writer.append(self._remove, {"account": account, "client": client})


def _to_device(row: Row) -> Device:
    client, software, name, first_seen, last_seen, password, tokens = row
    return Device(
        client,
        software,
        name,
        from_stamp(first_seen),
        from_stamp(last_seen),
        bool(password),
        tuple(_parse(line) for line in tokens.splitlines()),
    )


def _format(token: Token) -> str:
    """One line: mechanism, key, end, revision, counter, and whether it was used."""
    key = b2a_base64(token.key, newline=False).decode()
    return f"{token.mechanism} {key} {token.expires} {token.revision} {token.counter} {int(token.is_new)}"


def _parse(line: str) -> Token:
    mechanism, key, expires, revision, counter, is_new = line.split(" ")
    return Token(mechanism, a2b_base64(key), int(expires), int(revision), int(counter), is_new == "1")
