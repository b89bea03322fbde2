"""XEP-0313: the queries on an archive, by what of it is wanted."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    column,
    false,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy import table as any_table
from sqlalchemy import text as sql

from commonroom.protocol.jid import JID
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import ArchivedMessage, ArchiveFilter
from commonroom.storage.statements import Parameters, Row
from commonroom.storage.tables import archive, archive_erasure, archive_owner
from commonroom.storage.words import asked

_LAST = 2**63 - 1

_COLUMNS = tuple(archive.c[name] for name in ("id", "peer", "resource", "outgoing", "xml", "body", "origin"))
_BETWEEN = (archive.c.id > bindparam("after"), archive.c.id < bindparam("before"))
_OWN = archive.c.owner == bindparam("number")
_PEER = archive.c.peer == bindparam("peer")
_RESOURCE = archive.c.resource == bindparam("resource")
# What was erased and is still there; the table is nearly always empty. A value and not `NOT EXISTS`, which
# PostgreSQL makes a join of: then it reads and sorts the whole archive for a page.
_ERASED_THROUGH = select(archive_erasure.c.through).where(
    archive_erasure.c.owner == archive.c.owner, archive_erasure.c.peer == archive.c.peer
)
SEEN = archive.c.id > func.coalesce(_ERASED_THROUGH.scalar_subquery(), literal_column("0"))


def _checked(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Conditions that rows of the right index nearly always fulfil.

    A planner that knew them would use their own indexes, or expect few rows and sort them all.
    """
    return case((and_(*conditions), true()), else_=false())


def conversation_of(
    number: ColumnElement[int], *further: ColumnElement[bool]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions for the rows of one conversation: its index, and what makes it certain."""
    is_own = archive.c.owner == number
    return archive.c.conversation == bindparam("conversation"), _checked(is_own, _PEER, *further)


class _Kind(NamedTuple):
    """Which indexes and conditions a filter needs."""

    peer: bool
    resource: bool
    text: bool


class ArchiveReading:
    """Compiled once; everything that takes a connection runs on a thread of storage."""

    def __init__(self, database: Database) -> None:
        compiled = database.statement
        self._search = database.backend.search
        self._owner = compiled(
            select(archive_owner.c.id).where(archive_owner.c.address == bindparam("owner"))
        )
        pages = {kind: self._page(kind) for kind in _KINDS}
        self._forwards = {
            kind: compiled(page.order_by(self._key(kind)).limit(bindparam("limit")))
            for kind, page in pages.items()
        }
        self._backwards = {
            kind: compiled(page.order_by(self._key(kind).desc()).limit(bindparam("limit")))
            for kind, page in pages.items()
        }
        self._counts = {
            kind: compiled(
                select(func.count()).select_from(
                    page.with_only_columns(archive.c.id).limit(bindparam("limit")).subquery("wanted")
                )
            )
            for kind, page in pages.items()
        }
        self._one = compiled(select(*_COLUMNS).where(archive.c.id == bindparam("id"), _checked(_OWN), SEEN))
        named = pages[_Kind(True, False, False)].where(archive.c.origin == bindparam("origin"))
        self._named = compiled(named.order_by(archive.c.id.desc()).limit(bindparam("limit")))
        recent = pages[_Kind(False, False, False)].where(archive.c.origin.is_not(None))
        self._recent = compiled(
            recent.with_only_columns(
                *_COLUMNS[:4], literal_column("''"), literal_column("NULL"), archive.c.origin
            )
            .order_by(archive.c.id.desc())
            .limit(bindparam("limit"))
        )

    def owner(self, connection: Connection, address: JID) -> int | None:
        """Find the number of an archive's owner."""
        rows = connection.rows(self._owner, {"owner": address})
        return int(rows[0][0]) if rows else None

    def page(
        self, connection: Connection, address: JID, wanted: ArchiveFilter, limit: int, backwards: bool
    ) -> tuple[ArchivedMessage, ...]:
        """Read the first or the last messages, the oldest first."""
        if (asking := self._asking(connection, address, wanted, limit)) is None:
            return ()
        kind, parameters = asking
        statements = self._backwards if backwards else self._forwards
        rows = connection.rows(statements[kind], parameters)
        return tuple(map(_to_message, reversed(rows) if backwards else rows))

    def count(self, connection: Connection, address: JID, wanted: ArchiveFilter, limit: int) -> int:
        """Count messages, as far as the limit."""
        if (asking := self._asking(connection, address, wanted, limit)) is None:
            return 0
        kind, parameters = asking
        return int(connection.rows(self._counts[kind], parameters)[0][0])

    def recent(
        self, connection: Connection, address: JID, after: int, limit: int
    ) -> tuple[ArchivedMessage, ...]:
        """Read the last messages with an origin, without their text."""
        if (asking := self._asking(connection, address, ArchiveFilter(after=after), limit)) is None:
            return ()
        return tuple(map(_to_message, reversed(connection.rows(self._recent, asking[1]))))

    def named(
        self, connection: Connection, address: JID, peer: JID, origin: str, limit: int
    ) -> tuple[ArchivedMessage, ...]:
        """Read the last messages of a conversation that have this origin."""
        if (asking := self._asking(connection, address, ArchiveFilter(peer), limit)) is None:
            return ()
        rows = connection.rows(self._named, {**asking[1], "origin": origin})
        return tuple(map(_to_message, reversed(rows)))

    def some(self, connection: Connection, address: JID, ids: Sequence[int]) -> tuple[ArchivedMessage, ...]:
        """Read single messages."""
        if (owner := self.owner(connection, address)) is None:
            return ()
        found = (connection.rows(self._one, {"id": id, "number": owner}) for id in sorted(set(ids)))
        return tuple(_to_message(row) for rows in found for row in rows)

    def _asking(
        self, connection: Connection, address: JID, wanted: ArchiveFilter, limit: int
    ) -> tuple[_Kind, Parameters] | None:
        """What to run and with which parameters; None if nothing can be found."""
        if (owner := self.owner(connection, address)) is None:
            return None
        after = 0 if wanted.after is None else wanted.after
        before = _LAST if wanted.before is None else wanted.before
        parameters: dict[str, str | int | None] = {
            "number": owner,
            "after": _bounded(after),
            "before": _bounded(before),
            "limit": limit,
        }
        if (peer := wanted.peer) is not None:
            parameters["conversation"] = conversation(address, peer.bare)
            parameters["peer"] = peer.bare
            parameters["resource"] = peer.resource
        if wanted.text is not None:
            if not (words := asked(wanted.text)):
                return None
            parameters["query"] = self._search.query(owner, words)
        has_resource = peer is not None and peer.resource is not None
        return _Kind(peer is not None, has_resource, wanted.text is not None), parameters

    def _page(self, kind: _Kind) -> Select[*tuple[Any, ...]]:
        resource = (_RESOURCE,) if kind.resource else ()
        if kind.text:
            peer = (_PEER,) if kind.peer else ()
            return self._found().where(_checked(_OWN, *peer, *resource), SEEN)
        if kind.peer:
            rows = conversation_of(bindparam("number"), *resource)
            return select(*_COLUMNS).where(*rows, *_BETWEEN, SEEN)
        return select(*_COLUMNS).where(_OWN, *_BETWEEN, SEEN)

    def _key(self, kind: _Kind) -> ColumnElement[int]:
        """The id, in the table that gives rows in its order."""
        return literal_column(self._search.id, archive.c.id.type) if kind.text else archive.c.id

    def _found(self) -> Select[*tuple[Any, ...]]:
        """Search first, then fetch: words have their owner in them, so all that is found is the owner's."""
        words = any_table("archive_words", column("words"))
        key = self._key(_Kind(peer=False, resource=False, text=True))
        return (
            select(*_COLUMNS)
            .select_from(words)
            .join(archive, archive.c.id == key)
            .where(
                sql(self._search.match),
                key > bindparam("after"),
                key < bindparam("before"),
            )
        )


_KINDS = tuple(
    _Kind(peer, resource, text)
    for peer, resource in ((False, False), (True, False), (True, True))
    for text in (False, True)
)


@lru_cache(maxsize=65536)
def conversation(owner: JID, peer: JID) -> int:
    """The number under which what two bare addresses wrote is found; others may have the same."""
    return crc32(f"{owner} {peer}".encode()) - 2**31


def _bounded(id: int) -> int:
    """What a database can compare with."""
    return max(-_LAST, min(id, _LAST))


def _to_message(row: Row) -> ArchivedMessage:
    id, peer, resource, outgoing, xml, body, origin = row
    address = JID.parse(peer) if resource is None else JID.parse(f"{peer}/{resource}")
    return ArchivedMessage(id, address, bool(outgoing), xml, body, origin)
