"""XEP-0486, XEP-0502: what a room looks like, and how much is said in it."""

import hashlib

import pytest

from commonroom.xml.element import Element
from tests.conversations.rooms import HALL, codes, configure, enter, make, say
from tests.conversations.world import Client, World, condition

ALICE, BOB = "alice@example.org", "bob@example.org"
VCARD = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>aGVs\nbG8=</BINVAL></PHOTO></vCard>"
HASH = hashlib.sha1(b"hello", usedforsecurity=False).hexdigest()
ACTIVITY = "{urn:xmpp:muc-activity}message-activity"


@pytest.fixture
def w() -> World:
    return World(ALICE, BOB)


@pytest.fixture
def alice(w: World) -> Client:
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", publicroom="1")
    return alice


def vcard(client: Client, kind: str, inside: str = "<vCard xmlns='vcard-temp'/>") -> Element:
    return client.ask(f"<iq type='{kind}' id='v' to='{HALL}'>{inside}</iq>")


def field(client: Client, name: str) -> str | None:
    query = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    info = client.ask(f"<iq type='get' id='i' to='{HALL}'>{query}</iq>").elements()[0]
    (form,) = [e for e in info.elements() if e.name == "x"]
    found = [f.child_text("jabber:x:data", "value") for f in form.elements() if f.get("var") == name]
    return found[0] if found else None


def test_xep0486_3_2_only_owners_set_the_avatar(w: World, alice: Client) -> None:
    assert condition(vcard(w.online(f"{BOB}/b"), "set", VCARD)) == "forbidden"


def test_xep0486_3_2_what_is_no_picture_is_refused(alice: Client) -> None:
    assert condition(vcard(alice, "set", VCARD.replace("aGVs", "!!!!"))) == "bad-request"
    assert condition(vcard(alice, "set", VCARD.replace("aGVs", "aGVs" * 40_000))) == "policy-violation"


def test_xep0486_3_2_temporary_rooms_have_none(alice: Client) -> None:
    configure(alice, persistentroom="0")
    assert condition(vcard(alice, "set", VCARD)) == "service-unavailable"


def test_xep0486_3_4_a_closed_room_does_not_show_itself(w: World, alice: Client) -> None:
    configure(alice, publicroom="0", membersonly="1")
    assert condition(vcard(w.online(f"{BOB}/b"), "get")) == "forbidden"


def test_xep0486_3_2_to_3_4_everybody_sees_the_avatar_until_it_is_gone(w: World, alice: Client) -> None:
    bob = w.online(f"{BOB}/b")
    enter(bob, "Bob")
    assert field(bob, "muc#roominfo_avatarhash") is None
    alice.send(f"<iq type='set' id='v' to='{HALL}'>{VCARD}</iq>")
    assert codes(bob.received()) == ["104"]
    w.restart()
    bob = w.online(f"{BOB}/b")
    assert field(bob, "muc#roominfo_avatarhash") == HASH
    card = vcard(bob, "get").elements()[0]
    assert card.elements()[0].child_text("vcard-temp", "TYPE") == "image/png"
    alice = w.online(f"{ALICE}/a")
    assert vcard(alice, "set").get("type") == "result"
    assert field(bob, "muc#roominfo_avatarhash") is None
    assert vcard(bob, "get").elements()[0].children == []


def test_xep0502_3_1_the_rate_is_told_once_it_is_known(w: World, alice: Client) -> None:
    bob = w.online(f"{BOB}/b")
    for text in ("1", "2", "3"):
        say(alice, text)
    assert field(bob, ACTIVITY) is None
    w.advance(100)
    for _ in range(36):
        w.advance(100)
        alice.send(" ")
        bob.send(" ")
    bob.received()
    assert field(bob, ACTIVITY) == "3.00"


@pytest.mark.parametrize(
    "fields", [{"publicroom": "0"}, {"membersonly": "1"}, {"passwordprotectedroom": "1", "roomsecret": "x"}]
)
def test_xep0502_9_rooms_that_are_not_for_all_say_nothing(
    w: World, alice: Client, fields: dict[str, str]
) -> None:
    configure(alice, **fields)
    for _ in range(40):
        w.advance(100)
        alice.send(" ")
    assert field(alice, ACTIVITY) is None
