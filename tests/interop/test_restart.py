"""The server is restarted under its clients: drained with SIGTERM, or killed with SIGKILL."""

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from slixmpp.stanza import Message

from .people import Person, befriend
from .profanity import Profanity
from .server import ServerUnderTest
from .stanzas import Contact

End = Callable[[ServerUnderTest], None]

NOTE = "{urn:example:interop}note"


@pytest.fixture
def server(restartable_server: ServerUnderTest) -> ServerUnderTest:
    """A server that these tests may stop, running again when one of them left it stopped."""
    if not restartable_server.is_running:
        restartable_server.start()
    return restartable_server


@pytest.fixture(params=[ServerUnderTest.stop, ServerUnderTest.kill], ids=["drained", "killed"])
def end(request: pytest.FixtureRequest) -> End:
    chosen: End = request.param
    return chosen


def test_restart_tells_every_client_system_shutdown(
    server: ServerUnderTest, romeo: Person, juliet: Person
) -> None:
    """RFC 6120 §4.9.3.20: who is available, who only logged in, and over direct TLS."""
    clients = [romeo.come_online("online"), romeo.login("silent"), juliet.login(direct_tls=True)]
    for client in clients:
        client.sync()
    server.stop()
    assert [client.receive_stream_error() for client in clients] == ["system-shutdown"] * 3


def test_restart_keeps_accounts(end: End, server: ServerUnderTest, romeo: Person) -> None:
    romeo.login(mechanism="SCRAM-SHA-256").settle()
    end(server)
    server.start()
    romeo.login(mechanism="SCRAM-SHA-256")
    romeo.login(mechanism="PLAIN")


def test_restart_keeps_rosters(
    end: End, server: ServerUnderTest, romeo: Person, juliet: Person, nurse: Person
) -> None:
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    befriend(garden, balcony)
    garden.set_contact(juliet.jid, "Juliet", ["Capulets", "Friends"])
    garden.send_subscription("subscribe", nurse.jid)
    garden.receive_push(nurse.jid, "none", ask="subscribe")
    balcony.settle()
    garden.settle()
    before = garden.roster(), balcony.roster()
    assert before[0][juliet.jid] == Contact("both", "Juliet", frozenset({"Capulets", "Friends"}))
    end(server)
    server.start()
    assert (romeo.login().roster(), juliet.login().roster()) == before
    nurse.come_online().receive_presence("subscribe", romeo.jid)


def test_restart_keeps_messages_to_somebody_away(
    end: End, server: ServerUnderTest, romeo: Person, juliet: Person
) -> None:
    """They come once and in order."""
    bodies = [f"letter {number}" for number in range(5)]
    sender = romeo.come_online()
    for body in bodies:
        sender.chat(juliet.jid, body)
    sender.settle()
    end(server)
    server.start()
    reader = juliet.come_online()
    read = [reader.receive("a letter", is_letter) for _ in bodies]
    assert [message["body"] for message in read] == bodies
    assert all(message["delay"]["stamp"] for message in read)
    reader.sync()
    assert not reader.has(is_letter)


def test_restart_keeps_private_xml(end: End, server: ServerUnderTest, romeo: Person) -> None:
    note = ET.Element(NOTE)
    note.text = "wilt thou be gone?"
    romeo.login().store(note)
    end(server)
    server.start()
    found = romeo.login().stored(NOTE)
    assert found is not None
    assert found.text == note.text


def test_restart_lets_contacts_meet_again(
    end: End, server: ServerUnderTest, romeo: Person, juliet: Person
) -> None:
    """The same clients connect again, see each other, and talk."""
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    befriend(garden, balcony)
    garden.settle()
    end(server)
    server.start()
    for client in (garden, balcony):
        client.login()
        client.announce(pstatus="after the restart")
    garden.receive_presence("available", balcony.jid)
    balcony.receive_presence("available", garden.jid)
    garden.chat(balcony.jid, "Good morrow")
    balcony.receive_message("Good morrow")


def test_profanity_returns_after_a_restart(
    end: End, server: ServerUnderTest, profanity: Profanity, romeo: Person, juliet: Person
) -> None:
    """By itself, and it can be talked to."""
    profanity.log_in(romeo)
    profanity.type(f"/roster add {juliet.jid} Julia")
    profanity.see("Roster item added")
    end(server)
    profanity.see("Lost connection.")
    profanity.see("[offline]")
    server.start()
    profanity.see("Connection re-established.")
    profanity.see("[TLS] [online]")
    profanity.type("/roster")
    profanity.see(f"{juliet.jid} (Julia) - none")
    profanity.type(f"/msg {juliet.jid} Still here")
    juliet.come_online().receive_message("Still here")


def is_letter(stanza: object) -> bool:
    return isinstance(stanza, Message) and str(stanza["body"]).startswith("letter")
