"""Rosters, in tables (RFC 6121 §2, §3)."""

import json
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import bindparam, delete, select

from commonroom.protocol.jid import JID
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.records import RosterItem, StoredRoster
from commonroom.storage.statements import Parameters, Query, Row, account_number, row_of_account
from commonroom.storage.tables import roster, roster_item

_COLUMNS = ("contact", "name", "groups", "state", "approved", "listed", "request", "version")
_STATES = {state.value: state for state in SubscriptionState}


class RosterReading:
    """The two queries that make a roster; a login joins them with others."""

    def __init__(self, database: Database) -> None:
        self._complete_from = database.statement(
            select(roster.c.complete_from).where(roster.c.account_id == account_number())
        )
        self._items = database.statement(
            select(*(roster_item.c[name] for name in _COLUMNS))
            .where(roster_item.c.account_id == account_number())
            .order_by(roster_item.c.contact)
        )

    def queries(self, account: JID) -> tuple[Query, Query]:
        """What to ask."""
        parameters = {"account": account}
        return Query(self._complete_from, parameters), Query(self._items, parameters)

    def roster(self, complete_from: Sequence[Row], items: Sequence[Row]) -> StoredRoster:
        """Read the answers. The last change was a removal, or that of the item with the highest version."""
        removed_at = complete_from[0][0] if complete_from else 0
        contacts = tuple(map(_to_item, items))
        version = max((item.version for item in contacts), default=0)
        return StoredRoster(contacts, max(version, removed_at), removed_at)


class SqlRosterStore:
    """See `interfaces.RosterStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._reading = RosterReading(database)
        self._put = database.upsert(roster_item, ["account_id", "contact"], row_of_account(roster_item))
        self._remove = database.statement(
            delete(roster_item).where(
                roster_item.c.account_id == account_number(), roster_item.c.contact == bindparam("contact")
            )
        )
        self._removed = database.upsert(roster, ["account_id"], row_of_account(roster))

    async def load(self, account: JID) -> StoredRoster:
        """Read a roster."""

        def load(connection: Connection) -> StoredRoster:
            complete_from, items = connection.rows_of(*self._reading.queries(account))
            return self._reading.roster(complete_from, items)

        return await self._reader.read(load)

    def put(self, account: JID, item: RosterItem) -> None:
        """Add or replace a contact."""
        self._writer.append(self._put, _to_row(account, item))

    def remove(self, account: JID, contact: JID, version: int) -> None:
        """Remove a contact, and note that older versions cannot be brought up to date by what is left."""
        self._writer.append_together(
            (self._remove, ({"account": account, "contact": contact},)),
            (self._removed, ({"account": account, "complete_from": version},)),
        )


def _to_row(account: JID, item: RosterItem) -> Parameters:
    return {
        "account": account,
        "contact": item.jid,
        "name": item.name,
        "groups": json.dumps(item.groups, ensure_ascii=False) if item.groups else "",
        "state": item.state.value,
        "approved": item.approved,
        "listed": item.listed,
        "request": item.request,
        "version": item.version,
    }


def _to_item(row: Row) -> RosterItem:
    contact, name, groups, state, approved, listed, request, version = row
    return RosterItem(
        JID.parse(contact),
        name,
        _to_groups(groups) if groups else (),
        _STATES[state],
        bool(approved),
        bool(listed),
        request,
        version,
    )


@lru_cache(maxsize=1024)
def _to_groups(text: str) -> tuple[str, ...]:
    """A roster has many contacts and few groups."""
    return tuple(json.loads(text))
