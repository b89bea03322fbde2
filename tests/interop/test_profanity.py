"""Profanity in use: what is typed reaches the others, and what they do shows on the screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .people import Person, befriend
from .profanity import Profanity
from .server import ServerUnderTest
from .stanzas import Contact


@pytest.fixture
def distrusting_profanity(tmp_path: Path, server: ServerUnderTest) -> Iterator[Profanity]:
    """A Profanity that was not given the server's certificate."""
    terminal = Profanity(tmp_path, server, trusts_server=False)
    yield terminal
    terminal.close()


def test_profanity_cannot_log_in_with_a_wrong_password(profanity: Profanity, romeo: Person) -> None:
    profanity.connect(romeo, password="arise-fair-sun")
    profanity.see("Login failed.")


def test_profanity_asks_about_a_certificate_it_does_not_know(
    distrusting_profanity: Profanity, romeo: Person
) -> None:
    """The other tests with the policy "force" verify the certificate, or this would not ask."""
    distrusting_profanity.connect(romeo, tls="force")
    distrusting_profanity.see("TLS certificate verification failed")
    distrusting_profanity.type("/tls deny")
    distrusting_profanity.see("Login failed.")


def test_profanity_logs_in_trusting_any_certificate(distrusting_profanity: Profanity, romeo: Person) -> None:
    distrusting_profanity.log_in(romeo, tls="trust")


@pytest.mark.parametrize("tls", ["force", "legacy"], ids=["starttls", "direct-tls"])
def test_profanity_logs_in_over_tls(tls: str, profanity: Profanity, romeo: Person) -> None:
    profanity.log_in(romeo, tls=tls)
    profanity.see(f"{romeo.jid}/profanity logged in successfully, online (priority 0).")


def test_profanity_adds_and_removes_a_contact(profanity: Profanity, romeo: Person, juliet: Person) -> None:
    profanity.log_in(romeo)
    witness = romeo.come_online("witness")
    profanity.type(f"/roster add {juliet.jid} Julia")
    profanity.see(f"Roster item added: {juliet.jid} (Julia)")
    assert witness.receive_push(juliet.jid, "none") == Contact("none", "Julia")
    profanity.type(f"/roster remove {juliet.jid}")
    profanity.see(f"Roster item removed: {juliet.jid}")
    witness.receive_push(juliet.jid, "remove")


def test_profanity_subscribes_and_approves(profanity: Profanity, romeo: Person, juliet: Person) -> None:
    balcony = juliet.come_online("balcony")
    profanity.log_in(romeo)
    profanity.type(f"/sub request {juliet.jid}")
    balcony.receive_presence("subscribe", romeo.jid)
    balcony.send_subscription("subscribed", romeo.jid)
    profanity.see(f"Subscription received from {juliet.jid}")
    profanity.see("(balcony) is online")
    balcony.send_subscription("subscribe", romeo.jid)
    profanity.see(f"Received authorization request from {juliet.jid}")
    profanity.type(f"/sub allow {juliet.jid}")
    balcony.receive_presence("subscribed", romeo.jid)
    balcony.receive_presence("available", f"{romeo.jid}/profanity")
    profanity.type("/roster")
    profanity.see(f"{juliet.jid} - both")


def test_profanity_sees_a_contact_come_online_change_and_go(
    profanity: Profanity, romeo: Person, juliet: Person
) -> None:
    befriend(romeo.come_online(), juliet.come_online("balcony"))
    romeo.leave()
    juliet.leave()
    profanity.log_in(romeo)
    orchard = juliet.come_online("orchard")
    profanity.see("(orchard) is online")
    orchard.announce(pshow="away", pstatus="listening")
    profanity.see('(orchard) is away, "listening"')
    orchard.logout()
    profanity.see("(orchard) is offline")


def test_profanity_shows_its_status_to_a_contact(profanity: Profanity, romeo: Person, juliet: Person) -> None:
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    befriend(garden, balcony)
    profanity.log_in(romeo)
    profanity.type("/status set dnd climbing")
    seen = balcony.receive_presence("dnd", f"{romeo.jid}/profanity")
    assert seen["status"] == "climbing"
    profanity.type("/disconnect")
    balcony.receive_presence("unavailable", f"{romeo.jid}/profanity")


def test_profanity_chats_both_ways(profanity: Profanity, romeo: Person, juliet: Person) -> None:
    balcony = juliet.come_online("balcony")
    profanity.log_in(romeo)
    profanity.type(f"/msg {juliet.jid} Shall I hear <more>?")
    heard = balcony.receive_message("Shall I hear <more>?")
    assert heard["from"] == f"{romeo.jid}/profanity"
    balcony.chat(str(heard["from"]), "’Tis but thy name")
    profanity.see("’Tis but thy name")


def test_profanity_shows_a_message_that_came_while_it_was_away(
    profanity: Profanity, romeo: Person, juliet: Person
) -> None:
    balcony = juliet.login()
    balcony.chat(romeo.jid, "What’s in a name?")
    balcony.sync()
    profanity.log_in(romeo)
    profanity.see(f"<< chat message: {juliet.jid}")
    profanity.type("/win 2")
    profanity.see("What’s in a name?")
