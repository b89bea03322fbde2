"""The contract of `OfflineStore` (XEP-0160)."""

from datetime import timedelta

from commonroom.storage.interfaces import Stores
from commonroom.storage.records import OfflineUsage
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, IDS, JULIET, NURSE, account


async def stanzas(stores: Stores, limit: int = 100, after: int = 0) -> list[str]:
    return [message.xml for message in await stores.offline.load(JULIET, limit, after)]


def test_nothing_waits_for_an_account_that_got_nothing(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        await stores.writes.flushed()
        assert await stores.offline.load(JULIET, 10) == ()
        assert await stores.offline.usage(JULIET) == OfflineUsage(0, 0)
        stores.offline.remove(JULIET, 10)
        stores.offline.remove_all(JULIET)
        await stores.writes.flushed()

    run(scenario)


def test_xep0160_2_messages_come_back_in_the_order_in_which_they_came(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        for number in range(5):  # the clock steps back meanwhile
            stores.offline.add(
                JULIET, next(IDS), CREATED - timedelta(seconds=number), f"<message id='{number}'/>"
            )
        await stores.writes.flushed()
        messages = await stores.offline.load(JULIET, 10)
        assert [(message.stamp, message.xml) for message in messages] == [
            (CREATED - timedelta(seconds=number), f"<message id='{number}'/>") for number in range(5)
        ]
        assert await stanzas(stores, limit=2) == [messages[0].xml, messages[1].xml]
        assert await stanzas(stores, limit=2, after=messages[1].id) == [messages[2].xml, messages[3].xml]

    run(scenario)


def test_usage_counts_bytes(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.offline.add(JULIET, next(IDS), CREATED, "<body>é</body>")
        stores.offline.add(JULIET, next(IDS), CREATED, "<body>🐈</body>")
        await stores.writes.flushed()
        assert await stores.offline.usage(JULIET) == OfflineUsage(2, 15 + 17)

    run(scenario)


def test_what_was_fetched_is_removed_and_what_came_meanwhile_stays(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.offline.add(JULIET, next(IDS), CREATED, "<first/>")
        stores.offline.add(JULIET, next(IDS), CREATED, "<second/>")
        await stores.writes.flushed()
        fetched = await stores.offline.load(JULIET, 10)
        stores.offline.add(JULIET, next(IDS), CREATED, "<third/>")
        stores.offline.remove(JULIET, fetched[0].id)
        await stores.writes.flushed()
        assert await stanzas(stores) == ["<second/>", "<third/>"]
        stores.offline.remove(JULIET, fetched[1].id)
        await stores.writes.flushed()
        assert await stanzas(stores) == ["<third/>"]

    run(scenario)


def test_a_late_removal_never_meets_a_message_that_came_after_it(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.offline.add(JULIET, next(IDS), CREATED, "<old/>")
        await stores.writes.flushed()
        (old,) = await stores.offline.load(JULIET, 10)
        stores.offline.remove_all(JULIET)
        stores.offline.add(JULIET, next(IDS), CREATED, "<new/>")
        stores.offline.remove(JULIET, old.id)
        await stores.writes.flushed()
        assert await stanzas(stores) == ["<new/>"]

    run(scenario)


def test_accounts_do_not_touch_each_other(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.offline.add(JULIET, next(IDS), CREATED, "<to-juliet/>")
        stores.offline.add(NURSE, next(IDS), CREATED, "<to-nurse/>")
        await stores.writes.flushed()
        (for_nurse,) = await stores.offline.load(NURSE, 10)
        stores.offline.remove(NURSE, for_nurse.id)
        await stores.writes.flushed()
        assert await stanzas(stores) == ["<to-juliet/>"]
        assert await stores.offline.usage(NURSE) == OfflineUsage(0, 0)
        stores.offline.remove_all(NURSE)
        await stores.writes.flushed()
        assert await stanzas(stores) == ["<to-juliet/>"]

    run(scenario)
