"""Rooms that nobody uses are announced, and then go (docs/rooms.md)."""

from commonroom.app.rooms import tidying
from commonroom.config.rooms import RoomClass, Rooms
from commonroom.protocol.jid import JID
from tests.conversations.rooms import HALL, SERVICE, enter, make
from tests.conversations.world import World, condition, with_options

ALICE = "alice@example.org"
DAY = 86400.0


def world() -> World:
    kept = RoomClass(names=("kept",), creators=(ALICE,), unused_after=1000 * DAY)
    options = Rooms(unused_after=100 * DAY, unused_notice=10 * DAY, classes={"kept": kept})
    w = World(ALICE, settings=with_options(rooms=options))
    alice = w.online(f"{ALICE}/a")
    for room in (HALL, f"kept@{SERVICE}"):
        make(alice, "A", room)
    alice.leave()
    w.turn()
    return w


def tidy(w: World, days: float) -> list[str]:
    """What the owner hears of it, some days later."""
    w.advance(days * DAY)
    alice = w.online(f"{ALICE}/a")
    for each in tidying(w.settings, w.stores, w, w.core.rooms):  # type: ignore[arg-type]
        w.start(each.tidy())
    w.turn()
    heard = [body or "" for body in alice.bodies()]
    alice.leave()
    w.turn()
    return heard


def test_owners_hear_once_that_nobody_uses_a_room() -> None:
    w = world()
    assert tidy(w, 99) == []
    (text,) = tidy(w, 2)
    assert f"{HALL} since 2026-03-01" in text
    assert tidy(w, 5) == []
    assert len(w.memory.rooms.heads) == 2


def test_an_unused_room_goes_after_its_notice_and_no_other() -> None:
    w = world()
    tidy(w, 101)
    tidy(w, 11)
    assert list(w.memory.rooms.heads) == [JID.parse(f"kept@{SERVICE}")]
    (refused,) = enter(w.online(f"{ALICE}/a"), "A")
    assert condition(refused) == "gone"


def test_a_room_that_is_used_again_stays() -> None:
    w = world()
    tidy(w, 101)
    alice = w.online(f"{ALICE}/a")
    enter(alice, "A")
    alice.leave()
    w.turn()
    assert tidy(w, 11) == []
    assert len(w.memory.rooms.heads) == 2


def test_names_of_destroyed_rooms_are_free_again_after_a_time() -> None:
    w = world()
    tidy(w, 101)
    tidy(w, 11)
    assert w.memory.rooms.graves
    tidy(w, 31)
    assert not w.memory.rooms.graves
