"""The contract of `AccountStore`."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from commonroom.protocol.jid import JID
from commonroom.storage.connection import Connection
from commonroom.storage.database import Database
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import (
    Account,
    AccountChange,
    AccountState,
    ArchiveDefault,
    ArchivePreferences,
    Device,
    LastActivity,
    PushService,
    StoredUser,
)
from commonroom.storage.statements import Statement
from commonroom.storage.stores import sql_stores
from commonroom.storage.tables import metadata
from tests.storage.conftest import Backend, Run
from tests.storage.samples import CREATED, IDS, JULIET, NURSE, ROMEO, SHA1, SHA256, SHA512, account, item


def test_an_account_that_nobody_made_is_not_there(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.accounts.get(JULIET) is None
        assert await stores.accounts.exists(JULIET) is False
        assert await stores.accounts.page(None, None, 10) == ()

    run(scenario)


def test_writes_for_an_account_that_does_not_exist_are_dropped(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.rosters.put(JULIET, item())
        stores.rosters.remove(JULIET, ROMEO, 2)
        stores.offline.add(JULIET, next(IDS), CREATED, "<message/>")
        stores.private.put(JULIET, "urn:a", "b", "<b xmlns='urn:a'/>")
        stores.last_activity.put(JULIET, LastActivity(CREATED, ""))
        stores.accounts.disable(JULIET, True)
        stores.accounts.remove(JULIET)
        await stores.writes.flushed()
        assert await stores.accounts.changed_since(0) == ()
        stores.accounts.put(account())
        await stores.writes.flushed()
        await assert_empty(stores)

    run(scenario)


def test_a_naive_time_is_refused(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        with pytest.raises(TypeError):
            stores.offline.add(JULIET, next(IDS), datetime(2024, 1, 1), "<message/>")
        with pytest.raises(TypeError):
            stores.last_activity.put(JULIET, LastActivity(datetime(2024, 1, 1), ""))
        with pytest.raises(TypeError):
            stores.accounts.put(Account(JULIET, (), datetime(2024, 1, 1)))

    run(scenario)


def test_an_account_is_returned_as_it_was_put(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET, SHA1, SHA256))
        stores.accounts.put(account(ROMEO, disabled=True))
        await stores.writes.flushed()
        assert await stores.accounts.get(JULIET) == replace(account(JULIET, SHA1, SHA256), changed=1)
        assert await stores.accounts.get(ROMEO) == replace(account(ROMEO, disabled=True), changed=2)
        assert await stores.accounts.exists(ROMEO)
        found = await stores.accounts.get(JULIET)
        assert found is not None
        assert type(found.jid) is JID

    run(scenario)


def test_a_time_is_the_same_moment_in_utc(run: Run) -> None:
    early = datetime(1969, 7, 20, 22, 17, 40, 999999, tzinfo=timezone(timedelta(hours=2)))

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(Account(JULIET, (), early))
        await stores.writes.flushed()
        found = await stores.accounts.get(JULIET)
        assert found is not None
        assert found.created == early

    run(scenario)


def test_an_account_that_is_put_again_keeps_its_data(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET, SHA1))
        await fill(stores, JULIET)
        stores.accounts.put(account(JULIET, SHA256))
        await stores.writes.flushed()
        user = await stores.users.load_user(JULIET)
        assert user.account is not None
        assert user.account.keys == (SHA256,)
        assert user.roster.items == (item(),)
        assert user.offline.count == 1

    run(scenario)


def test_an_account_is_disabled_and_enabled(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET, SHA1))
        stores.accounts.disable(JULIET, True)
        await stores.writes.flushed()
        assert await stores.accounts.get(JULIET) == replace(account(JULIET, SHA1, disabled=True), changed=2)
        stores.accounts.disable(JULIET, False)
        await stores.writes.flushed()
        assert await stores.accounts.get(JULIET) == replace(account(JULIET, SHA1), changed=3)

    run(scenario)


def test_removing_an_account_removes_all_that_is_kept_for_it_and_nothing_else(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for jid in (JULIET, NURSE):
            stores.accounts.put(account(jid))
            await fill(stores, jid)
        stores.accounts.remove(JULIET)
        await stores.writes.flushed()
        assert await stores.users.load_user(JULIET) == StoredUser()
        await assert_empty(stores)
        assert (await stores.users.load_user(NURSE)).roster.items == (item(),)
        assert await stores.private.get(NURSE, "urn:a", "b") is not None
        assert await stores.last_activity.get(NURSE) is not None

    run(scenario)


def test_removing_an_account_leaves_no_row_behind(backend: Backend) -> None:
    owned = [table for table in metadata.sorted_tables if "account_id" in table.c]
    assert len(owned) >= 5

    def rows(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.rows(Statement(f"SELECT count(*) FROM {table.name}"), {})[0][0]
            for table in owned
        }

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        stores.accounts.put(account())
        await fill(stores, JULIET)
        assert await database.reader.read(rows) == {table.name: 1 for table in owned}
        stores.accounts.remove(JULIET)
        await stores.writes.flushed()
        assert await database.reader.read(rows) == {table.name: 0 for table in owned}
        await database.close()

    asyncio.run(main())


def test_an_account_that_is_made_again_starts_empty(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        await fill(stores, JULIET)
        stores.accounts.remove(JULIET)
        stores.accounts.put(account())
        await stores.writes.flushed()
        await assert_empty(stores)

    run(scenario)


def test_accounts_are_listed_by_code_point_whatever_the_language(run: Run) -> None:
    names = ["a-b", "a.b", "a", "a_b", "ab", "zoë", "é", "ß", "z", "1", "日本", "𠀀"]
    jids = [JID.parse(f"{name}@capulet.example") for name in names]

    async def scenario(stores: Stores) -> None:
        assert await stores.accounts.put_many(map(account, jids)) == len(jids)
        assert [found.jid for found in await stores.accounts.page(None, None, 100)] == sorted(jids)

    run(scenario)


def test_accounts_are_listed_by_pages_and_by_domain(run: Run) -> None:
    jids = sorted(
        JID.parse(f"user{n}@{domain}.example") for n in range(5) for domain in ("capulet", "montague")
    )
    of_capulet = [jid for jid in jids if jid.domain == "capulet.example"]

    async def page(stores: Stores, domain: str | None, after: JID | None) -> list[JID]:
        return [found.jid for found in await stores.accounts.page(domain, after, 3)]

    async def scenario(stores: Stores) -> None:
        await stores.accounts.put_many(map(account, jids))
        assert await page(stores, None, None) == jids[:3]
        assert await page(stores, None, jids[2]) == jids[3:6]
        assert await page(stores, None, jids[-1]) == []
        assert await page(stores, "capulet.example", None) == of_capulet[:3]
        assert await page(stores, "capulet.example", of_capulet[2]) == of_capulet[3:]
        assert await page(stores, "verona.example", None) == []

    run(scenario)


def test_a_running_service_learns_what_changed_in_the_order_of_the_changes(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.accounts.revision() == 0
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(ROMEO))
        stores.accounts.put(account(NURSE))
        await stores.writes.flushed()
        before = await stores.accounts.revision()
        stores.accounts.disable(NURSE, True)
        stores.accounts.remove(JULIET)
        stores.accounts.put(account(ROMEO, SHA256))
        await stores.writes.flushed()
        expected = (
            AccountChange(NURSE, AccountState.DISABLED, before + 1),
            AccountChange(JULIET, AccountState.REMOVED, before + 2),
            AccountChange(ROMEO, AccountState.ACTIVE, before + 3),
        )
        assert await stores.accounts.changed_since(before) == expected
        assert await stores.accounts.changed_since(before, limit=2) == expected[:2]
        assert await stores.accounts.changed_since(before + 2) == expected[2:]
        assert await stores.accounts.changed_since(before + 3) == ()
        assert await stores.accounts.revision() == before + 3

    run(scenario)


def test_a_running_service_learns_that_an_account_was_removed_and_made_again(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.remove(JULIET)
        stores.accounts.put(account(JULIET))
        await stores.writes.flushed()
        assert await stores.accounts.changed_since(1) == (
            AccountChange(JULIET, AccountState.REMOVED, 2),
            AccountChange(JULIET, AccountState.ACTIVE, 3),
        )

    run(scenario)


def test_each_of_many_imported_accounts_has_its_own_revision(run: Run) -> None:
    jids = [JID.parse(f"user{n}@capulet.example") for n in range(7)]

    async def scenario(stores: Stores) -> None:
        assert await stores.accounts.put_many([]) == 0
        await stores.accounts.put_many(map(account, jids))
        changes = await stores.accounts.changed_since(0)
        assert [(change.jid, change.revision) for change in changes] == [
            (jid, number) for number, jid in enumerate(jids, 1)
        ]

    run(scenario)


def test_keys_are_not_added_to_what_is_not_as_it_was(run: Run) -> None:
    """Not of a former password, not of one that is kept elsewhere, not twice."""

    async def scenario(stores: Stores) -> None:
        for accounts in ((account(JULIET, SHA1),), (account(JULIET, SHA1),), (account(NURSE),)):
            stores.accounts.put(*accounts)
        stores.accounts.put(account(ROMEO, SHA256))
        stores.accounts.disable(ROMEO, True)
        stores.accounts.add_keys(JULIET, SHA256, 1)
        stores.accounts.add_keys(JULIET, SHA256, 3)
        stores.accounts.add_keys(NURSE, SHA256, 3)
        stores.accounts.add_keys(ROMEO, SHA1, 4)
        stores.accounts.add_keys(JID.parse("tybalt@capulet.example"), SHA256, 5)
        await stores.writes.flushed()
        assert [found.keys for found in await stores.accounts.page(None, None, 9)] == [(SHA1,), (), (SHA256,)]
        stores.accounts.add_keys(JULIET, replace(SHA1, salt=b"other"), 2)
        await stores.writes.flushed()
        found = await stores.accounts.get(JULIET)
        assert found is not None
        assert found.keys == (SHA1,)

    run(scenario)


def test_keys_that_are_added_are_no_change_of_the_account(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(NURSE, SHA256))
        stores.accounts.put(account(JULIET, SHA256))
        stores.accounts.add_keys(JULIET, SHA1, 2)
        stores.accounts.add_keys(JULIET, SHA512, 2)
        stores.accounts.add_keys(JULIET, replace(SHA512, salt=b"other"), 2)  # another client was faster
        await stores.writes.flushed()
        assert await stores.accounts.get(JULIET) == replace(account(JULIET, SHA256, SHA1, SHA512), changed=2)
        assert await stores.accounts.get(NURSE) == replace(account(NURSE, SHA256), changed=1)
        assert await stores.accounts.revision() == 2
        assert await stores.accounts.changed_since(2) == ()

    run(scenario)


async def fill(stores: Stores, jid: JID) -> None:
    """Leave something in every table."""
    stores.rosters.put(jid, item())
    stores.rosters.remove(jid, NURSE, 7)
    stores.offline.add(jid, next(IDS), CREATED, "<message/>")
    stores.private.put(jid, "urn:a", "b", "<b xmlns='urn:a'/>")
    stores.last_activity.put(jid, LastActivity(CREATED, "Good night!"))
    stores.preferences.put(jid, ArchivePreferences(ArchiveDefault.NEVER))
    stores.pushes.put(jid, PushService(NURSE, "node", ""))
    stores.devices.put(jid, Device("phone", "", "", CREATED, CREATED, True))
    await stores.writes.flushed()


async def assert_empty(stores: Stores) -> None:
    """Nothing is kept for Juliet."""
    user = await stores.users.load_user(JULIET)
    assert (user.roster, user.offline) == (StoredUser().roster, StoredUser().offline)
    assert await stores.rosters.load(JULIET) == StoredUser().roster
    assert await stores.offline.load(JULIET, 10) == ()
    assert await stores.private.get(JULIET, "urn:a", "b") is None
    assert await stores.private.size(JULIET) == 0
    assert await stores.last_activity.get(JULIET) is None
    assert await stores.devices.load(JULIET) == ()
