"""Rooms know people who were renamed, wait for those who left, and forget those who are gone."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from commonroom.admin.accounts import Eraser, remove_account
from commonroom.admin.registry import registry
from commonroom.app.account_files import AccountFilesWatch
from commonroom.features.muc.following import in_turn
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MODERATE, NS_MUC_ADMIN, NS_RETRACT
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import RoomRequest
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_REGISTER, NS_STANZA_IDS
from tests.conversations.listed import ListedWorld
from tests.conversations.rooms import HALL, SERVICE, codes, configure, enter, here, make, say
from tests.conversations.world import Client, World, condition

JULIET = "juliet.capulet@example.org"
MARRIED = "juliet.montague@example.org"
ROMEO, NURSE = "romeo@example.org", "nurse@example.org"
ROOM = JID.parse(HALL)
DAY = timedelta(days=1).total_seconds()
A, B, C, D = (JID.parse(f"{name}@example.org") for name in "abcd")


@pytest.fixture
def world(tmp_path: Path) -> ListedWorld:
    (tmp_path / "map").write_text("jc12:juliet.capulet\n")
    return ListedWorld(tmp_path, "jc12", "romeo", "nurse", source={"mapping": tmp_path / "map"})


def marry(world: ListedWorld) -> None:
    world.files.write("map", "jc12:juliet.montague")
    world.look()


def juliet_is(world: ListedWorld, address: str) -> Client:
    client = world.login(f"{address.partition('@')[0]}@example.org/balcony")
    client.send("<presence/>")
    client.received()
    return client


def appoint(client: Client, jid: str, affiliation: str, nick: str = "") -> None:
    named = f" nick='{nick}'" if nick else ""
    item = f"<item affiliation='{affiliation}' jid='{jid}'{named}/>"
    asked = f"<iq type='set' id='a' to='{HALL}'><query xmlns='{NS_MUC_ADMIN}'>{item}</query></iq>"
    assert answer(client, asked).get("type") == "result"


def answer(client: Client, iq: str) -> Element:
    """That, whatever else comes."""
    client.received()
    client.send(iq)
    return next(element for element in client.received() if element.name == "iq")


def lists(world: World) -> dict[str, str]:
    """Who is on the room's lists on disk."""
    world.turn()
    return {
        str(jid): one.affiliation
        for jid, one in world.memory.rooms.lists[ROOM].items()
        if one.affiliation != "none"
    }


def archived(world: ListedWorld) -> Sequence[ArchivedMessage]:
    world.turn()
    return world.memory.archive.kept[ROOM]


# Renaming


def test_an_address_in_no_room_changes_nothing_there(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    before = lists(world)
    marry(world)
    assert lists(world) == before
    assert romeo.received() == []


def test_who_is_renamed_owns_the_room_under_the_new_address(world: ListedWorld) -> None:
    juliet = juliet_is(world, JULIET)
    make(juliet, "Juliet", membersonly="1")
    appoint(juliet, ROMEO, "member")
    romeo = world.online(f"{ROMEO}/r")
    enter(romeo, "Romeo")
    marry(world)
    assert juliet.closed
    assert "-Juliet" in here(romeo.received())
    assert lists(world) == {MARRIED: "owner", ROMEO: "member"}
    back = juliet_is(world, MARRIED)
    assert "110" in codes(enter(back, "Juliet"))
    assert configure(back, persistentroom="1", membersonly="1").get("type") == "result"


def test_a_room_that_is_on_disk_only_follows_as_well(world: ListedWorld) -> None:
    juliet = juliet_is(world, JULIET)
    make(juliet, "Juliet")
    world.restart()
    world.begin_watch()
    marry(world)
    assert lists(world) == {MARRIED: "owner"}
    assert "110" in codes(enter(juliet_is(world, MARRIED), "Juliet"))


def test_a_temporary_room_follows_as_well(world: ListedWorld) -> None:
    juliet, romeo = juliet_is(world, JULIET), world.online(f"{ROMEO}/r")
    make(juliet, "Juliet", persistentroom="0")
    enter(romeo, "Romeo")
    marry(world)
    back = juliet_is(world, MARRIED)
    enter(back, "Juliet")
    assert configure(back, roomname="Ours").get("type") == "result"


def test_who_is_banned_stays_banned(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    appoint(romeo, JULIET, "outcast")
    appoint(romeo, MARRIED, "admin")
    marry(world)
    assert lists(world)[MARRIED] == "outcast"
    assert condition(enter(juliet_is(world, MARRIED), "Juliet")[0]) == "forbidden"


def test_of_two_affiliations_the_higher_one_counts(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    appoint(romeo, JULIET, "admin", "Jule")
    appoint(romeo, MARRIED, "member")
    marry(world)
    assert lists(world) == {ROMEO: "owner", MARRIED: "admin"}


def test_a_registered_nickname_follows_and_is_nobody_elses(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    appoint(romeo, JULIET, "member", "Jule")
    marry(world)
    assert condition(enter(world.online(f"{NURSE}/n"), "Jule")[0]) == "conflict"
    back = juliet_is(world, MARRIED)
    registered = answer(back, f"<iq type='get' id='1' to='{HALL}'><query xmlns='{NS_REGISTER}'/></iq>")
    query = registered.child(NS_REGISTER, "query")
    assert query is not None
    assert query.child_text(NS_REGISTER, "username") == "Jule"
    assert "110" in codes(enter(back, "Jule"))


def test_who_asked_to_be_a_member_still_asks(world: ListedWorld) -> None:
    romeo, juliet = world.online(f"{ROMEO}/r"), juliet_is(world, JULIET)
    make(romeo, "Romeo")
    nick = (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
        "<value>http://jabber.org/protocol/muc#register</value></field>"
        "<field var='muc#register_roomnick'><value>Jule</value></field></x>"
    )
    juliet.send(f"<iq type='set' id='1' to='{HALL}'><query xmlns='{NS_REGISTER}'>{nick}</query></iq>")
    marry(world)
    (service,) = world.core.rooms
    room = service.find(ROOM)
    assert room is not None
    assert room.requests == {JID.parse(MARRIED): "Jule"}


def test_xep0424_5_what_was_said_before_can_be_taken_back(world: ListedWorld) -> None:
    juliet = juliet_is(world, JULIET)
    make(juliet, "Juliet", enablelogging="1")
    say(juliet, "I do not", id="m1")
    (message,) = [e for e in juliet.received() if e.child_text(NS_CLIENT, "body")]
    stamp = message.child(NS_STANZA_IDS, "stanza-id")
    assert stamp is not None
    marry(world)
    assert [str(each.peer.bare) for each in archived(world)] == [MARRIED]
    back = juliet_is(world, MARRIED)
    enter(back, "Juliet")
    retract = f"<retract xmlns='{NS_RETRACT}' id='{stamp.get('id')}'/>"
    back.send(f"<message type='groupchat' to='{HALL}' id='m2'>{retract}</message>")
    world.turn()
    assert "I do not" not in archived(world)[0].xml


def test_hats_are_worn_under_the_new_address(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    (service,) = world.core.rooms
    room = service.find(ROOM)
    assert room is not None
    room.worn[JID.parse(JULIET)] = ()
    room.worn[JID.parse(ROMEO)] = ()
    marry(world)
    assert list(room.worn) == [JID.parse(MARRIED), JID.parse(ROMEO)]
    assert JULIET not in world.memory.rooms.heads[ROOM].config


def test_a_request_for_a_room_is_of_the_new_address(world: ListedWorld) -> None:
    world.stores.rooms.request(RoomRequest(JID.parse(f"tomb@{SERVICE}"), JID.parse(JULIET), world.now()))
    marry(world)
    (request,) = world.run(world.stores.rooms.requests(SERVICE))
    assert request.requester == MARRIED


@pytest.mark.parametrize("at_once", [True, False])
def test_who_gets_the_address_of_one_who_left_keeps_what_is_theirs_and_gets_nothing_else(
    tmp_path: Path, at_once: bool
) -> None:
    (tmp_path / "map").write_text("a1:first\nb2:second\n")
    world = ListedWorld(tmp_path, "a1", "b2", "romeo", source={"mapping": tmp_path / "map"})
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    world.befriend("second@example.org", ROMEO)
    world.try_login("a1")
    appoint(romeo, "first@example.org", "owner", "One")
    appoint(romeo, "second@example.org", "member", "Two")
    world.files.people("b2", "romeo")
    if not at_once:
        world.look()
    world.files.write("map", "b2:first")
    world.look()
    assert lists(world) == {ROMEO: "owner", "first@example.org": "member"}
    items = world.memory.kept[JID.parse("first@example.org")].items
    assert [str(jid) for jid in items] == [ROMEO]
    assert JID.parse("second@example.org") not in world.memory.kept


def test_two_who_change_places_do_so_in_rooms(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("a1:first\nb2:second\n")
    world = ListedWorld(tmp_path, "a1", "b2", "romeo", source={"mapping": tmp_path / "map"})
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo", enablelogging="1")
    appoint(romeo, "first@example.org", "admin", "One")
    appoint(romeo, "second@example.org", "outcast")
    enter(world.online("first@example.org/x"), "One")
    first = world.online("first@example.org/y")
    enter(first, "One")
    say(first, "hello")
    world.files.write("map", "a1:second", "b2:first")
    world.look()
    assert lists(world) == {ROMEO: "owner", "second@example.org": "admin", "first@example.org": "outcast"}
    assert [str(each.peer.bare) for each in archived(world)] == ["second@example.org"]


def test_two_who_change_places_do_so_once_whenever_the_service_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "map").write_text("a1:first\nb2:second\n")
    world = ListedWorld(tmp_path, "a1", "b2", source={"mapping": tmp_path / "map"})
    for name in ("first", "second"):
        world.try_login(name)
    caplog.set_level("INFO")
    world.files.write("map", "a1:second", "b2:first")
    with monkeypatch.context() as patch:
        patch.setattr(AccountFilesWatch, "_settle", _crash)
        with pytest.raises(OSError, match="crash"):
            world.look()
    world.restart()
    world.begin_watch()
    world.look()
    found = world.run(world.core.lifecycle.logins(JID.parse(f"{n}@example.org") for n in ("first", "second")))
    assert found == {"first@example.org": "b2@example.org", "second@example.org": "a1@example.org"}
    assert "account erased" not in caplog.text


def _crash(*_: object) -> None:
    raise OSError("crash")


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ({}, []),
        ({A: B}, [(A, B)]),
        ({A: B, B: C}, [(B, C), (A, B)]),
        ({A: B, B: C, C: D}, [(C, D), (B, C), (A, B)]),
    ],
)
def test_moves_make_room_first(moves: dict[JID, JID], expected: list[tuple[JID, JID]]) -> None:
    assert in_turn(moves) == expected


def test_in_a_circle_one_waits_aside() -> None:
    where = {A: "a", B: "b", C: "c", D: "d"}
    for former, new in in_turn({A: B, B: C, C: A}):
        assert new not in where
        where[new] = where.pop(former)
    assert where == {B: "a", C: "b", A: "c", D: "d"}


# Leaving, coming back, and being erased


def test_who_left_is_out_of_the_rooms_and_still_on_their_lists(world: ListedWorld) -> None:
    juliet, romeo = juliet_is(world, JULIET), world.online(f"{ROMEO}/r")
    make(juliet, "Juliet")
    appoint(juliet, ROMEO, "member")
    enter(romeo, "Romeo")
    world.files.people("romeo", "nurse")
    world.look()
    assert "-Juliet" in here(romeo.received())
    assert lists(world)[JULIET] == "owner"
    world.files.people("jc12", "romeo", "nurse")
    world.look()
    back = juliet_is(world, JULIET)
    enter(back, "Juliet")
    assert configure(back, roomname="Ours again").get("type") == "result"


def test_who_is_erased_is_on_no_list_and_the_nickname_is_free(
    world: ListedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    juliet = juliet_is(world, JULIET)
    make(juliet, "Juliet")
    appoint(juliet, JULIET, "owner", "Jule")
    appoint(juliet, NURSE, "admin")
    appoint(juliet, ROMEO, "member")
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += 31 * DAY
    world.run(world.core.lifecycle.erase_some())
    assert lists(world) == {NURSE: "admin", ROMEO: "member"}
    assert JID.parse(JULIET) not in world.memory.rooms.lists[ROOM], "not even that there was somebody"
    assert "a room has no owner any more" in caplog.text
    assert "110" in codes(enter(world.online(f"{ROMEO}/r"), "Jule"))


def test_who_gets_the_address_of_one_who_was_erased_is_a_stranger_and_not_banned(world: ListedWorld) -> None:
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    juliet_is(world, JULIET)
    appoint(romeo, JULIET, "outcast")
    romeo.leave()
    world.restart()
    world.begin_watch()
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += 31 * DAY
    world.run(world.core.lifecycle.erase_some())
    world.files.write("map", "xy99:juliet.capulet")
    world.files.people("romeo", "nurse", "xy99")
    world.look()
    assert "110" in codes(enter(juliet_is(world, JULIET), "Juliet"))


def test_a_clients_list_of_before_an_erasure_is_sent_as_a_whole(world: ListedWorld) -> None:
    """XEP-0463 §5.2.1: a difference would have to name who was erased."""
    juliet_is(world, JULIET)
    romeo = world.online(f"{ROMEO}/r")
    make(romeo, "Romeo")
    appoint(romeo, JULIET, "member")
    (service,) = world.core.rooms
    room = service.find(ROOM)
    assert room is not None
    known = room.version
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += 31 * DAY
    world.run(world.core.lifecycle.erase_some())
    assert room.complete_from > known
    assert room.former == {}


def test_moderation_of_what_an_erased_person_said_still_works(world: ListedWorld) -> None:
    juliet, romeo = juliet_is(world, JULIET), world.online(f"{ROMEO}/r")
    make(romeo, "Romeo", enablelogging="1")
    enter(juliet, "Juliet")
    say(juliet, "bad words")
    (message,) = [e for e in romeo.received() if e.child_text(NS_CLIENT, "body")]
    stamp = message.child(NS_STANZA_IDS, "stanza-id")
    assert stamp is not None
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += 31 * DAY
    world.run(world.core.lifecycle.erase_some())
    moderate = (
        f"<moderate xmlns='{NS_MODERATE}' id='{stamp.get('id')}'><retract xmlns='{NS_RETRACT}'/></moderate>"
    )
    assert answer(romeo, f"<iq type='set' id='1' to='{HALL}'>{moderate}</iq>").get("type") == "result"
    assert "bad words" not in archived(world)[0].xml


def test_who_is_removed_by_an_operator_is_a_stranger_to_contacts_and_rooms() -> None:
    world = World("alice@example.org", "bob@example.org")
    world.befriend("alice@example.org", "bob@example.org")
    alice, bob = JID.parse("alice@example.org"), JID.parse("bob@example.org")
    client = world.online(f"{bob}/b")
    make(client, "Bob")
    appoint(client, alice, "admin")
    forgotten: list[JID] = []
    world.core.accounts.erasure.reach(forgotten.append)
    office = registry(world.settings, world.stores)
    world.start(remove_account(office, alice, Eraser(world.core.accounts.erasure.erase)))
    world.turn()
    assert forgotten == [alice]
    assert alice not in world.memory.kept
    assert lists(world) == {"bob@example.org": "owner"}
    assert world.memory.kept[bob].items[alice].state is SubscriptionState.NONE
