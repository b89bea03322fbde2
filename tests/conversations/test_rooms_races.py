"""XEP-0045: what happens in a room while something else of it waits for the disk."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from commonroom.app.rooms import tidying
from commonroom.config.rooms import RoomLimits, Rooms
from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC_ADMIN, NS_MUC_OWNER
from commonroom.protocol.stanza import Message, Presence, PresenceType
from commonroom.storage.room_records import RoomGrave
from tests.conversations.rooms import HALL, SERVICE, codes, configure, enter, here, make, said, say
from tests.conversations.test_rooms_archive import affiliate, query
from tests.conversations.test_rooms_presence import EVE, Elsewhere
from tests.conversations.test_rooms_unused import DAY
from tests.conversations.world import Client, Gate, World, condition, with_options

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


class Slow:
    """A store whose reads of these names wait for the gate."""

    def __init__(self, store: Any, *names: str) -> None:
        self._store = store
        self._names = names
        self.gate = Gate()
        self.gate.is_open = True

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return found if name not in self._names else lambda *args, **more: _Read(self.gate, found, args, more)


class _Read:
    def __init__(self, gate: Gate, read: Any, args: Any, more: Any) -> None:
        self._gate, self._read, self._args, self._more = gate, read, args, more

    def __await__(self) -> Generator[None, None, Any]:
        yield from self._gate.__await__()
        return (yield from self._read(*self._args, **self._more).__await__())


def slow_rooms(w: World, *names: str) -> Slow:
    slow = Slow(w.stores.rooms, *names)
    w.stores = replace(w.stores, rooms=slow)
    w.restart()
    return slow


def in_memory(w: World, room: str = HALL) -> Room | None:
    (service,) = w.core.rooms
    return service.find(JID.parse(room))


def on_disk(*accounts: str) -> World:
    """A world with a room in which nobody is."""
    w = World(*accounts)
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice")
    alice.leave()
    w.turn()
    return w


# Who comes, and is gone before the room is read


@pytest.mark.parametrize("how", ["cut", "leave", "unavailable", "left"])
def test_who_goes_while_the_room_is_read_is_not_in_it(how: str) -> None:
    w = on_disk(ALICE, BOB)
    slow = slow_rooms(w, "load")
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    slow.gate.is_open = False
    enter(bob, "Bob")
    enter(alice, "Alice")
    if how == "unavailable":
        bob.send("<presence type='unavailable'/>")
    elif how == "left":
        bob.send(f"<presence type='unavailable' to='{HALL}/Bob'/>")
    else:
        getattr(bob, how)()
    slow.gate.is_open = True
    w.turn()
    room = in_memory(w)
    assert room is not None
    assert list(room.occupants) == ["Alice"]


def test_who_goes_elsewhere_while_the_room_is_read_is_not_in_it() -> None:
    w = on_disk(ALICE)
    slow = slow_rooms(w, "load")
    elsewhere = Elsewhere(w)
    slow.gate.is_open = False
    elsewhere.enter("Eve")
    elsewhere.send(Presence(PresenceType.UNAVAILABLE, JID.parse(f"{HALL}/Eve"), EVE))
    slow.gate.is_open = True
    w.turn()
    room = in_memory(w)
    assert room is not None
    assert list(room.occupants) == []


# Two that make something at the same time


def test_an_operator_makes_no_room_that_somebody_made_meanwhile() -> None:
    w = World(ALICE, BOB)
    slow = slow_rooms(w, "load")
    bob = w.online(f"{BOB}/b")
    slow.gate.is_open = False
    (service,) = w.core.rooms
    enter(bob, "Bob")
    answers: list[Room | None] = []

    async def create() -> None:
        answers.append(await service.create(JID.parse(ALICE), JID.parse(HALL)))

    w.start(create())
    slow.gate.is_open = True
    w.turn()
    room = in_memory(w)
    assert room is not None
    assert [jid for jid, _ in room.listed(Affiliation.OWNER)] == [BOB]
    assert answers == [None]


def test_of_two_names_that_look_alike_one_is_made() -> None:
    w = World(ALICE, BOB)
    slow = slow_rooms(w, "of")
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    slow.gate.is_open = False
    enter(alice, "Alice", f"hall1@{SERVICE}")
    enter(bob, "Bob", f"halll@{SERVICE}")
    slow.gate.is_open = True
    w.turn()
    made = [name for name in ("hall1", "halll") if in_memory(w, f"{name}@{SERVICE}") is not None]
    assert len(made) == 1


def test_rooms_that_are_not_configured_yet_count_as_owned() -> None:
    names = [f"{name}@{SERVICE}" for name in ("one", "two", "three")]
    w = World(ALICE, settings=with_options(rooms=Rooms(limits=RoomLimits(owned=2))))
    alice = w.online(f"{ALICE}/a")
    for name in names:
        enter(alice, "Alice", name)
    for name in names[:2]:
        configure(alice, name, persistentroom="1")
    assert condition(enter(alice, "Alice", names[2])[0]) == "resource-constraint"
    assert len(w.memory.rooms.heads) == 2


# Rooms that nobody uses


def unused() -> tuple[World, Slow]:
    w = World(ALICE, settings=with_options(rooms=Rooms(unused_after=100 * DAY, unused_notice=10 * DAY)))
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice")
    alice.leave()
    w.turn()
    slow = slow_rooms(w, "load")
    w.advance(101 * DAY)
    tidy(w)
    w.advance(11 * DAY)
    return w, slow


def tidy(w: World) -> None:
    for each in tidying(w.settings, w.stores, w, w.core.rooms):  # type: ignore[arg-type]
        w.start(each.tidy())
    w.turn()


def test_who_comes_while_an_unused_room_is_read_to_be_removed_may_stay() -> None:
    w, slow = unused()
    alice = w.online(f"{ALICE}/a")
    slow.gate.is_open = False
    enter(alice, "Alice")
    tidy(w)
    slow.gate.is_open = True
    w.turn()
    assert here(alice.received()) == ["+Alice"]
    assert JID.parse(HALL) in w.memory.rooms.heads


def test_an_unused_room_that_was_destroyed_meanwhile_stops_nobody() -> None:
    w, slow = unused()
    other = replace(w.memory.rooms.heads[JID.parse(HALL)], address=JID.parse(f"zoo@{SERVICE}"))
    w.stores.rooms.put(other)
    slow.gate.is_open = False
    tidy(w)
    w.stores.rooms.remove(JID.parse(HALL))
    w.stores.rooms.bury(RoomGrave(JID.parse(HALL), w.now()))
    slow.gate.is_open = True
    w.turn()
    assert list(w.memory.rooms.heads) == []


# The archive


def slow_archive() -> tuple[World, Client, Client, Slow]:
    w = World(ALICE, BOB, settings=with_options(rooms=Rooms(tombstone=0)))
    slow = Slow(w.stores.archive, "page")
    w.stores = replace(w.stores, archive=slow)
    w.restart()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice", enablelogging="1")
    return w, alice, bob, slow


def test_xep0313_6_1_2_a_room_made_again_is_not_read_by_who_might_read_its_predecessor() -> None:
    w, alice, bob, slow = slow_archive()
    slow.gate.is_open = False
    query(bob)
    alice.send(f"<iq type='set' id='d' to='{HALL}'><query xmlns='{NS_MUC_OWNER}'><destroy/></query></iq>")
    make(alice, "Alice", enablelogging="1", membersonly="1")
    say(alice, "between us")
    slow.gate.is_open = True
    w.turn()
    (answer,) = bob.received()
    assert condition(answer) == "item-not-found"


def test_xep0313_6_1_2_who_was_banned_while_the_archive_was_read_reads_nothing() -> None:
    w, alice, bob, slow = slow_archive()
    say(alice, "between us")
    slow.gate.is_open = False
    query(bob)
    affiliate(alice, BOB, "outcast")
    slow.gate.is_open = True
    w.turn()
    assert [condition(answer) for answer in bob.received()] == ["forbidden"]


# When nothing more can be written


def test_that_a_room_is_used_is_worth_no_failure() -> None:
    """It is noted once a day; nobody is refused, or unheard, because that cannot be."""
    w = on_disk(ALICE, BOB)
    w.advance(2 * DAY)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    w.memory.writes.is_full = True
    assert here(enter(alice, "Alice")) == ["+Alice"]
    assert here(enter(bob, "Bob")) == ["+Alice", "+Bob"]
    assert here(alice.received()) == ["+Bob"]


def test_what_is_refused_at_once_is_not_said() -> None:
    w = World(ALICE, BOB)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice", enablelogging="1")
    enter(bob, "Bob")
    alice.received()
    w.memory.writes.is_full = True
    say(alice, "one")
    assert condition(alice.one()) == "resource-constraint"
    w.memory.writes.is_full = False
    assert said(bob) == []
    room = in_memory(w)
    assert room is not None
    assert len(room.history) == 0


def test_a_change_that_is_refused_at_once_is_not_made() -> None:
    w = World(ALICE, BOB)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    alice.received()
    w.memory.writes.is_full = True
    item = f"<item affiliation='outcast' jid='{BOB}'/>"
    alice.send(f"<iq type='set' id='f' to='{HALL}'><query xmlns='{NS_MUC_ADMIN}'>{item}</query></iq>")
    w.memory.writes.is_full = False
    answers = [e for e in alice.received() if e.get("id") == "f"]
    assert [condition(e) for e in answers] == ["resource-constraint"]
    assert "301" not in codes(bob.received())
    enter(alice, "Alice")
    room = in_memory(w)
    assert room is not None
    assert room.affiliation(JID.parse(BOB)) is Affiliation.NONE


# What is kept of who is gone


def test_nothing_is_kept_of_who_was_put_out() -> None:
    w = World(ALICE, BOB)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    say(bob, "hello")
    item = "<item role='none' nick='Bob'/>"
    alice.send(f"<iq type='set' id='f' to='{HALL}'><query xmlns='{NS_MUC_ADMIN}'>{item}</query></iq>")
    (service,) = w.core.rooms
    held = service._shelf.get(JID.parse(HALL))
    assert held is not None
    w.advance(121)
    assert JID.parse(bob.jid) not in held.people
    assert JID.parse(bob.jid) not in held.came


# Ghosts


def test_xep0045_18_1_2_who_was_heard_since_it_was_asked_is_there() -> None:
    w = World(ALICE)
    make(w.online(f"{ALICE}/a"), "Alice")
    elsewhere = Elsewhere(w)
    elsewhere.enter("Eve")
    w.advance(15 * 60 + 60)
    assert elsewhere.pings()
    elsewhere.enter("Eve")
    w.advance(10 * 60)
    room = in_memory(w)
    assert room is not None
    assert list(room.occupants) == ["Eve"]
    w.advance(10 * 60)
    assert not room.occupants


def test_xep0045_18_1_2_what_its_server_sends_back_is_no_sign_of_a_client() -> None:
    w = World(ALICE)
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice")
    elsewhere = Elsewhere(w)
    elsewhere.enter("Eve")
    alice.received()
    for number in range(3):
        say(alice, f"message {number}")
        for stanza in elsewhere.got:
            if isinstance(stanza, Message):
                elsewhere.send(stanza.refused(service_unavailable()))  # type: ignore[arg-type]
        w.advance(50)
    assert here(alice.received()) == ["-Eve"]
