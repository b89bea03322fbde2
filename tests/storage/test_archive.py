"""The contract of `ArchiveStore` (XEP-0313)."""

from dataclasses import replace

import pytest

from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import (
    EVERYTHING,
    ArchiveBounds,
    ArchivedMessage,
    ArchiveFilter,
    ArchivePage,
)
from tests.storage.conftest import Run
from tests.storage.samples import JULIET, NURSE, ROMEO, account

ORCHARD = JID.parse("romeo@montague.example/orchard")
BALCONY = JID.parse("romeo@montague.example/balcony")
ROOM = JID.parse("hall@rooms.capulet.example")
NOBODY = JID.parse("rosaline@capulet.example")


def message(id: int, peer: JID = ORCHARD, body: str | None = None) -> ArchivedMessage:
    return ArchivedMessage(id, peer, id % 2 == 0, f"<message id='{id}'/>", body, f"origin-{id}")


async def archived(stores: Stores, *messages: ArchivedMessage, owner: JID = JULIET) -> None:
    stores.accounts.put(account(owner))
    for each in messages:
        stores.archive.append(owner, each)
    await stores.writes.flushed()


async def ids(
    stores: Stores, wanted: ArchiveFilter = EVERYTHING, limit: int = 100, owner: JID = JULIET
) -> list[int]:
    return [found.id for found in (await stores.archive.page(owner, wanted, limit)).messages]


async def purged(stores: Stores) -> None:
    while await stores.upkeep.purge(100):
        pass


def test_an_archive_that_nobody_has_is_empty_and_takes_nothing(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.archive.append(NOBODY, message(1, body="word"))
        stores.archive.replace(NOBODY, 1, "<gone/>")
        stores.archive.erase(NOBODY)
        stores.archive.erase(NOBODY, ROMEO)
        stores.archive.remove_owner(NOBODY)
        await stores.writes.flushed()
        for wanted in (EVERYTHING, ArchiveFilter(ROMEO), ArchiveFilter(text="word"), ArchiveFilter(ids=(1,))):
            assert await stores.archive.page(NOBODY, wanted, 10) == ArchivePage((), True)
            assert await stores.archive.count(NOBODY, wanted, 10) == 0
        assert await stores.archive.get(NOBODY, [1]) == ()
        assert await stores.archive.named(NOBODY, ROMEO, "origin-1", 10) == ()
        assert await stores.archive.recent(NOBODY, 0, 10) == ()
        assert await stores.archive.bounds(NOBODY) is None
        assert await stores.archive.last_id() == 0
        assert await stores.upkeep.expire(NOBODY, 10, 10) == 0

    run(scenario)


def test_an_id_is_never_used_twice_not_even_in_two_archives(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(NURSE))
        await archived(stores, message(1))
        with pytest.raises((StorageError, ValueError)):
            await archived(stores, message(1), owner=NURSE)
        assert await ids(stores) == [1]
        assert await ids(stores, owner=NURSE) == []

    run(scenario)


def test_xep0313_4_a_message_comes_back_as_it_was_archived(run: Run) -> None:
    kept = (
        message(1, ORCHARD, "what light"),
        message(2, ROMEO),
        ArchivedMessage(3, NURSE, True, "<m>\U0001f339 ' \" \\ \n</m>", "a\nb", None),
        message(2**53 + 1),
    )

    async def scenario(stores: Stores) -> None:
        await archived(stores, *kept)
        assert await stores.archive.page(JULIET, EVERYTHING, 10) == ArchivePage(kept, True)
        assert await stores.archive.get(JULIET, [2, 99, 1, 2]) == kept[:2]
        assert await stores.archive.bounds(JULIET) == ArchiveBounds(1, 2**53 + 1)
        assert await stores.archive.last_id() == 2**53 + 1

    run(scenario)


def test_nobody_sees_what_others_have(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1, body="secret"), message(2, body="secret"))
        await archived(stores, message(3, body="secret plan"), owner=NURSE)
        stores.archive.replace(NURSE, 1, "<tombstone/>")
        stores.archive.erase(NURSE, ROMEO)
        await stores.writes.flushed()
        await purged(stores)
        assert await ids(stores) == [1, 2]
        assert await ids(stores, owner=NURSE) == []
        assert (await stores.archive.get(JULIET, [1]))[0].xml == message(1).xml
        for wanted in (
            EVERYTHING,
            ArchiveFilter(ROMEO),
            ArchiveFilter(ids=(1, 2)),
            ArchiveFilter(text="secret"),
        ):
            assert await ids(stores, wanted, owner=NURSE) == []
            assert await stores.archive.count(NURSE, wanted, 10) == 0
        assert await stores.archive.get(NURSE, [1, 2]) == ()
        assert await stores.archive.named(NURSE, ROMEO, "origin-1", 10) == ()
        assert await ids(stores, ArchiveFilter(text="plan")) == []

    run(scenario)


def test_xep0313_4_3_pages_forwards_and_backwards_give_each_message_once(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, *(message(id) for id in range(1, 26)))
        forwards: list[int] = []
        page = ArchivePage((), False)
        while not page.complete:
            after = forwards[-1] if forwards else None
            page = await stores.archive.page(JULIET, ArchiveFilter(after=after), 10)
            forwards += [found.id for found in page.messages]
        assert forwards == list(range(1, 26))
        backwards: list[int] = []
        page = ArchivePage((), False)
        while not page.complete:
            before = backwards[0] if backwards else None
            page = await stores.archive.page(JULIET, ArchiveFilter(before=before), 10, backwards=True)
            backwards = [found.id for found in page.messages] + backwards
        assert backwards == list(range(1, 26))

    run(scenario)


def test_xep0313_4_1_a_page_of_exactly_the_limit_is_complete(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1), message(2))
        for backwards in (False, True):
            assert (await stores.archive.page(JULIET, EVERYTHING, 2, backwards)).complete
            assert not (await stores.archive.page(JULIET, EVERYTHING, 1, backwards)).complete
            assert await stores.archive.page(JULIET, EVERYTHING, 0, backwards) == ArchivePage((), False)

    run(scenario)


def test_xep0313_4_1_1_a_bare_peer_is_all_resources_a_full_one_is_itself(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(
            stores,
            message(1, ORCHARD),
            message(2, BALCONY),
            message(3, ROMEO),
            message(4, NURSE),
            message(5, ORCHARD),
        )
        assert await ids(stores, ArchiveFilter(ROMEO)) == [1, 2, 3, 5]
        assert await ids(stores, ArchiveFilter(ORCHARD)) == [1, 5]
        assert await ids(stores, ArchiveFilter(NURSE)) == [4]
        assert await ids(stores, ArchiveFilter(NOBODY)) == []
        assert await ids(stores, ArchiveFilter(ROMEO), 2) == [1, 2]

    run(scenario)


def test_xep0313_4_1_filters_hold_together_and_their_bounds_are_exclusive(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        peers = (ORCHARD, NURSE)
        await archived(stores, *(message(id, peers[id % 2], f"word{id % 3} all") for id in range(1, 13)))
        for wanted, expected in (
            (ArchiveFilter(after=3, before=8), [4, 5, 6, 7]),
            (ArchiveFilter(after=8, before=3), []),
            (ArchiveFilter(ROMEO, 3, 8), [4, 6]),
            (ArchiveFilter(ORCHARD, 3, 8), [4, 6]),
            (ArchiveFilter(after=-5), list(range(1, 13))),
            (ArchiveFilter(before=2**70), list(range(1, 13))),
            (ArchiveFilter(ids=(4, 5, 99)), [4, 5]),
            (ArchiveFilter(ROMEO, 4, None, (4, 5, 6)), [6]),
            (ArchiveFilter(ROMEO, 3, 11, None, "word1"), [4, 10]),
            (ArchiveFilter(ORCHARD, text="word1 all"), [4, 10]),
            (ArchiveFilter(ids=(4, 5), text="word1"), [4]),
        ):
            assert await ids(stores, wanted) == expected, wanted
            page = await stores.archive.page(JULIET, wanted, 1, backwards=True)
            assert [found.id for found in page.messages] == expected[-1:], wanted
            assert await stores.archive.count(JULIET, wanted, 100) == len(expected), wanted
            assert await stores.archive.count(JULIET, wanted, 1) == min(len(expected), 1), wanted

    run(scenario)


def test_xep0359_2_2_messages_are_told_by_their_origin(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        silent = replace(message(3), origin=None)
        again = replace(message(4, BALCONY, "body"), origin="origin-1")
        await archived(
            stores, message(1), message(2), silent, again, replace(message(5, NURSE), origin="origin-1")
        )
        bare = [replace(kept, xml="", body=None) for kept in (message(2), again)]
        assert list(await stores.archive.recent(JULIET, 1, 100))[:2] == bare
        assert [found.id for found in await stores.archive.recent(JULIET, 0, 2)] == [4, 5]
        assert await stores.archive.named(JULIET, ORCHARD, "origin-1", 10) == (message(1), again)
        assert await stores.archive.named(JULIET, ROMEO, "origin-1", 1) == (again,)
        assert await stores.archive.named(JULIET, ROMEO, "' OR 1", 1) == ()

    run(scenario)


def test_xep0424_4_a_tombstone_stands_where_the_message_was_and_has_no_words(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(
            stores, message(1, body="regret"), message(2, body="regret"), message(3, body="regret")
        )
        assert await ids(stores, ArchiveFilter(text="regret")) == [1, 2, 3]  # they are in the index now
        stores.archive.append(JULIET, message(4, body="regret"))
        for id in (2, 4, 99):
            stores.archive.replace(JULIET, id, "<tombstone/>")
        await stores.writes.flushed()
        assert await ids(stores, ArchiveFilter(text="regret")) == [1, 3]
        expected = replace(message(2), xml="<tombstone/>", body=None)
        assert await stores.archive.get(JULIET, [2]) == (expected,)
        stores.archive.replace(JULIET, 2, "<twice/>")
        await stores.writes.flushed()
        assert (await stores.archive.get(JULIET, [2]))[0].xml == "<twice/>"

    run(scenario)


def test_an_erased_conversation_is_gone_at_once_and_may_go_on(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(
            stores, message(1, body="word"), message(2, NURSE, "word"), message(3, BALCONY), message(4, ROMEO)
        )
        assert await ids(stores, ArchiveFilter(text="word")) == [1, 2]
        stores.archive.erase(JULIET, ORCHARD)
        stores.archive.append(JULIET, message(5, body="word"))
        await stores.writes.flushed()
        for _ in range(2):
            assert await ids(stores) == [2, 5]
            assert await ids(stores, ArchiveFilter(ROMEO)) == [5]
            assert await ids(stores, ArchiveFilter(ids=(1, 2, 3, 4, 5))) == [2, 5]
            assert await ids(stores, ArchiveFilter(text="word")) == [2, 5]
            assert await stores.archive.count(JULIET, EVERYTHING, 10) == 2
            assert [found.id for found in await stores.archive.recent(JULIET, 0, 10)] == [2, 5]
            assert await stores.archive.named(JULIET, ROMEO, "origin-1", 10) == ()
            await purged(stores)
        assert await stores.archive.bounds(JULIET) == ArchiveBounds(2, 5)
        stores.archive.erase(JULIET, ROMEO)
        stores.archive.erase(JULIET, ROMEO)
        await stores.writes.flushed()
        await purged(stores)
        assert await ids(stores) == [2]

    run(scenario)


def test_an_erased_archive_is_gone_at_once_and_may_go_on(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1, body="word"), message(2))
        await archived(stores, message(3, body="word"), owner=NURSE)
        assert await ids(stores, ArchiveFilter(text="word")) == [1]
        stores.archive.erase(JULIET, ROMEO)
        stores.archive.erase(JULIET)
        stores.archive.append(JULIET, message(4, body="word"))
        await stores.writes.flushed()
        for _ in range(2):
            assert await ids(stores) == [4]
            assert await ids(stores, ArchiveFilter(text="word")) == [4]
            assert await stores.archive.bounds(JULIET) == ArchiveBounds(4, 4)
            await purged(stores)
        assert await ids(stores, owner=NURSE) == [3]

    run(scenario)


def test_an_account_that_is_made_again_never_sees_its_predecessors_archive(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        await archived(stores, message(1, body="word"), message(2))
        stores.accounts.remove(JULIET)
        stores.archive.append(JULIET, message(3))  # on its way when the account went
        stores.accounts.put(account())
        stores.archive.append(JULIET, message(4, body="word"))
        stores.accounts.put(account())  # another password
        await stores.writes.flushed()
        for _ in range(2):
            assert await ids(stores) == [4]
            assert await ids(stores, ArchiveFilter(text="word")) == [4]
            assert await stores.archive.get(JULIET, [1, 2, 3]) == ()
            await purged(stores)

    run(scenario)


def test_an_archive_of_a_room_lives_as_long_as_its_owner(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.archive.add_owner(ROOM)
        stores.archive.append(ROOM, message(1, ORCHARD, "word"))
        stores.archive.add_owner(ROOM)
        await stores.writes.flushed()
        assert await ids(stores, owner=ROOM) == [1]
        assert await ids(stores, ArchiveFilter(text="WORD"), owner=ROOM) == [1]
        stores.archive.remove_owner(ROOM)
        stores.archive.append(ROOM, message(2))
        stores.archive.add_owner(ROOM)
        await stores.writes.flushed()
        assert await ids(stores, owner=ROOM) == []
        await purged(stores)

    run(scenario)
