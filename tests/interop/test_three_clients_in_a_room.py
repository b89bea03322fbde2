"""slixmpp, Poezio and Profanity in one room: each sees what the others do (XEP-0045)."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from slixmpp import JID

from .people import Person
from .poezio import Poezio
from .profanity import Profanity
from .server import ServerUnderTest
from .slix import SlixClient
from .test_slixmpp_rooms import configure, enter, heard, muc

NUMBERS = count()


class Three(NamedTuple):
    """Romeo with slixmpp, who owns the room; Juliet with Poezio; her nurse with Profanity, who is admin."""

    romeo: SlixClient
    juliet: Poezio
    nurse: Profanity
    room: str


@pytest.fixture
def poezio(tmp_path: Path, server: ServerUnderTest, juliet: Person) -> Iterator[Poezio]:
    """A Poezio of Juliet's that was just started."""
    terminal = Poezio(tmp_path / "poezio", server, juliet)
    yield terminal
    terminal.close()


@pytest.fixture
def three(romeo: Person, nurse: Person, profanity: Profanity, poezio: Poezio) -> Iterator[Three]:
    """All three have come in, and know of each other."""
    room = f"orchard{next(NUMBERS)}@group.localhost"
    owner = romeo.come_online("home")
    enter(owner, room, "Romeo")
    configure(owner, room, persistentroom="1")
    owner.ask(lambda stream: muc(stream).set_affiliation(room, "admin", jid=JID(nurse.jid)))
    profanity.log_in(nurse)
    profanity.type("/presence room all")
    profanity.type(f"/join {room} nick Nurse")
    profanity.see("You have joined the room as Nurse, role: moderator, affiliation: admin")
    poezio.see("Authentication success.")
    poezio.command(f"/join {room}/Juliet")
    poezio.see("You (Juliet) joined the room")
    yield Three(owner, poezio, profanity, room)
    owner.ask(lambda stream: muc(stream).destroy(JID(room)))


def test_each_sees_the_others_come_and_hears_them(three: Three) -> None:
    romeo, juliet, nurse, room = three
    for nick in ("Nurse", "Juliet"):
        romeo.receive_presence("available", f"{room}/{nick}")
    juliet.see("~Romeo")  # the owner
    juliet.see("&Nurse")  # an administrator
    nurse.see("Juliet")
    juliet.type("Ay me!")
    nurse.see("Juliet: Ay me!")
    assert heard(romeo, "Ay me!")["from"] == f"{room}/Juliet"
    romeo.do(lambda stream: stream.send_message(JID(room), "She speaks.", mtype="groupchat"))
    juliet.see("Romeo> She speaks.")
    nurse.see("Romeo: She speaks.")
    nurse.type("Madam!")
    juliet.see("Nurse> Madam!")
    assert heard(romeo, "Madam!")["from"] == f"{room}/Nurse"


def test_each_sees_another_nickname_and_another_subject(three: Three) -> None:
    romeo, juliet, nurse, room = three
    juliet.type("/nick Jule")
    juliet.see("Juliet is now known as Jule")
    nurse.see("Juliet is now known as Jule")
    gone = romeo.receive_presence("unavailable", f"{room}/Juliet")
    assert (303 in gone["muc"]["status_codes"], gone["muc"]["item"]["nick"]) == (True, "Jule")
    romeo.receive_presence("available", f"{room}/Jule")
    nurse.type("/nick Angelica")
    juliet.see("Nurse is now known as Angelica")
    romeo.receive_presence("available", f"{room}/Angelica")
    nurse.type("/subject set Good night")
    juliet.see("Angelica set the subject to: Good night")
    juliet.type("/topic Good morning")
    juliet.see("you may not change the subject")
    romeo.do(lambda stream: muc(stream).set_subject(room, "Parting"))
    juliet.see("Romeo set the subject to: Parting")
    nurse.see("Romeo has set the room subject: Parting")


def test_one_who_is_put_out_comes_back_and_all_leave(three: Three) -> None:
    romeo, juliet, nurse, room = three
    nurse.see("Juliet")
    nurse.type("/kick Juliet Come away")
    juliet.see("You have been kicked by Nurse Reason: Come away")
    nurse.see("Juliet has been kicked from the room by Nurse, reason: Come away")
    gone = romeo.receive_presence("unavailable", f"{room}/Juliet")
    assert 307 in gone["muc"]["status_codes"]
    juliet.type("/cycle")
    romeo.receive_presence("available", f"{room}/Juliet")
    nurse.see("-> Juliet has joined the room")
    juliet.type("/part A thousand times")
    nurse.see("<- Juliet has left the room")
    left = romeo.receive_presence("unavailable", f"{room}/Juliet")
    assert (left["status"], 307 in left["muc"]["status_codes"]) == ("A thousand times", False)
    nurse.type("/close")
    romeo.receive_presence("unavailable", f"{room}/Nurse")
