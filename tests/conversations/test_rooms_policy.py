"""Whose names are whose, rooms that always exist, and how much one may use (docs/rooms.md)."""

from dataclasses import replace

from commonroom.config.rooms import DeclaredRoom, Fixed, RoomClass, RoomGroup, RoomLimits, Rooms
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, NS_MUC_ADMIN
from commonroom.xml.names import NS_MUC_USER
from tests.conversations.rooms import HALL, SERVICE, codes, configure, enter, here, make, said, say
from tests.conversations.world import World, condition, with_options

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


def world(**options: object) -> World:
    return World(ALICE, BOB, CAROL, settings=with_options(rooms=Rooms(**options)))  # type: ignore[arg-type]


def limited(**limits: int) -> World:
    return world(limits=replace(RoomLimits(), **limits))


def test_without_rooms_there_is_no_service() -> None:
    w = world(enabled=False)
    (refused,) = enter(w.online(f"{ALICE}/a"), "A")
    assert condition(refused) == "remote-server-not-found"


def test_the_service_may_have_another_name() -> None:
    alice = world(prefix="conference").online(f"{ALICE}/a")
    assert "201" in codes(enter(alice, "A", "hall@conference.example.org"))


def test_names_of_a_class_are_for_its_people_and_begin_as_it_says() -> None:
    maths = RoomClass(
        names=("maths-*",),
        creators=("@maths",),
        members=("@maths",),
        members_only=True,
        persistent=True,
        fixed=(Fixed.MEMBERS_ONLY,),
    )
    w = world(groups={"maths": RoomGroup(members=(BOB,))}, classes={"supervisions": maths})
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    room = f"maths-1@{SERVICE}"
    assert condition(enter(alice, "A", room)[0]) == "not-allowed"
    assert "201" in codes(enter(bob, "B", room))
    assert configure(bob, room).get("type") == "result"
    assert condition(enter(alice, "A", room)[0]) == "registration-required"
    assert JID.parse(room) in w.memory.rooms.heads
    w.restart()
    bob = w.online(f"{BOB}/b")
    enter(bob, "B", room)
    assert condition(configure(bob, room, membersonly="0")) == "not-acceptable"


def test_everybody_of_a_domain_belongs_to_a_room_but_does_not_run_it() -> None:
    tea = RoomClass(
        names=("tea",), creators=(ALICE,), moderators=("*@example.org",), members=("*@example.org",)
    )
    w = world(classes={"tea": tea})
    make(w.online(f"{ALICE}/a"), "A", f"tea@{SERVICE}")
    lists = w.memory.rooms.lists[JID.parse(f"tea@{SERVICE}")]
    assert {str(jid): entry.affiliation for jid, entry in lists.items()} == {
        ALICE: "owner",
        "example.org": "member",
    }


def test_a_room_shows_no_more_history_than_the_service_allows() -> None:
    w = limited(history=1)
    alice = w.online(f"{ALICE}/a")
    make(alice, "A", historylength="20")
    for text in ("1", "2"):
        say(alice, text)
    bob = w.online(f"{BOB}/b")
    bodies = [e.child_text("jabber:client", "body") for e in enter(bob, "B") if e.name == "message"]
    assert bodies == ["2", None]


def test_uts39_a_name_that_looks_like_another_rooms_is_refused() -> None:
    w = world()
    alice = w.online(f"{ALICE}/a")
    make(alice, "A", f"room1@{SERVICE}", persistentroom="0")
    make(alice, "A", f"office@{SERVICE}")
    for name in ("r\u043eom1", "rooml", "\u043effice"):  # with Cyrillic letters
        assert condition(enter(alice, "A", f"{name}@{SERVICE}")[0]) == "not-acceptable"


def test_a_name_may_be_asked_for() -> None:
    taken = RoomClass(names=("staff",), creators=(CAROL,))
    w = world(requests=True, classes={"staff": taken})
    alice = w.online(f"{ALICE}/a")
    assert condition(enter(alice, "A", f"staff@{SERVICE}")[0]) == "not-allowed"
    (asked,) = w.start(w.stores.rooms.requests(SERVICE))._result  # type: ignore[attr-defined]
    assert (asked.address, asked.requester) == (f"staff@{SERVICE}", ALICE)


def test_names_are_not_asked_for_without_end() -> None:
    w = world(requests=True, classes={"staff": RoomClass(names=("staff*",), creators=(CAROL,))})
    alice = w.online(f"{ALICE}/a")
    for _ in range(2):  # who asks again asked once
        refused = [condition(enter(alice, "A", f"staff{n}@{SERVICE}")[0]) for n in range(11)]
        assert refused == ["not-allowed"] * 10 + ["resource-constraint"]
    assert condition(enter(w.online(f"{BOB}/b"), "B", f"staff@{SERVICE}")[0]) == "not-allowed"


def test_declared_rooms_are_there_from_the_start() -> None:
    w = world(declared={"Common-Room": DeclaredRoom(title="The common room", owners=(CAROL,))})
    room = f"common-room@{SERVICE}"
    assert JID.parse(room) in w.memory.rooms.heads
    alice = w.online(f"{ALICE}/a")
    assert "201" not in codes(enter(alice, "A", room))
    assert configure(alice, room).get("type") == "error"
    carol = w.online(f"{CAROL}/c")
    enter(carol, "C", room)
    assert configure(carol, room, roomname="Ours").get("type") == "result"
    w.restart()
    assert '"Ours"' in w.memory.rooms.heads[JID.parse(room)].config


def test_somebody_owns_only_so_many_rooms() -> None:
    w = limited(owned=1)
    alice = w.online(f"{ALICE}/a")
    make(alice, "A")
    assert condition(enter(alice, "A", f"more@{SERVICE}")[0]) == "resource-constraint"


def test_a_client_is_only_in_so_many_rooms() -> None:
    w = limited(rooms_per_person=1)
    alice = w.online(f"{ALICE}/a")
    make(alice, "A")
    assert condition(enter(alice, "A", f"more@{SERVICE}")[0]) == "resource-constraint"
    alice.send(f"<presence type='unavailable' to='{HALL}/A'/>")
    assert "201" in codes(enter(alice, "A", f"more@{SERVICE}"))


def test_xep0045_7_2_9_a_room_has_only_so_many_occupants() -> None:
    w = limited(occupants=1)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "A")
    (refused,) = enter(bob, "B")
    assert condition(refused) == "service-unavailable"
    assert "110" in codes(enter(w.online(f"{ALICE}/phone"), "A"))  # which takes no more space


def test_who_comes_and_goes_keeps_nobody_out() -> None:
    w = limited(joins_per_second=1, join_burst=30)
    alice, bob, carol = (w.online(f"{who}/x") for who in (ALICE, BOB, CAROL))
    make(alice, "A")
    for _ in range(60):
        bob.send(f"<presence to='{HALL}/B'><x xmlns='{NS_MUC}'/></presence>")
        bob.send(f"<presence type='unavailable' to='{HALL}/B'/>")
    assert condition(bob.received()[-1]) == "resource-constraint"
    assert "110" in codes(enter(carol, "C"))
    w.advance(60)
    assert "110" in codes(enter(bob, "B"))


def test_who_may_not_come_in_takes_nothing_from_those_who_may() -> None:
    w = limited(joins_per_second=1, join_burst=2)
    alice, bob, carol = (w.online(f"{who}/x") for who in (ALICE, BOB, CAROL))
    make(alice, "A")
    w.advance(10)
    banned = f"<query xmlns='{NS_MUC_ADMIN}'><item affiliation='outcast' jid='{BOB}'/></query>"
    alice.send(f"<iq type='set' id='b' to='{HALL}'>{banned}</iq>")
    assert {condition(enter(bob, "B")[0]) for _ in range(5)} == {"forbidden"}
    assert "110" in codes(enter(carol, "C"))


def test_who_has_no_voice_takes_none_from_the_others() -> None:
    w = limited(room_messages_per_second=1, room_message_burst=3)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "A", moderatedroom="1")
    enter(bob, "B")
    for _ in range(5):
        say(bob, "let me")
    alice.received()
    say(alice, "silence")
    assert said(alice) == ["A: silence"]


def test_each_invitation_counts() -> None:
    w = limited(messages_per_second=1, message_burst=30)
    alice = w.online(f"{ALICE}/a")
    make(alice, "A")
    invites = "".join(f"<invite to='u{n}@example.org'/>" for n in range(20))
    for _ in range(2):
        alice.send(f"<message to='{HALL}'><x xmlns='{NS_MUC_USER}'>{invites}</x></message>")
    refused = [condition(e) for e in alice.received() if e.get("type") == "error"]
    assert refused.count("resource-constraint") == 1


def test_questions_to_others_have_a_bound() -> None:
    w = limited()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "A")
    enter(bob, "B")
    alice.received()
    for number in range(600):
        bob.send(f"<iq type='get' id='q{number}' to='{HALL}/A'><query xmlns='jabber:iq:version'/></iq>")
    assert condition(bob.received()[-1]) == "resource-constraint"
    assert len(alice.received()) == 500


def test_who_sends_too_much_is_told_to_wait_and_the_others_are_not() -> None:
    w = limited(messages_per_second=1, message_burst=2)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "A")
    enter(bob, "B")
    alice.received()
    for text in ("1", "2", "3"):
        say(bob, text)
    say(alice, "4")
    assert said(alice) == ["B: 1", "B: 2", "A: 4"]
    refused = [e for e in bob.received() if e.get("type") == "error"]
    assert [condition(e) for e in refused] == ["resource-constraint"]
    w.advance(1)
    say(bob, "5")
    assert said(alice) == ["B: 5"]


def test_who_changes_too_often_is_told_to_wait_and_stays() -> None:
    w = limited(presence_burst=2, presences_per_minute=1)
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    make(alice, "A")
    enter(bob, "B")
    alice.received()
    for number in range(3):
        bob.send(f"<presence to='{HALL}/B{number}'/>")
    assert condition(bob.received()[-1]) == "resource-constraint"
    alice.received()
    bob.leave()
    w.turn()
    assert here(alice.received()) == ["-B1"]


def test_what_is_too_large_is_refused() -> None:
    w = limited(message_bytes=1024, presence_bytes=2048, subject_bytes=100)
    alice = w.online(f"{ALICE}/a")
    make(alice, "A")
    say(alice, "x" * 1100)
    assert condition(alice.one()) == "policy-violation"
    alice.send(f"<message type='groupchat' to='{HALL}'><subject>{'x' * 101}</subject></message>")
    assert condition(alice.one()) == "policy-violation"
    status = f"<status>{'x' * 2100}</status><x xmlns='{NS_MUC}'/>"
    alice.send(f"<presence to='{HALL}/A'>{status}</presence>")
    assert condition(alice.one()) == "policy-violation"


def test_who_joins_a_group_later_is_put_on_the_lists_when_the_room_is_read_again() -> None:
    """Nobody who was taken off them comes back by that."""
    maths = RoomClass(
        names=("maths-*",), creators=("@maths",), members=("@maths",), members_only=True, persistent=True
    )
    w = world(groups={"maths": RoomGroup(members=(ALICE, BOB))}, classes={"supervisions": maths})
    room = f"maths-1@{SERVICE}"
    alice = w.online(f"{ALICE}/a")
    enter(alice, "A", room)
    configure(alice, room)
    ban = f"<item affiliation='none' jid='{BOB}'/>"
    alice.send(f"<iq type='set' id='1' to='{room}'><query xmlns='{NS_MUC_ADMIN}'>{ban}</query></iq>")
    alice.leave()
    rooms = replace(w.settings.rooms, groups={"maths": RoomGroup(members=(ALICE, BOB, CAROL))})
    w.settings = replace(w.settings, rooms=rooms)
    w.restart()
    assert condition(enter(w.online(f"{BOB}/b"), "B", room)[-1]) == "registration-required"
    assert "110" in codes(enter(w.online(f"{CAROL}/c"), "C", room))
    assert w.memory.rooms.lists[JID.parse(room)][JID.parse(CAROL)].affiliation == "member"


def test_xep0045_7_2_12_a_temporary_room_does_not_say_that_it_is_logged() -> None:
    w = world(archived=True, persistent=False)
    alice = w.online(f"{ALICE}/a")
    assert "170" not in codes(enter(alice, "A"))
    configure(alice, enablelogging="1", persistentroom="0")
    bob = w.online(f"{BOB}/b")
    assert "170" not in codes(enter(bob, "B"))
    bob.received()
    configure(alice, enablelogging="1", persistentroom="1")
    assert "170" in codes(bob.received())
    assert "170" in codes(enter(w.online(f"{CAROL}/c"), "C"))
