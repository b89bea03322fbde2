"""XEP-0045: rooms that outlive their occupants, in tables."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, or_, select, true, update

from commonroom.protocol.jid import JID
from commonroom.storage.archive_owners import ArchiveOwners
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.room_records import (
    RoomAffiliation,
    RoomGrave,
    RoomHead,
    RoomRequest,
    StoredRoom,
    StoredSubject,
)
from commonroom.storage.stamps import from_stamp, to_stamp
from commonroom.storage.statements import Parameters, Row
from commonroom.storage.tables import room as table
from commonroom.storage.tables import room_affiliation as lists
from commonroom.storage.tables import room_grave as graves
from commonroom.storage.tables import room_request as requests

_COLUMNS = tuple(c for c in table.columns if c.name not in ("id", "domain", "vcard"))
_ONE = table.c.address == bindparam("address")
_LISTED = ("jid", "affiliation", "nick", "reason", "version")


class SqlRoomStore:
    """See `interfaces.RoomStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._archives = ArchiveOwners(database)
        compiled = database.statement
        wanted = _wanted()
        self._load = compiled(select(*_COLUMNS).where(_ONE))
        self._lists = compiled(_lists())
        self._grave = compiled(select(graves).where(graves.c.address == bindparam("address")))
        self._page = compiled(
            select(*_COLUMNS)
            .where(*wanted, table.c.address > bindparam("behind"))
            .order_by(table.c.address)
            .limit(bindparam("limit"))
        )
        self._count = compiled(select(func.count()).select_from(table).where(*wanted))
        self._alike = compiled(_alike())
        self._of = compiled(_of())
        self._mentioning = compiled(_mentioning())
        self._unused = compiled(_unused())
        self._put = database.upsert(table, ["address"], _new(table))
        self._vcard = compiled(select(table.c.vcard).where(_ONE))
        self._put_vcard = compiled(
            update(table).where(_ONE).values(vcard=bindparam("xml", type_=table.c.vcard.type))
        )
        self._put_affiliation = database.upsert(lists, ["room_id", "jid"], _new_affiliation())
        self._remove_affiliation = compiled(
            delete(lists).where(
                lists.c.room_id == select(table.c.id).where(_ONE).scalar_subquery(),
                lists.c.jid == bindparam("jid"),
            )
        )
        self._remove = compiled(delete(table).where(_ONE))
        self._bury = database.upsert(graves, ["address"], _new(graves))
        self._dig_up = compiled(delete(graves).where(graves.c.address == bindparam("address")))
        self._forget = compiled(delete(graves).where(graves.c.stamp < bindparam("before")))
        self._request = database.add_missing(requests, _new(requests))
        self._requests = compiled(_requests())
        self._settle = compiled(delete(requests).where(requests.c.address == bindparam("address")))

    async def load(self, room: JID) -> StoredRoom | RoomGrave | None:
        """Read a room, or that it was destroyed."""
        one = {"address": room}

        def load(connection: Connection) -> StoredRoom | RoomGrave | None:
            if rows := connection.rows(self._load, one):
                found = connection.rows(self._lists, one)
                return StoredRoom(_to_head(rows[0]), tuple(map(_to_affiliation, found)))
            rows = connection.rows(self._grave, one)
            return _to_grave(rows[0]) if rows else None

        return await self._reader.read(load)

    async def page(
        self, domain: str, after: JID | None, limit: int, public: bool = False, words: str = ""
    ) -> tuple[RoomHead, ...]:
        """List the rooms of a domain by address."""
        parameters = {**_wanting(domain, public, words), "behind": after or "", "limit": limit}
        return await self._heads(self._page, parameters)

    async def count(self, domain: str, public: bool = False, words: str = "") -> int:
        """Count them."""
        parameters = _wanting(domain, public, words)
        return await self._reader.read(lambda c: int(c.rows(self._count, parameters)[0][0]))

    async def alike(self, domain: str, skeleton: str, limit: int) -> tuple[JID, ...]:
        """List the rooms whose names look like that."""
        return await self._addresses(self._alike, {"domain": domain, "skeleton": skeleton, "limit": limit})

    async def of(self, person: JID, affiliation: str, limit: int) -> tuple[JID, ...]:
        """List the rooms in which somebody has this affiliation."""
        return await self._addresses(self._of, {"jid": person, "affiliation": affiliation, "limit": limit})

    async def mentioning(self, domain: str, person: JID) -> tuple[JID, ...]:
        """List the rooms that know somebody."""
        named = _escaped(json.dumps(person, ensure_ascii=False))
        parameters = {"domain": domain, "jid": person, "named": f"%{named}%"}
        return await self._addresses(self._mentioning, parameters)

    async def unused(
        self, domain: str, before: datetime, limit: int, after: datetime | None = None
    ) -> tuple[RoomHead, ...]:
        """List those where somebody was last between these moments."""
        since = -1 if after is None else to_stamp(after)
        return await self._heads(
            self._unused, {"domain": domain, "before": to_stamp(before), "since": since, "limit": limit}
        )

    def put(self, room: RoomHead, lists: Sequence[RoomAffiliation] = ()) -> None:
        """Make or replace a room, with an archive, and some of its lists."""
        self._writer.append_together(
            (self._put, (_to_row(room),)),
            (self._archives.add, ({"owner": room.address},)),
            (self._dig_up, ({"address": room.address},)),
            *((self._put_affiliation, (_to_entry(room.address, entry),)) for entry in lists),
        )

    async def vcard(self, room: JID) -> str | None:
        """What a room shows of itself."""
        rows = await self._reader.read(lambda c: c.rows(self._vcard, {"address": room}))
        return rows[0][0] if rows else None

    def put_vcard(self, room: JID, xml: str | None) -> None:
        """Keep it."""
        self._writer.append(self._put_vcard, {"address": room, "xml": xml})

    def put_affiliation(self, room: JID, affiliation: RoomAffiliation) -> None:
        """Add or replace somebody in a room's lists."""
        self._writer.append(self._put_affiliation, _to_entry(room, affiliation))

    def remove_affiliation(self, room: JID, jid: JID) -> None:
        """Keep nothing of somebody."""
        self._writer.append(self._remove_affiliation, {"address": room, "jid": jid})

    def remove(self, room: JID) -> None:
        """Remove a room; the database removes its lists."""
        self._writer.append_together(
            (self._remove, ({"address": room},)), (self._archives.leave, ({"owner": room},))
        )

    def bury(self, grave: RoomGrave) -> None:
        """Remove a room, and keep in mind that it was destroyed."""
        row: Parameters = {
            "address": grave.address,
            "stamp": to_stamp(grave.stamp),
            "reason": grave.reason,
            "alternate": grave.alternate,
        }
        self._writer.append_together(
            (self._remove, ({"address": grave.address},)),
            (self._archives.leave, ({"owner": grave.address},)),
            (self._bury, (row,)),
        )

    def forget_graves(self, before: datetime) -> None:
        """Forget who was destroyed before."""
        self._writer.append(self._forget, {"before": to_stamp(before)})

    def request(self, request: RoomRequest) -> None:
        """Note that somebody would like a room."""
        row: Parameters = {
            "address": request.address,
            "domain": request.address.domain,
            "requester": request.requester,
            "stamp": to_stamp(request.stamp),
        }
        self._writer.append(self._request, row)

    async def requests(self, domain: str) -> tuple[RoomRequest, ...]:
        """List those."""
        rows = await self._reader.read(lambda c: c.rows(self._requests, {"domain": domain}))
        return tuple(
            RoomRequest(JID.parse(address), JID.parse(requester), from_stamp(stamp))
            for address, requester, stamp in rows
        )

    def settle(self, room: JID) -> None:
        """Such a request was answered."""
        self._writer.append(self._settle, {"address": room})

    async def _heads(self, statement: Any, parameters: Parameters) -> tuple[RoomHead, ...]:
        return await self._reader.read(lambda c: tuple(map(_to_head, c.rows(statement, parameters))))

    async def _addresses(self, statement: Any, parameters: Parameters) -> tuple[JID, ...]:
        rows: Sequence[Row] = await self._reader.read(lambda c: c.rows(statement, parameters))
        return tuple(sorted(JID.parse(address) for (address,) in rows))


def _wanted() -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.domain == bindparam("domain"),
        table.c.public >= bindparam("public"),
        table.c.words.like(bindparam("words"), escape="\\"),
    )


def _wanting(domain: str, public: bool, words: str) -> Parameters:
    return {"domain": domain, "public": int(public), "words": f"%{_escaped(words)}%"}


def _escaped(words: str) -> str:
    for special in "\\%_":
        words = words.replace(special, f"\\{special}")
    return words


def _lists() -> Select[*tuple[Any, ...]]:
    return (
        select(*(lists.c[name] for name in _LISTED))
        .join(table, table.c.id == lists.c.room_id)
        .where(_ONE)
        .order_by(lists.c.jid)
    )


def _alike() -> Select[*tuple[Any, ...]]:
    return (
        select(table.c.address)
        .where(table.c.skeleton == bindparam("skeleton"), table.c.domain == bindparam("domain"))
        .order_by(table.c.address)
        .limit(bindparam("limit"))
    )


def _of() -> Select[*tuple[Any, ...]]:
    return (
        select(table.c.address)
        .join(lists, table.c.id == lists.c.room_id)
        .where(lists.c.jid == bindparam("jid"), lists.c.affiliation == bindparam("affiliation"))
        .limit(bindparam("limit"))
    )


def _mentioning() -> Select[*tuple[Any, ...]]:
    listed = select(lists.c.room_id).where(lists.c.jid == bindparam("jid"))
    named = table.c.config.like(bindparam("named"), escape="\\")
    return select(table.c.address).where(
        table.c.domain == bindparam("domain"), or_(table.c.id.in_(listed), named)
    )


def _unused() -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS)
        .where(
            table.c.used < bindparam("before"),
            table.c.used > bindparam("since"),
            table.c.domain == bindparam("domain"),
        )
        .order_by(table.c.used)
        .limit(bindparam("limit"))
    )


def _requests() -> Select[*tuple[Any, ...]]:
    return (
        select(requests.c.address, requests.c.requester, requests.c.stamp)
        .where(requests.c.domain == bindparam("domain"))
        .order_by(requests.c.address)
    )


def _new(made: Any) -> Select[*tuple[Any, ...]]:
    """A row of parameters."""
    columns = (c for c in made.columns if c.name not in ("id", "vcard"))
    return select(*(bindparam(c.name, type_=c.type).label(c.name) for c in columns)).where(true())


def _new_affiliation() -> Select[*tuple[Any, ...]]:
    """A row of a room's lists; none, if there is no such room."""
    values = (bindparam(name, type_=lists.c[name].type).label(name) for name in _LISTED)
    return select(table.c.id.label("room_id"), *values).where(_ONE)


def _to_row(room: RoomHead) -> Parameters:
    subject = room.subject
    return {
        "address": room.address,
        "domain": room.address.domain,
        "public": int(room.public),
        "words": room.words,
        "skeleton": room.skeleton,
        "config": room.config,
        "occupant_key": room.occupant_key,
        "created": to_stamp(room.created),
        "used": to_stamp(room.used),
        "version": room.version,
        "subject": None if subject is None else subject.xml,
        "subject_stamp": None if subject is None else to_stamp(subject.stamp),
    }


def _to_entry(room: JID, affiliation: RoomAffiliation) -> Parameters:
    return {"address": room, **{name: getattr(affiliation, name) for name in _LISTED}}


def _to_head(row: Row) -> RoomHead:
    address, public, words, skeleton, config, key, created, used, version, subject, stamp = row
    return RoomHead(
        JID.parse(address),
        config,
        bool(public),
        words,
        skeleton,
        bytes(key),
        from_stamp(created),
        from_stamp(used),
        version,
        None if subject is None else StoredSubject(subject, from_stamp(stamp)),
    )


def _to_affiliation(row: Row) -> RoomAffiliation:
    jid, affiliation, nick, reason, version = row
    return RoomAffiliation(JID.parse(jid), affiliation, nick, reason, version)


def _to_grave(row: Row) -> RoomGrave:
    address, stamp, reason, alternate = row
    other = None if alternate is None else JID.parse(alternate)
    return RoomGrave(JID.parse(address), from_stamp(stamp), reason, other)
