"""The contract of `UserLoader`."""

from dataclasses import replace

from commonroom.storage.interfaces import Stores
from commonroom.storage.records import OfflineUsage, StoredRoster, StoredUser
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, IDS, JULIET, NURSE, ROMEO, SHA1, account, item


def test_a_user_without_an_account_is_empty(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.users.load_user(JULIET) == StoredUser(None, StoredRoster(), OfflineUsage())

    run(scenario)


def test_a_login_gets_account_roster_and_usage_at_once(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET, SHA1))
        stores.accounts.put(account(ROMEO))
        stores.rosters.put(JULIET, item(ROMEO, 1))
        stores.rosters.put(ROMEO, item(JULIET, 9))
        stores.rosters.remove(JULIET, NURSE, 2)
        stores.offline.add(JULIET, next(IDS), CREATED, "<message/>")
        stores.offline.add(ROMEO, next(IDS), CREATED, "<message/>")
        await stores.writes.flushed()
        assert await stores.users.load_user(JULIET) == StoredUser(
            replace(account(JULIET, SHA1), changed=1),
            StoredRoster((item(ROMEO, 1),), 2, 2),
            OfflineUsage(1, len("<message/>")),
        )

    run(scenario)
