"""XEP-0045 over the whole service: rooms that last, rooms that do not, and what they tell whom when."""

import pytest

from commonroom.core.session import Session
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, NS_MUC_OWNER
from commonroom.storage.errors import StorageError
from commonroom.xml.names import NS_REGISTER
from tests.conversations.rooms import HALL, SERVICE, codes, configure, enter, form, here, make, said, say
from tests.conversations.world import World, condition
from tests.features.muc.coven import form as submitted

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


def world() -> World:
    return World(ALICE, BOB, CAROL)


def test_xep0045_10_1_1_a_room_is_made_locked_and_opened() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    assert codes(enter(alice, "Alice")) == ["110", "201"]
    (refused,) = enter(bob, "Bob")
    assert condition(refused) == "item-not-found"
    assert configure(alice).get("type") == "result"
    assert here(enter(bob, "Bob")) == ["+Alice", "+Bob"]
    assert here(alice.received()) == ["+Bob"]
    say(bob, "hello")
    assert said(alice) == said(bob) == ["Bob: hello"]


def test_xep0045_4_2_a_temporary_room_is_gone_with_the_last_one() -> None:
    w = world()
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", persistentroom="0")
    alice.send(f"<presence type='unavailable' to='{HALL}/Alice'/>")
    assert here(alice.received()) == ["-Alice"]
    assert w.core.rooms[0].temporary() is not None
    assert list(w.core.rooms[0].temporary()) == []
    assert "201" in codes(enter(alice, "Alice"))
    assert w.memory.rooms.heads == {}


def test_xep0045_4_2_a_persistent_room_survives_a_restart() -> None:
    w = world()
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", roomname="The hall", persistentroom="1", enablelogging="1")
    alice.send(f"<message type='groupchat' to='{HALL}'><subject>Supper</subject></message>")
    say(alice, "one")
    say(alice, "two")
    w.restart()
    alice = w.online(f"{ALICE}/a")
    came = enter(alice, "Alice")
    assert "201" not in codes(came)
    bodies = [e.child_text("jabber:client", "body") for e in came if e.name == "message"]
    assert bodies == ["one", "two", None]
    assert came[-1].child_text("jabber:client", "subject") == "Supper"


def test_xep0045_9_9_a_request_to_be_a_member_outlives_a_restart() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    nick = {"muc#register_roomnick": "Bob"}
    query = f"<query xmlns='{NS_REGISTER}'>{submitted('register', nick)}</query>"
    bob.send(f"<iq type='set' id='r' to='{HALL}'>{query}</iq>")
    w.restart()
    alice = w.online(f"{ALICE}/a")
    alice.send(f"<message to='{HALL}'>{submitted('register', nick | {'muc#register_allow': '1'})}</message>")
    assert alice.received() == []  # no error
    kept = w.memory.rooms.lists[JID.parse(HALL)][JID.parse(BOB)]
    assert (kept.affiliation, kept.nick) == ("member", "Bob")


def test_nobody_hears_what_could_be_forgotten() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice", persistentroom="1", enablelogging="1")
    enter(bob, "Bob")
    said(alice)
    w.memory.writes.hold()
    say(alice, "one")
    bob.send(f"<message type='chat' to='{HALL}/Alice'><body>between us</body></message>")
    say(alice, "two")
    assert said(bob) == []
    w.memory.writes.release()
    w.turn()
    assert said(bob) == ["Alice: one", "Alice: two"]
    assert said(alice) == ["Alice: one", "Bob: between us", "Alice: two"]


def test_what_cannot_be_stored_is_told_to_its_sender_alone() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice", persistentroom="1", enablelogging="1")
    enter(bob, "Bob")
    alice.received()
    w.memory.writes.hold()
    say(alice, "one")
    w.memory.writes.release(StorageError("the disk is full"))
    w.turn()
    assert said(bob) == []
    assert condition(alice.one()) == "resource-constraint"


def test_xep0198_4_what_a_client_says_again_is_said_once() -> None:
    w = world()
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", persistentroom="1", enablelogging="1")
    once = "a-random-id-of-a-message"
    say(alice, "one", id=once)
    say(alice, "two", id="2")
    w.restart()
    alice, bob = w.online(f"{ALICE}/again"), w.online(f"{BOB}/b")
    enter(bob, "Bob")
    enter(alice, "Alice")
    bob.received()
    say(alice, "one", id=once)
    assert said(alice) == ["Alice: one"]
    assert said(bob) == []
    say(alice, "two", id="2")
    say(alice, "another", id=once)
    assert said(bob) == ["Alice: two", "Alice: another"]
    assert len(w.memory.archive.kept[JID.parse(HALL)]) == 4


def test_rfc6121_4_6_3_the_end_of_a_session_is_the_end_of_its_stay() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    alice.received()
    bob.cut()
    w.turn()
    assert here(alice.received()) == ["-Bob"]


def test_a_session_leaves_also_after_an_error_from_the_room() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    bob.send(f"<presence to='{HALL}/Alice'/>")
    assert condition(bob.one()) == "conflict"
    bob.send(f"<presence to='{HALL}/Bob'><priority>many</priority></presence>")
    bob.received()
    alice.received()
    bob.send("<presence type='unavailable'/>")
    w.turn()
    assert here(alice.received()) == ["-Bob"]


def test_xep0045_7_6_a_nickname_changes_and_the_session_leaves_once() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    alice.received()
    bob.send(f"<presence to='{HALL}/Robert'/>")
    assert here(alice.received()) == ["-Bob", "+Robert"]
    bob.leave()
    w.turn()
    assert here(alice.received()) == ["-Robert"]


def test_an_error_to_who_comes_leaves_nothing_behind() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    (refused,) = enter(bob, "Alice")
    assert condition(refused) == "conflict"
    assert refused.child(NS_MUC, "x") is not None
    assert [e.get("by") for e in refused.elements()] == [None, HALL]
    user = w.core.users.find(JID.parse(BOB))
    assert user is not None
    session = user.sessions["b"]
    assert isinstance(session, Session)
    assert not session.directed


def test_xep0045_10_9_what_a_closed_rooms_grave_says_is_nothing() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    destroy = f"<destroy jid='cellar@{SERVICE}'><reason>rats</reason></destroy>"
    for closed, is_told in (({}, True), ({"membersonly": "1"}, False)):
        room = f"r{len(closed)}@{SERVICE}"
        make(alice, "Alice", room, **closed)
        alice.send(f"<iq type='set' id='d' to='{room}'><query xmlns='{NS_MUC_OWNER}'>{destroy}</query></iq>")
        (refused,) = enter(bob, "Bob", room)
        assert condition(refused) == "gone"
        assert ("rats" in repr(refused), "cellar" in repr(refused)) == (is_told, is_told)


# When the disk fails


def test_a_change_that_cannot_be_stored_puts_everybody_out_and_the_disk_counts() -> None:
    """What is in memory is not what is on disk, so that it is not kept (XEP-0045 §11.2)."""
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice", roomname="Hall")
    enter(bob, "Bob")
    alice.received()
    on_disk = dict(w.memory.rooms.heads)
    w.memory.writes.hold()
    owned = f"<query xmlns='{NS_MUC_OWNER}'>{form(roomname='Cellar', whois='anyone')}</query>"
    alice.send(f"<iq type='set' id='own' to='{HALL}'>{owned}</iq>")
    say(bob, "still there?")
    assert (alice.received(), bob.received()) == ([], [])
    w.memory.rooms.heads.update(on_disk)
    w.memory.writes.release(StorageError("the disk is full"))
    w.turn()
    for who, nick in ((alice, "Alice"), (bob, "Bob")):
        heard = who.received()
        (gone,) = [e for e in heard if e.name == "presence"]
        assert here([gone]) == [f"-{nick}"]
        assert codes([gone]) == ["110", "332"]
        assert "Cellar" not in repr(heard)
    (service,) = w.core.rooms
    assert service.find(JID.parse(HALL)) is None
    assert "110" in codes(enter(bob, "Bob"))  # it is as it was
    (room,) = [service.find(JID.parse(HALL))]
    assert room is not None
    assert (room.config.name, room.is_anonymous) == ("Hall", True)


CHANGES = {
    "those whom it puts out": form(membersonly="1"),
    "all who were in a room that is not destroyed": "<destroy/>",
}


@pytest.mark.parametrize("inside", CHANGES.values(), ids=CHANGES.keys())
def test_nobody_stays_who_believes_to_be_inside(inside: str) -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    alice.received()
    w.memory.writes.hold()
    alice.send(f"<iq type='set' id='o' to='{HALL}'><query xmlns='{NS_MUC_OWNER}'>{inside}</query></iq>")
    w.memory.writes.release(StorageError("the disk is full"))
    w.turn()
    for who, nick in ((alice, "Alice"), (bob, "Bob")):
        (gone,) = [e for e in who.received() if e.name == "presence"]
        assert (here([gone]), codes([gone])) == ([f"-{nick}"], ["110", "332"])


def test_who_comes_in_behind_a_change_that_fails_is_out_as_well() -> None:
    w = world()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "Alice")
    w.memory.writes.hold()
    owned = f"<query xmlns='{NS_MUC_OWNER}'>{form(roomname='Cellar')}</query>"
    alice.send(f"<iq type='set' id='own' to='{HALL}'>{owned}</iq>")
    assert enter(bob, "Bob") == []
    alice.send(f"<iq type='get' id='p' to='{HALL}'><ping xmlns='urn:xmpp:ping'/></iq>")
    w.memory.writes.release(StorageError("the disk is full"))
    w.turn()
    heard = [e for e in bob.received() if e.name == "presence"]
    assert (here(heard), codes(heard)) == (["-Bob"], ["110", "332"])
    assert "p" in [e.get("id") for e in alice.received()]  # who asked is answered


def test_who_asked_for_the_change_is_told_that_it_was_not_made() -> None:
    w = world()
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice")
    w.memory.writes.hold()
    owned = f"<query xmlns='{NS_MUC_OWNER}'>{form(roomname='Cellar')}</query>"
    alice.send(f"<iq type='set' id='own' to='{HALL}'>{owned}</iq>")
    w.memory.writes.release(StorageError("the disk is full"))
    w.turn()
    answers = [e for e in alice.received() if e.get("id") == "own"]
    assert [condition(e) for e in answers] == ["resource-constraint"]
