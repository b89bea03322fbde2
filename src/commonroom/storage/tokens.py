"""The tokens of the HTTP API, in a table."""

from sqlalchemy import bindparam, delete, select, true

from commonroom.storage.database import Database
from commonroom.storage.records import ApiToken
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import Row
from commonroom.storage.tables import api_token as table


class SqlTokenStore:
    """See `audit_interfaces.TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._load = database.statement(select(*table.columns).order_by(table.c.name))
        self._find = database.statement(select(*table.columns).where(table.c.digest == bindparam("digest")))
        new = (bindparam(column.name, type_=column.type).label(column.name) for column in table.columns)
        self._put = database.upsert(table, ["name"], select(*new).where(true()))
        self._remove = database.statement(delete(table).where(table.c.name == bindparam("name")))

    async def load(self) -> tuple[ApiToken, ...]:
        """List them."""
        rows = await self._reader.read(lambda c: c.rows(self._load, {}))
        return tuple(map(_token, rows))

    async def find(self, digest: bytes) -> ApiToken | None:
        """The one with this digest."""
        rows = await self._reader.read(lambda c: c.rows(self._find, {"digest": digest}))
        return _token(rows[0]) if rows else None

    def put(self, token: ApiToken) -> None:
        """Add or replace one."""
        expires = None if token.expires is None else to_stamp(token.expires)
        self._writer.append(
            self._put,
            {
                "name": token.name,
                "digest": token.digest,
                "scopes": " ".join(token.scopes),
                "created": to_stamp(token.created),
                "expires": expires,
            },
        )

    def remove(self, name: str) -> None:
        """Forget one."""
        self._writer.append(self._remove, {"name": name})


def _token(row: Row) -> ApiToken:
    name, digest, scopes, created, expires = row
    ends = None if expires is None else from_stamp(expires)
    return ApiToken(name, bytes(digest), tuple(scopes.split()), from_stamp(created), ends)
