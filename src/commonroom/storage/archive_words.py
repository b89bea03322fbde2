"""The index of the words in archives: filled behind the archive, emptied with it."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial

from sqlalchemy import bindparam, func, null, select, text, update

from commonroom.protocol.jid import JID
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.statements import Row, Statement
from commonroom.storage.tables import archive, archive_owner
from commonroom.storage.words import words

STEP = 200
"""How many messages are indexed in one transaction before a search: some ten milliseconds."""

_REMEMBERED = 1000


class ArchiveWords:
    """Who never searches costs nothing: an archive is indexed when its owner searches for the first time.

    From then on, `index` keeps it up to date in the background, for those who searched last.
    """

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._search = database.backend.search
        self._searching: OrderedDict[JID, None] = OrderedDict()
        compiled = database.statement
        last = select(func.coalesce(func.max(archive.c.id), 0)).where(archive.c.owner == archive_owner.c.id)
        self._behind = compiled(
            select(archive_owner.c.indexed < last.scalar_subquery()).where(
                archive_owner.c.address == bindparam("owner")
            )
        )
        self._owner = compiled(
            select(archive_owner.c.id, archive_owner.c.indexed).where(
                archive_owner.c.address == bindparam("owner")
            )
        )
        self._next = compiled(
            select(archive.c.id, archive.c.body)
            .where(archive.c.owner == bindparam("number"), archive.c.id > bindparam("after"))
            .order_by(archive.c.id)
            .limit(bindparam("limit"))
        )
        self._indexed = compiled(
            update(archive_owner)
            .where(archive_owner.c.id == bindparam("number"))
            .values(indexed=bindparam("through"))
        )
        self._body = compiled(select(archive.c.id, archive.c.body).where(*_ONE))
        self._replace = compiled(update(archive).where(*_ONE).values(xml=bindparam("new_xml"), body=null()))
        self._add = compiled(text(self._search.add))
        self._remove = compiled(text(self._search.remove))

    async def catch_up(self, owner: JID) -> None:
        """Index all that an archive holds, in as many steps as it takes."""
        self._searching[owner] = None
        self._searching.move_to_end(owner)
        if len(self._searching) > _REMEMBERED:
            self._searching.popitem(last=False)
        while await self._is_behind(owner):
            await self.step(partial(self._index, owner, STEP))

    async def index(self, limit: int) -> int:
        """Index what is new in the archives of those who search; 0 if nothing is."""
        for owner in tuple(self._searching):
            if await self._is_behind(owner):
                return await self.step(partial(self._index, owner, limit))
        return 0

    async def step(self, work: Callable[[Connection], int]) -> int:
        """Do some work on the writer's thread; returns what it says that it did."""
        done = 0

        def call(connection: Connection) -> None:
            nonlocal done
            done = work(connection)

        before = self._writer.appended
        self._writer.append_call(call)
        await self._writer.flushed(before)
        return done

    def replace(self, connection: Connection, owner: JID, id: int, xml: str) -> None:
        """Put something without words in a message's place."""
        if not (owners := connection.rows(self._owner, {"owner": owner})):
            return
        number, indexed = owners[0]
        which = {"id": id, "number": number}
        self.remove(connection, number, indexed, connection.rows(self._body, which))
        connection.execute(self._replace, {**which, "new_xml": xml})

    def remove(self, connection: Connection, number: int, indexed: int, rows: Iterable[Row]) -> None:
        """Take messages, their ids and bodies, out of the index."""
        self._change(self._remove, connection, number, [row for row in rows if row[0] <= indexed])

    def _index(self, owner: JID, limit: int, connection: Connection) -> int:
        if not (owners := connection.rows(self._owner, {"owner": owner})):
            return 0
        number, indexed = owners[0]
        rows = connection.rows(self._next, {"number": number, "after": indexed, "limit": limit})
        if rows:
            self._change(self._add, connection, number, rows)
            connection.execute(self._indexed, {"number": number, "through": rows[-1][0]})
        return len(rows)

    def _change(self, statement: Statement, connection: Connection, number: int, rows: Iterable[Row]) -> None:
        pairs = ((id, words(body)) for id, body in rows if body is not None)
        changes = [{"id": id, "words": self._search.words(number, found)} for id, found in pairs if found]
        if changes:
            connection.execute_many(statement, changes)

    async def _is_behind(self, owner: JID) -> bool:
        rows = await self._reader.read(lambda c: c.rows(self._behind, {"owner": owner}))
        return bool(rows and rows[0][0])


_ONE = (archive.c.id == bindparam("id"), archive.c.owner == bindparam("number"))
