"""The contract of `RoomStore` (XEP-0045)."""

import json
from dataclasses import replace
from datetime import timedelta

from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import EVERYTHING, ArchivedMessage
from commonroom.storage.room_records import (
    RoomAffiliation,
    RoomGrave,
    RoomHead,
    RoomRequest,
    StoredRoom,
    StoredSubject,
)
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, IDS, JULIET, ROMEO, account

SERVICE = "group.capulet.example"
HALL, ORCHARD, TOMB = (JID.of(name, SERVICE) for name in ("hall", "orchard", "tomb"))
ELSEWHERE = JID.parse("hall@group.montague.example")


def head(address: JID = HALL, *, public: bool = True, words: str = "", days: int = 0) -> RoomHead:
    used = CREATED + timedelta(days=days)
    return RoomHead(address, '{"name": "é"}', public, words, address.local or "", b"key\0", CREATED, used)


def test_what_was_never_made_is_not_there(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.rooms.put_affiliation(HALL, RoomAffiliation(JULIET, "owner"))
        stores.rooms.remove(HALL)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) is None
        assert await stores.rooms.of(JULIET, "owner", 10) == ()
        assert await stores.rooms.page(SERVICE, None, 10) == ()
        assert await stores.rooms.count(SERVICE) == 0

    run(scenario)


def test_rooms_are_found_by_whom_they_know(run: Run) -> None:
    odd = JID.parse("100%_\\\\20oneill@capulet.example")

    async def scenario(stores: Stores) -> None:
        rooms = stores.rooms
        for address in (HALL, ORCHARD, TOMB, ELSEWHERE):
            rooms.put(head(address))
        rooms.put_affiliation(HALL, RoomAffiliation(JULIET, "none", version=3))
        rooms.put_affiliation(ELSEWHERE, RoomAffiliation(JULIET, "owner"))
        worn = json.dumps({"worn": {str(JULIET): [], str(odd): []}}, ensure_ascii=False)
        rooms.put(replace(head(TOMB), config=worn))
        await stores.writes.flushed()
        assert await rooms.mentioning(SERVICE, JULIET) == (HALL, TOMB)
        assert await rooms.mentioning(SERVICE, odd) == (TOMB,)
        assert await rooms.mentioning(SERVICE, ROMEO) == ()

    run(scenario)


def test_a_room_and_its_lists_are_put_at_once(run: Run) -> None:
    juliet, romeo = RoomAffiliation(JULIET, "owner", "jule"), RoomAffiliation(ROMEO, "member")

    async def scenario(stores: Stores) -> None:
        stores.rooms.put(head(), (juliet, replace(romeo, affiliation="none")))
        assert stores.writes.appended == 1
        stores.rooms.put(head(), (romeo,))
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(head(), (juliet, romeo))

    run(scenario)


def test_a_room_comes_back_as_it_was_put(run: Run) -> None:
    subject = StoredSubject("<message>ü</message>", CREATED)
    changed = replace(head(public=False, words="fest", days=2), version=7, subject=subject)
    juliet = RoomAffiliation(JULIET, "owner", "jule", "'tis I", 3)
    romeo = RoomAffiliation(ROMEO, "outcast", version=7)

    async def scenario(stores: Stores) -> None:
        stores.rooms.put(head())
        stores.rooms.put_affiliation(HALL, romeo)
        stores.rooms.put_affiliation(HALL, replace(juliet, affiliation="member"))
        stores.rooms.put_affiliation(HALL, juliet)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(head(), (juliet, romeo))
        stores.rooms.put(changed)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(changed, (juliet, romeo))
        stores.rooms.remove_affiliation(HALL, ROMEO)
        stores.rooms.remove_affiliation(TOMB, JULIET)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(changed, (juliet,))

    run(scenario)


def test_rooms_are_listed_by_address_and_domain(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for address in (TOMB, HALL, ELSEWHERE, ORCHARD):
            stores.rooms.put(head(address, public=address != ORCHARD, words=f"{address.local} 100%_a\\b"))
        await stores.writes.flushed()

        async def listed(after: JID | None, limit: int, public: bool = False, words: str = "") -> list[JID]:
            page = await stores.rooms.page(SERVICE, after, limit, public, words)
            return [found.address for found in page]

        assert await listed(None, 2) == [HALL, ORCHARD]
        assert await listed(ORCHARD, 2) == [TOMB]
        assert await listed(None, 9, public=True) == [HALL, TOMB]
        assert await listed(None, 9, words="orch") == [ORCHARD]
        assert await listed(None, 9, True, "orch") == []
        assert await listed(None, 9, words="0%_") == [HALL, ORCHARD, TOMB]
        assert await listed(None, 9, words="%a") == await listed(None, 9, words="1_0") == []
        assert await listed(None, 9, words="a\\b") == [HALL, ORCHARD, TOMB]
        assert await stores.rooms.count(SERVICE) == 3
        assert await stores.rooms.count(SERVICE, True, "tomb") == 1

    run(scenario)


def test_xep0486_3_2_a_room_keeps_its_avatar(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.rooms.put_vcard(HALL, "<vCard/>")
        stores.rooms.put(head())
        await stores.writes.flushed()
        assert await stores.rooms.vcard(HALL) is None
        stores.rooms.put_vcard(HALL, "<vCard>é</vCard>")
        stores.rooms.put(head(days=1))
        await stores.writes.flushed()
        assert await stores.rooms.vcard(HALL) == "<vCard>é</vCard>"
        stores.rooms.put_vcard(HALL, None)
        await stores.writes.flushed()
        assert await stores.rooms.vcard(HALL) is None
        stores.rooms.put_vcard(HALL, "<vCard/>")
        stores.rooms.remove(HALL)
        stores.rooms.put(head())
        await stores.writes.flushed()
        assert await stores.rooms.vcard(HALL) is None

    run(scenario)


def test_uts39_names_that_look_alike_are_found(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for address in (HALL, TOMB, ELSEWHERE):
            stores.rooms.put(replace(head(address), skeleton="ha11"))
        await stores.writes.flushed()
        assert await stores.rooms.alike(SERVICE, "ha11", 10) == (HALL, TOMB)
        assert await stores.rooms.alike(SERVICE, "ha11", 1) == (HALL,)
        assert await stores.rooms.alike(SERVICE, "hall", 10) == ()

    run(scenario)


def test_the_rooms_of_a_person_are_found(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for address in (TOMB, HALL, ORCHARD):
            stores.rooms.put(head(address))
            stores.rooms.put_affiliation(address, RoomAffiliation(JULIET, "owner"))
            stores.rooms.put_affiliation(address, RoomAffiliation(ROMEO, "member"))
        stores.rooms.put_affiliation(ORCHARD, RoomAffiliation(JULIET, "none"))
        await stores.writes.flushed()
        assert await stores.rooms.of(JULIET, "owner", 10) == (HALL, TOMB)
        assert len(await stores.rooms.of(JULIET, "owner", 1)) == 1
        assert await stores.rooms.of(ROMEO, "owner", 10) == ()

    run(scenario)


def test_rooms_that_nobody_used_are_found_the_longest_first(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for days, address in enumerate((TOMB, HALL, ORCHARD, ELSEWHERE)):
            stores.rooms.put(head(address, days=-days))
        await stores.writes.flushed()
        found = await stores.rooms.unused(SERVICE, CREATED, 10)
        assert [room.address for room in found] == [ORCHARD, HALL]
        (first,) = await stores.rooms.unused(SERVICE, CREATED, 1)
        (second,) = await stores.rooms.unused(SERVICE, CREATED, 10, first.used)
        assert (first.address, second.address) == (ORCHARD, HALL)

    run(scenario)


def test_xep0313_a_room_made_again_has_nothing_of_its_predecessor(run: Run) -> None:
    message = ArchivedMessage(next(IDS), JULIET, False, "<message/>")

    async def scenario(stores: Stores) -> None:
        stores.archive.append(HALL, replace(message, id=next(IDS)))  # there is no such room yet
        stores.rooms.put(head())
        stores.rooms.put_affiliation(HALL, RoomAffiliation(ROMEO, "outcast"))
        stores.archive.append(HALL, message)
        stores.rooms.put(head())  # does not empty it
        await stores.writes.flushed()
        assert (await stores.archive.page(HALL, EVERYTHING, 10)).messages == (message,)
        stores.rooms.remove(HALL)
        await stores.writes.flushed()
        assert (await stores.archive.page(HALL, EVERYTHING, 10)).messages == ()
        stores.rooms.put(head())
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(head())
        assert (await stores.archive.page(HALL, EVERYTHING, 10)).messages == ()

    run(scenario)


def test_xep0045_10_9_a_destroyed_room_is_remembered_for_a_time(run: Run) -> None:
    grave = RoomGrave(HALL, CREATED, "the plague", ORCHARD)
    plain = RoomGrave(TOMB, CREATED + timedelta(days=1))

    async def scenario(stores: Stores) -> None:
        stores.rooms.put(head())
        stores.rooms.bury(grave)
        stores.rooms.bury(plain)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == grave
        assert await stores.rooms.load(TOMB) == plain
        assert await stores.rooms.count(SERVICE) == 0
        stores.rooms.forget_graves(plain.stamp)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) is None
        assert await stores.rooms.load(TOMB) == plain
        stores.rooms.put(head(TOMB))
        stores.rooms.remove(TOMB)
        await stores.writes.flushed()
        assert await stores.rooms.load(TOMB) is None

    run(scenario)


def test_who_asks_first_for_a_name_is_kept(run: Run) -> None:
    asked = RoomRequest(HALL, JULIET, CREATED)

    async def scenario(stores: Stores) -> None:
        stores.rooms.request(asked)
        stores.rooms.request(replace(asked, requester=ROMEO))
        stores.rooms.request(replace(asked, address=ELSEWHERE))
        await stores.writes.flushed()
        assert await stores.rooms.requests(SERVICE) == (asked,)
        stores.rooms.settle(HALL)
        await stores.writes.flushed()
        assert await stores.rooms.requests(SERVICE) == ()

    run(scenario)


def test_an_account_that_is_removed_is_on_no_list(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.rooms.put(head())
        for jid in (JULIET, ROMEO):
            stores.rooms.put_affiliation(HALL, RoomAffiliation(jid, "member"))
        stores.accounts.remove(JULIET)
        await stores.writes.flushed()
        assert await stores.rooms.load(HALL) == StoredRoom(head(), (RoomAffiliation(ROMEO, "member"),))

    run(scenario)
