"""The contract of `ListedStore`."""

from dataclasses import replace

from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import Account, ArchivedMessage, ArchiveFilter, Conversation, Renaming
from commonroom.storage.stamps import from_stamp, to_stamp
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, IDS, JULIET, NURSE, ROMEO, SHA256, item

TYBALT = JID.parse("tybalt@capulet.example")
NOW = to_stamp(CREATED)


def listed(jid: JID) -> Account:
    return Account(jid, (), CREATED, origin="people")


async def put(stores: Stores, *accounts: Account) -> int:
    for account in accounts:
        stores.accounts.put(account)
    await stores.writes.flushed()
    return await stores.accounts.revision()


async def get(stores: Stores, jid: JID) -> Account:
    await stores.writes.flushed()
    found = await stores.accounts.get(jid)
    assert found is not None
    return found


def test_accounts_that_are_not_there_or_not_listed_are_left_alone(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        before = await put(stores, Account(ROMEO, (SHA256,), CREATED))
        stores.listed.depart([ROMEO, NURSE], NOW)
        stores.listed.restore([ROMEO, NURSE])
        stores.listed.keep_keys(ROMEO, [], "none")
        stores.listed.rename([Renaming(NURSE, JULIET)])
        assert await get(stores, ROMEO) == Account(ROMEO, (SHA256,), CREATED, changed=before)
        assert await stores.accounts.get(JULIET) is None
        assert await stores.listed.page(None, 10) == ()

    run(scenario)


def test_an_account_departs_once_and_comes_back(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        before = await put(stores, listed(JULIET), listed(NURSE))
        stores.listed.depart([JULIET], NOW)
        gone = await get(stores, JULIET)
        assert gone.departed == CREATED
        assert gone.changed > before
        stores.listed.depart([JULIET, NURSE], NOW + 1)
        assert (await get(stores, JULIET)) == gone
        assert [a.jid for a in await stores.listed.departed(NOW + 2, 10)] == [JULIET, NURSE]
        assert [a.jid for a in await stores.listed.departed(NOW + 2, 1)] == [JULIET]
        assert [a.jid for a in await stores.listed.departed(NOW + 1, 10)] == [JULIET]
        stores.listed.restore([JULIET])
        back = await get(stores, JULIET)
        assert back.departed is None
        assert back.changed > gone.changed
        assert (await get(stores, NURSE)).departed == from_stamp(NOW + 1)

    run(scenario)


def test_each_of_many_that_change_at_once_gets_a_revision_of_its_own(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        before = await put(stores, listed(JULIET), listed(NURSE))
        stores.listed.outdate([JULIET, NURSE])
        await stores.writes.flushed()
        changes = await stores.accounts.changed_since(before)
        assert [(c.jid, c.revision) for c in changes] == [(JULIET, before + 1), (NURSE, before + 2)]

    run(scenario)


def test_derived_keys_are_kept_until_the_hash_changes_and_change_nothing_else(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        before = await put(stores, listed(JULIET))
        stores.listed.keep_keys(JULIET, [SHA256], "a hash")
        found = await get(stores, JULIET)
        assert found == replace(listed(JULIET), keys=(SHA256,), verifier="a hash", changed=before)
        stores.listed.outdate([JULIET])
        found = await get(stores, JULIET)
        assert (found.keys, found.verifier) == ((), "")

    run(scenario)


def test_a_renamed_account_takes_everything_along(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        before = await put(stores, listed(JULIET))
        stores.rosters.put(JULIET, item(NURSE))
        stores.archive.append(JULIET, ArchivedMessage(next(IDS), NURSE, False, "<message/>"))
        stores.listed.rename([Renaming(JULIET, ROMEO)])
        moved = await get(stores, ROMEO)
        assert moved.changed > before
        assert await stores.accounts.get(JULIET) is None
        assert [i.jid for i in (await stores.rosters.load(ROMEO)).items] == [NURSE]
        assert await stores.archive.count(ROMEO, ArchiveFilter(), 10) == 1
        assert await stores.archive.count(JULIET, ArchiveFilter(), 10) == 0
        assert [a.jid for a in await stores.accounts.page(ROMEO.domain, None, 10)] == [ROMEO]

    run(scenario)


def test_what_was_written_before_a_renaming_is_found_by_peer_when_it_was_readdressed(run: Run) -> None:
    at_home = NURSE.with_resource("home")

    async def scenario(stores: Stores) -> None:
        await put(stores, listed(JULIET))
        for peer in (NURSE, at_home, NURSE, TYBALT):
            stores.archive.append(JULIET, ArchivedMessage(next(IDS), peer, False, "<message/>"))
        stores.archive.erase(JULIET, TYBALT)
        stores.listed.rename([Renaming(JULIET, ROMEO)])
        await stores.writes.flushed()
        was, now = Conversation(JULIET, NURSE), Conversation(ROMEO, NURSE)
        assert NURSE in await stores.upkeep.peers(ROMEO)
        found = await stores.upkeep.having(ROMEO, [Conversation(JULIET, TYBALT), was])
        assert found == (was,)
        assert await stores.upkeep.having(TYBALT, [was]) == ()
        moved = [await stores.upkeep.readdress(was, now, 2) for _ in range(3)]
        assert sum(moved) in (0, 3)  # there is nothing to do in memory
        assert await stores.archive.count(ROMEO, ArchiveFilter(NURSE), 10) == 3
        assert await stores.archive.count(ROMEO, ArchiveFilter(at_home), 10) == 1
        erased = Conversation(JULIET, TYBALT), Conversation(ROMEO, TYBALT)
        assert await stores.upkeep.readdress(*erased, 10) == 0
        while await stores.upkeep.purge(10):
            pass
        assert await stores.archive.count(ROMEO, ArchiveFilter(TYBALT), 10) == 0
        assert await stores.upkeep.readdress(now, now, 10) == 0

    run(scenario)


def test_a_peer_has_another_address(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await put(stores, listed(JULIET))
        stores.archive.append(
            JULIET, ArchivedMessage(next(IDS), NURSE.with_resource("x"), False, "<message/>")
        )
        await stores.writes.flushed()
        was, now = Conversation(JULIET, NURSE), Conversation(JULIET, ROMEO)
        assert await stores.upkeep.readdress(was, now, 10) == 1
        assert await stores.upkeep.peers(JULIET) == (ROMEO,)
        assert await stores.archive.count(JULIET, ArchiveFilter(ROMEO.with_resource("x")), 10) == 1
        assert await stores.archive.count(JULIET, ArchiveFilter(NURSE), 10) == 0

    run(scenario)


def test_two_accounts_change_places(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await put(stores, listed(JULIET), listed(NURSE))
        stores.rosters.put(JULIET, item(ROMEO))
        stores.archive.append(NURSE, ArchivedMessage(next(IDS), ROMEO, False, "<message/>"))
        stores.listed.rename([Renaming(JULIET, NURSE), Renaming(NURSE, JULIET)])
        await stores.writes.flushed()
        assert [i.jid for i in (await stores.rosters.load(NURSE)).items] == [ROMEO]
        assert (await stores.rosters.load(JULIET)).items == ()
        assert await stores.archive.count(JULIET, ArchiveFilter(), 10) == 1
        assert await stores.archive.count(NURSE, ArchiveFilter(), 10) == 0

    run(scenario)


def test_an_address_of_one_that_departed_is_free_and_empty(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await put(stores, listed(JULIET), listed(NURSE))
        stores.rosters.put(NURSE, item(ROMEO))
        stores.archive.append(NURSE, ArchivedMessage(next(IDS), ROMEO, False, "<message/>"))
        stores.listed.depart([NURSE], NOW)
        stores.listed.rename([Renaming(JULIET, NURSE)])
        found = await get(stores, NURSE)
        assert found.departed is None
        assert (await stores.rosters.load(NURSE)).items == ()
        assert await stores.archive.count(NURSE, ArchiveFilter(), 10) == 0

    run(scenario)


def test_an_address_that_another_account_has_stays_with_it(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await put(stores, listed(JULIET), Account(NURSE, (SHA256,), CREATED))
        stores.rosters.put(JULIET, item(ROMEO))
        stores.archive.append(JULIET, ArchivedMessage(next(IDS), ROMEO, False, "<message/>"))
        stores.listed.rename([Renaming(JULIET, NURSE)])
        assert (await get(stores, NURSE)).keys == (SHA256,)
        assert (await get(stores, JULIET)).origin == "people"
        assert await stores.archive.count(JULIET, ArchiveFilter(), 10) == 1

    run(scenario)
