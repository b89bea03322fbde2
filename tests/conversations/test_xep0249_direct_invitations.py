"""XEP-0249: invitations from one client to another; the room has no part in them, and owes nothing."""

import pytest

from commonroom.admin.rooms import RoomAdmin, approve
from commonroom.config.rooms import Rooms, WhoCreates
from commonroom.protocol.muc import NS_MUC_ADMIN
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CONFERENCE, NS_MUC_USER
from tests.conversations.rooms import HALL, codes, enter, make
from tests.conversations.world import Client, World, condition, with_options

ALICE, BOB = "alice@example.org", "bob@example.org"
REASON = "Hey Bob, this is the place for all good witches!"
ALL = {
    "jid": HALL,
    "password": "cauldronburn",
    "reason": REASON,
    "continue": "true",
    "thread": "e0ffe42b28561960c6b12b944a092794b9683a38",
}


@pytest.fixture
def w() -> World:
    return World(ALICE, BOB)


@pytest.fixture
def alice(w: World) -> Client:
    return w.online(f"{ALICE}/a")


def invite(client: Client, to: str = BOB) -> None:
    written = "".join(f" {name}='{value}'" for name, value in ALL.items())
    client.send(f"<message to='{to}' id='i'><x xmlns='{NS_CONFERENCE}'{written}/></message>")


def invited(message: Element) -> dict[str, str]:
    """What the invitation says."""
    found = message.child(NS_CONFERENCE, "x")
    assert found is not None, message
    return found.attributes


def test_xep0249_4_an_invitation_alone_opens_no_members_only_room(w: World, alice: Client) -> None:
    make(alice, "A", membersonly="1")
    bob = w.online(f"{BOB}/b")
    invite(alice)
    assert condition(enter(bob, "B")[0]) == "registration-required"
    item = f"<item jid='{BOB}' affiliation='member'/>"
    alice.send(f"<iq type='set' id='m' to='{HALL}'><query xmlns='{NS_MUC_ADMIN}'>{item}</query></iq>")
    assert "110" in codes(enter(bob, "B"))


def test_xep0249_2_it_arrives_as_it_was_sent(w: World, alice: Client) -> None:
    bob = w.online(f"{BOB}/b")
    invite(alice)
    came = bob.one()
    assert (came.get("from"), came.get("type"), invited(came)) == (f"{ALICE}/a", None, ALL)
    assert came.child(NS_MUC_USER, "x") is None


def test_xep0249_2_all_clients_hear_of_it(w: World, alice: Client) -> None:
    clients = [w.online(f"{BOB}/{name}") for name in ("desk", "phone")]
    for client in clients:
        client.received()
    invite(alice)
    assert [invited(client.one()) for client in clients] == [ALL, ALL]


def test_xep0249_2_it_waits_for_who_is_away(w: World, alice: Client) -> None:
    invite(alice)
    bob = w.login(f"{BOB}/b")
    bob.send("<presence/>")
    (message,) = [e for e in bob.received() if e.name == "message"]
    assert invited(message) == ALL


def test_xep0249_2_whoever_is_invited_enters_with_the_password_in_it(w: World, alice: Client) -> None:
    make(alice, "A", passwordprotectedroom="1", roomsecret="cauldronburn")
    bob = w.online(f"{BOB}/b")
    assert condition(enter(bob, "B")[0]) == "not-authorized"
    invite(alice)
    found = invited(bob.one())
    came = enter(bob, "B", found["jid"], f"<password>{found['password']}</password>")
    assert "110" in codes(came)


def test_xep0249_2_an_occupant_is_invited_elsewhere_in_private(w: World, alice: Client) -> None:
    make(alice, "A")
    bob = w.online(f"{BOB}/b")
    enter(bob, "B")
    invite(alice, f"{HALL}/B")
    came = bob.one()
    assert (came.get("from"), invited(came)) == (f"{HALL}/A", ALL)
    assert came.child(NS_MUC_USER, "x") is not None  # XEP-0045 §7.5


def test_xep0249_2_a_room_takes_no_invitation_for_others(w: World, alice: Client) -> None:
    make(alice, "A")
    bob = w.online(f"{BOB}/b")
    enter(bob, "B")
    alice.received()
    invite(alice, HALL)
    assert alice.one().get("type") == "error"
    assert bob.received() == []


def test_who_asked_for_a_room_is_invited_into_it_when_an_operator_approves() -> None:
    w = World(ALICE, settings=with_options(rooms=Rooms(create=WhoCreates.NOBODY, requests=True)))
    alice = w.online(f"{ALICE}/a")
    assert condition(enter(alice, "A")[0]) == "not-allowed"
    services = {str(each.domain): each for each in w.core.rooms}
    w.start(approve(RoomAdmin(services, w.stores), HALL))
    w.turn()
    assert invited(alice.one()) == {"jid": HALL}
    assert "201" not in codes(enter(alice, "A"))
