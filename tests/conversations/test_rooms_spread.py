"""What a room says to all is written to those who are here without a stanza for each; nobody must notice."""

import pytest

from commonroom.core.feature import Feature, on_message
from commonroom.core.message import Outcome, Received
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message
from tests.conversations.managed import Managed, enable
from tests.conversations.rooms import HALL, enter, here, make, said, say
from tests.conversations.world import Client, World

ALICE, BOB = "alice@example.org", "bob@example.org"
INACTIVE, ACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>", "<active xmlns='urn:xmpp:csi:0'/>"


class Deaf(Feature):
    """Somebody who does not want to hear a word."""

    @on_message(Received.BLOCK, wants="deaf")
    def drop(self, message: Message, user: User) -> Outcome:
        return True


class Elsewhere(Feature):
    """A stage that has nothing to do with rooms."""

    @on_message(Received.BLOCK, rooms=False)
    def drop(self, message: Message, user: User) -> Outcome:
        return True


@pytest.fixture
def world() -> World:
    return World(ALICE, BOB)


def both(world: World) -> tuple[Client, Client]:
    alice, bob = world.online(f"{ALICE}/a"), world.online(f"{BOB}/b")
    make(alice, "Alice")
    enter(bob, "Bob")
    alice.received()
    return alice, bob


def session_of(world: World, account: str) -> Session:
    user = world.core.users.find(JID.parse(account))
    assert user is not None
    (session,) = user.sessions.values()
    assert isinstance(session, Session)
    return session


def test_a_stage_of_the_recipients_may_take_what_a_room_says(world: World):
    world.declare(Deaf())
    alice, bob = both(world)
    session_of(world, BOB).user.wants |= {"deaf"}
    say(alice, "hello")
    assert (said(alice), said(bob)) == (["Alice: hello"], [])


def test_a_stage_that_is_not_for_rooms_is_not_asked(world: World):
    world.declare(Elsewhere())
    alice, bob = both(world)
    say(alice, "hello")
    assert said(bob) == ["Alice: hello"]


def test_xep0352_5_1_who_does_not_look_has_presences_held_back_and_no_message(world: World):
    alice, bob = both(world)
    bob.send(INACTIVE)
    alice.send(f"<presence to='{HALL}/Alice'><show>away</show></presence>")
    assert bob.received() == []
    say(alice, "hello")
    names = [element.name for element in bob.received()]
    assert names == ["presence", "message"]


def test_xep0198_4_what_a_room_says_is_counted_and_sent_again(world: World):
    alice, bob = both(world)
    name = enable(bob).get("id")
    managed = Managed(bob, name)
    say(alice, "one")
    assert [stanza.name for stanza in managed.read()] == ["message"]
    assert [type(stanza) for stanza in session_of(world, BOB).remaining()] == [Message]


def test_rfc6121_4_6_3_who_was_put_out_of_a_room_needs_not_leave_it_again(world: World):
    alice, bob = both(world)
    alice.send(
        f"<iq type='set' id='k' to='{HALL}'><query xmlns='http://jabber.org/protocol/muc#admin'>"
        "<item nick='Bob' role='none'/></query></iq>"
    )
    assert here(bob.received()) == ["-Bob"]
    assert not session_of(world, BOB).directed


def test_an_address_that_must_be_escaped_is(world: World):
    alice = world.online(f"{ALICE}/it's me")
    make(alice, "Alice")
    say(alice, "hello")
    assert said(alice) == ["Alice: hello"]
