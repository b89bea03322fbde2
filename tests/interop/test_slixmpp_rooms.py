"""slixmpp in a room: entering, speaking, moderating, and reading what was said (XEP-0045, XEP-0313)."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError, PresenceError

from .people import Person
from .slix import SlixClient
from .waiting import wait_until

FORM = "http://jabber.org/protocol/muc#roomconfig"
NUMBERS = count()


@pytest.fixture
def room() -> str:
    """The address of a room that nobody has made."""
    return f"verona{next(NUMBERS)}@group.localhost"


@pytest.fixture
def two(romeo: Person, juliet: Person, room: str) -> Iterator[tuple[SlixClient, SlixClient]]:
    """Romeo owns a lasting room, and Juliet has come in."""
    owner, guest = romeo.come_online("home"), juliet.come_online("balcony")
    enter(owner, room, "Romeo")
    configure(owner, room, persistentroom="1")
    enter(guest, room, "Juliet")
    yield owner, guest
    owner.ask(lambda stream: muc(stream).destroy(JID(room)))


def muc(stream: Any) -> Any:
    return stream.plugin["xep_0045"]


def enter(client: SlixClient, room: str, nick: str) -> Any:
    return client.ask(lambda stream: muc(stream).join_muc_wait(JID(room), nick, timeout=5))


def configure(client: SlixClient, room: str, **values: str) -> None:
    """Get the form, and send back what differs."""

    async def fill(stream: Any) -> None:
        assert (await muc(stream).get_room_config(JID(room)))["type"] == "form"
        form = stream.plugin["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden", value=FORM)
        for name, value in values.items():
            form.add_field(var=f"muc#roomconfig_{name}", value=value)
        await muc(stream).set_room_config(JID(room), form)

    client.ask(fill)


def say(room: str, text: str, stream: Any) -> None:
    stream.send_message(JID(room), text, mtype="groupchat")


def heard(client: SlixClient, text: str) -> Any:
    """The message with this body from a room."""
    return client.receive(
        f"{text!r} in the room",
        lambda s: s.name == "message" and s["type"] == "groupchat" and s["body"] == text,
    )


def test_slixmpp_finds_the_service_and_makes_a_room(romeo: Person, room: str) -> None:
    client = romeo.come_online()
    items = client.ask(lambda stream: stream.plugin["xep_0030"].get_items("localhost"))
    assert "group.localhost" in {str(item[0]) for item in items["disco_items"]["items"]}
    own, *_ = enter(client, room, "Romeo")
    assert 201 in own["muc"]["status_codes"]
    configure(client, room, roomname="Verona")
    info = client.ask(lambda stream: stream.plugin["xep_0030"].get_info(room))
    assert "http://jabber.org/protocol/muc" in info["disco_info"]["features"]


def test_slixmpp_is_refused_a_nickname_that_is_taken(
    two: tuple[SlixClient, SlixClient], nurse: Person, room: str
) -> None:
    client = nurse.come_online()
    with pytest.raises(PresenceError) as refused:
        enter(client, room, "Juliet")
    assert refused.value.condition == "conflict"


def test_slixmpp_speaks_with_all_and_with_one(two: tuple[SlixClient, SlixClient], room: str) -> None:
    owner, guest = two
    guest.do(lambda stream: stream.send_message(JID(room), "O Romeo", mtype="groupchat"))
    for client in two:
        assert heard(client, "O Romeo")["from"] == f"{room}/Juliet"
    owner.do(lambda stream: stream.send_message(JID(f"{room}/Juliet"), "psst", mtype="chat"))
    message = guest.receive_message("psst")
    assert message["from"] == f"{room}/Romeo"


def test_slixmpp_sees_who_is_there_and_what_was_said(
    two: tuple[SlixClient, SlixClient], nurse: Person, room: str
) -> None:
    owner, _ = two
    owner.do(lambda stream: muc(stream).set_subject(room, "Fair Verona"))
    owner.do(lambda stream: stream.send_message(JID(room), "where we lay our scene", mtype="groupchat"))
    heard(owner, "where we lay our scene")
    client = nurse.come_online()

    def come_in(stream: Any) -> Any:
        return muc(stream).join_muc_wait(JID(room), "Nurse", maxstanzas=5, timeout=5)

    _, subject, occupants, said = client.ask(come_in)
    assert {str(presence["from"].resource) for presence in occupants} >= {"Romeo", "Juliet"}
    assert [message["body"] for message in said] == ["where we lay our scene"]
    assert subject["subject"] == "Fair Verona"


def test_slixmpp_moderates(two: tuple[SlixClient, SlixClient], room: str) -> None:
    owner, guest = two
    with pytest.raises(IqError) as refused:
        guest.ask(lambda stream: muc(stream).set_role(room, "Romeo", "none"))
    assert refused.value.condition in ("forbidden", "not-allowed")
    owner.ask(lambda stream: muc(stream).set_affiliation(room, "member", jid=JID(guest.bare_jid)))
    found = owner.ask(lambda stream: muc(stream).get_affiliation_list(room, "member"))
    assert [str(jid) for jid in found] == [guest.bare_jid]
    owner.ask(lambda stream: muc(stream).set_role(room, "Juliet", "none"))
    gone = guest.receive_presence("unavailable", f"{room}/Juliet")
    assert 307 in gone["muc"]["status_codes"]


def test_slixmpp_reads_the_archive_of_a_room(two: tuple[SlixClient, SlixClient], room: str) -> None:
    owner, guest = two
    for number in range(3):
        owner.do(partial(say, room, f"line {number}"))
    heard(guest, "line 2")

    async def read(stream: Any) -> list[str]:
        pages = stream.plugin["xep_0313"].retrieve(jid=JID(room), iterator=True, rsm={"max": 2})
        found = []
        async for page in pages:
            for result in page["mam"]["results"]:
                found.append(result["mam_result"]["forwarded"]["stanza"]["body"])
        return found

    assert guest.ask(read)[-3:] == ["line 0", "line 1", "line 2"]


def test_slixmpp_leaves_with_its_session(two: tuple[SlixClient, SlixClient], room: str) -> None:
    owner, guest = two
    guest.vanish()

    def is_gone() -> bool:
        return "Juliet" not in owner.ask(_roster(room))

    wait_until(is_gone, "Juliet is still there", 8)


def _roster(room: str) -> Any:
    async def ask(stream: Any) -> list[str]:
        return list(muc(stream).get_roster(JID(room)))

    return ask
