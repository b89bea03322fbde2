"""The contract of `LastActivityStore` (XEP-0012)."""

from datetime import timedelta

from commonroom.storage.interfaces import Stores
from commonroom.storage.records import LastActivity
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, JULIET, NURSE, account


def test_an_account_that_was_never_online_has_none(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        await stores.writes.flushed()
        assert await stores.last_activity.get(JULIET) is None
        assert await stores.last_activity.get(NURSE) is None

    run(scenario)


def test_xep0012_3_the_last_time_and_status_are_kept(run: Run) -> None:
    later = LastActivity(CREATED + timedelta(days=1), "Heading Home ¡")

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.last_activity.put(JULIET, LastActivity(CREATED, ""))
        stores.last_activity.put(JULIET, later)
        stores.last_activity.put(NURSE, LastActivity(CREATED, ""))
        await stores.writes.flushed()
        assert await stores.last_activity.get(JULIET) == later
        assert await stores.last_activity.get(NURSE) == LastActivity(CREATED, "")

    run(scenario)
