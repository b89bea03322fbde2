"""Retention (XEP-0313 §3.2): which messages are too old, and that the work is done in small steps."""

import asyncio
import time
from itertools import pairwise

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database
from commonroom.storage.interfaces import Stores
from commonroom.storage.memory import Memory, memory_stores
from commonroom.storage.records import EVERYTHING, ArchiveAge, ArchivedMessage, ArchiveFilter
from commonroom.storage.retention import STEP, KeepRule, KeepRules, Retention
from commonroom.storage.stores import sql_stores
from tests.storage.conftest import Backend, Run
from tests.storage.samples import JULIET, NURSE, ROMEO, account
from tests.storage.test_archive import archived, ids, message

FOREVER = KeepRule("otherwise", (), None)
HOUR = 3600 * 1_000_000


def rules(*given: KeepRule, otherwise: KeepRule = FOREVER) -> KeepRules:
    return KeepRules(given, otherwise)


def test_the_first_rule_that_fits_an_owner_counts() -> None:
    found = rules(
        KeepRule("boss", ("boss@s.example",), None),
        KeepRule("students", ("*@s.example", "guest-*@t.example"), 10),
        KeepRule("never", (), 1),
    )
    for address, name in (
        ("boss@s.example", "boss"),
        ("bossy@s.example", "students"),
        ("guest-1@t.example", "students"),
        ("guest@t.example", "otherwise"),
        ("a@sxexample", "otherwise"),
        ("a@b.s.example", "otherwise"),
    ):
        assert found.rule(JID.parse(address)).name == name, address


def test_a_star_is_the_only_sign_with_a_meaning() -> None:
    pattern = rules(KeepRule("one", ("a.[b]?+$@*",), 10))
    assert pattern.rule(JID.parse("a.[b]?+$@x.example")).name == "one"
    assert pattern.rule(JID.parse("axb@x.example")).name == "otherwise"


def test_a_message_expires_when_it_is_older_than_its_rule_keeps_it() -> None:
    found = rules(KeepRule("hour", ("juliet@*",), 3600))
    assert found.expired_before(JULIET, 5 * HOUR) == 4 * HOUR
    assert found.expired_before(JULIET, HOUR // 2) == 0
    assert found.expired_before(NURSE, 5 * HOUR) == 0


async def worked_off(retention: Retention) -> int:
    steps = 0
    while await retention.step():
        steps += 1
    return steps


def test_a_sweep_removes_what_is_too_old_and_nothing_else(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        found = rules(KeepRule("montague", ("*@montague.example",), None), otherwise=KeepRule("o", (), 3600))
        for owner, hours in ((JULIET, (1, 2, 3, 4, 5)), (ROMEO, (1, 2)), (NURSE, (5,))):
            start = {JULIET: 0, ROMEO: 1, NURSE: 2}[owner]
            await archived(stores, *(message(hour * HOUR + start) for hour in hours), owner=owner)
        now = 5 * HOUR
        retention = Retention(stores.upkeep, found, lambda: now)
        await worked_off(retention)
        assert await ids(stores) == [4 * HOUR, 5 * HOUR]
        assert len(await ids(stores, owner=ROMEO)) == 2
        assert len(await ids(stores, owner=NURSE)) == 1
        now = 6 * HOUR - 1
        assert await worked_off(retention) == 0  # the next sweep is not due yet
        now = 6 * HOUR
        await worked_off(retention)
        assert await ids(stores) == [5 * HOUR]

    run(scenario)


def test_a_step_is_bounded_and_a_sweep_does_many(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, *(message(id) for id in range(1, 3 * STEP + 2)))
        retention = Retention(stores.upkeep, rules(otherwise=KeepRule("o", (), 1)), lambda: HOUR)
        left = [await stores.archive.count(JULIET, EVERYTHING, 10_000)]
        while await retention.step():
            left.append(await stores.archive.count(JULIET, EVERYTHING, 10_000))
        assert all(0 <= before - after <= STEP for before, after in pairwise(left))
        assert left[-1] == 0

    run(scenario)


def test_a_sweep_goes_through_all_owners_by_address(run: Run) -> None:
    owners = [JID.parse(f"user{number:03}@capulet.example") for number in range(12)]

    async def scenario(stores: Stores) -> None:
        for number, owner in enumerate(owners):
            await archived(stores, *([message(number)] if number % 3 else []), owner=owner)
        expected = [ArchiveAge(owner, number) for number, owner in enumerate(owners) if number % 3]
        first = await stores.upkeep.ages(None, 5)
        assert [*first, *await stores.upkeep.ages(first[-1].owner, 5)] == expected
        assert await stores.upkeep.ages(owners[-1], 5) == ()

    run(scenario)


def test_when_everything_is_kept_no_archive_is_looked_at() -> None:
    async def main() -> None:
        stores = memory_stores(Memory())
        await archived(stores, message(1))
        assert rules().expire_nothing
        assert await worked_off(Retention(stores.upkeep, rules(), lambda: HOUR)) == 0
        assert await ids(stores) == [1]

    asyncio.run(main())


def test_erasing_goes_on_after_a_crash_in_between(backend: Backend) -> None:
    """Closing the database in the middle stands for the crash: each step is one transaction."""

    async def first() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        await archived(stores, *(message(id, body="word") for id in range(1, 51)))
        assert len(await ids(stores, ArchiveFilter(text="word"))) == 50
        stores.accounts.remove(JULIET)
        stores.accounts.put(account())
        stores.archive.append(JULIET, message(51, body="word"))
        await stores.writes.flushed()
        assert await stores.upkeep.purge(20) == 20
        await database.close()

    async def second() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        assert await ids(stores) == await ids(stores, ArchiveFilter(text="word")) == [51]
        assert [await stores.upkeep.purge(20) for _ in range(3)] == [20, 10, 0]
        assert await ids(stores) == await ids(stores, ArchiveFilter(text="word")) == [51]
        await database.close()

    asyncio.run(first())
    asyncio.run(second())


def test_a_message_does_not_wait_for_what_expires(backend: Backend) -> None:
    """What a step takes of the writer's thread, as seen by who appends meanwhile."""

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop(), commit_delay=0)
        stores = sql_stores(database)
        stores.accounts.put(account(NURSE))
        body = "some words of a message that somebody may look for one day"
        old = (ArchivedMessage(id, ROMEO, True, "<message>" + body * 4, body) for id in range(1, 3001))
        await archived(stores, *old)
        assert await stores.archive.count(JULIET, ArchiveFilter(text="words"), 10_000) == 3000
        retention = Retention(stores.upkeep, rules(otherwise=KeepRule("o", (), 1)), lambda: HOUR)
        work = asyncio.create_task(worked_off(retention))
        waited: list[float] = []
        new = HOUR
        while not work.done():
            new += 1
            begun = time.perf_counter()
            stores.archive.append(NURSE, message(new))
            await stores.writes.flushed()
            waited.append(time.perf_counter() - begun)
        assert await work >= 3000 // STEP
        assert len(waited) > 10
        # The median, because the machine may be busy with other things: here it is some 5 ms.
        assert sorted(waited)[len(waited) // 2] < 0.02
        assert await ids(stores) == []
        await database.close()

    asyncio.run(main())
