"""XEP-0198 §4: what a client says again in a room, because it lost its stream, is said once."""

import pytest

from tests.conversations.managed import managed
from tests.conversations.rooms import HALL, enter, make, said, say
from tests.conversations.test_rooms_archive import bodies, query
from tests.conversations.world import Client, World

ALICE, BOB = "alice@example.org", "bob@example.org"
ID = "message-with-an-id-that-is-unique"
# More than the room's history holds.
MANY = 30


@pytest.fixture
def w() -> World:
    return World(ALICE, BOB)


@pytest.fixture
def alice(w: World) -> Client:
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", enablelogging="1")
    return alice


def come(w: World) -> Client:
    """Bob with a stream that acknowledges, inside."""
    bob = managed(w, f"{BOB}/b").client
    enter(bob, "Bob")
    return bob


def chatter(w: World, alice: Client) -> None:
    for number in range(MANY):
        w.advance(1)
        say(alice, f"chatter {number}")


def archived(client: Client) -> list[str | None]:
    return [body for body in bodies(query(client)) if body and "chatter" not in body]


def test_xep0198_4_what_is_older_than_the_history_is_known_by_the_archive(w: World, alice: Client) -> None:
    bob = come(w)
    say(bob, "once", id=ID)
    [once] = [e for e in bob.received() if e.get("id") == ID]
    bob.cut()
    chatter(w, alice)
    bob = come(w)
    alice.received()
    say(bob, "once", id=ID)
    [again] = [e for e in bob.received() if e.get("id") == ID]
    assert again.child("urn:xmpp:sid:0", "stanza-id") == once.child("urn:xmpp:sid:0", "stanza-id")
    assert said(alice) == []
    assert archived(alice) == ["once"]


def test_xep0198_4_other_words_or_another_user_are_no_repetition(w: World, alice: Client) -> None:
    bob = come(w)
    say(bob, "once", id=ID)
    bob.cut()
    chatter(w, alice)
    bob = come(w)
    say(bob, "twice", id=ID)
    say(alice, "once", id=ID)
    assert archived(alice) == ["once", "twice", "once"]


def test_xep0198_4_what_is_said_after_it_keeps_its_order(w: World, alice: Client) -> None:
    bob = come(w)
    say(bob, "once", id=ID)
    bob.cut()
    chatter(w, alice)
    bob = come(w)
    alice.received()
    for text, id in (("once", ID), ("new", f"{ID}-2"), ("newer", f"{ID}-3")):
        say(bob, text, id=id)
    assert said(alice) == ["Bob: new", "Bob: newer"]
    assert HALL in str(bob.received()[-1].get("from"))
