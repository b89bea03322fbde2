"""slixmpp sends and receives chat messages, also those that waited for it."""

from datetime import UTC, datetime, timedelta

import pytest
from slixmpp.stanza import Message

from .people import Person
from .stanzas import is_message

CLOCK_TOLERANCE = timedelta(seconds=60)


def test_slixmpp_chats_both_ways(romeo: Person, juliet: Person) -> None:
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony")
    garden.chat(juliet.jid, "It is my lady")
    heard = balcony.receive_message("It is my lady")
    assert (heard["from"], heard["type"]) == (garden.jid, "chat")
    balcony.chat(str(heard["from"]), "Ay me!")
    assert garden.receive_message("Ay me!")["from"] == balcony.jid


@pytest.mark.parametrize(
    "body",
    [
        "<b>&amp;</b> ]]> \"quoted\" and 'quoted'",
        " two  spaces,\ttab,\nnew line ",
        "☾ 𝄞 👩🏽‍🚀 ﷽ e\u0301",
        "long " * 1800,
    ],
    ids=["markup", "white-space", "unicode", "long"],
)
def test_slixmpp_reads_what_was_written(body: str, romeo: Person, juliet: Person) -> None:
    balcony = juliet.come_online()
    romeo.login().chat(juliet.jid, body)
    balcony.receive_message(body)


def test_slixmpp_hears_a_message_to_its_address_only_where_it_wants_to(romeo: Person, juliet: Person) -> None:
    """RFC 6121 §8.5.2.1.1: a negative priority takes no part in messages to the bare address."""
    balcony = juliet.come_online("balcony")
    camera = juliet.login("camera")
    camera.announce(ppriority=-1)
    camera.receive_presence("available", camera.jid)
    romeo.login().chat(juliet.jid, "What light is that?")
    balcony.receive_message("What light is that?")
    camera.sync()
    assert not camera.has(lambda stanza: is_message(stanza, "What light is that?"))


def test_slixmpp_finds_messages_that_came_while_it_was_away(romeo: Person, juliet: Person) -> None:
    """In order, with the time when they were sent (XEP-0160 §3, XEP-0203), and only once."""
    bodies = [f"letter {number}" for number in range(5)]
    sender = romeo.come_online()
    sent = datetime.now(UTC)
    for body in bodies:
        sender.chat(juliet.jid, body)
    sender.sync()
    balcony = juliet.come_online("balcony")
    read = [balcony.receive("a letter", is_letter) for _ in bodies]
    assert [message["body"] for message in read] == bodies
    assert all(abs(message["delay"]["stamp"] - sent) < CLOCK_TOLERANCE for message in read)
    balcony.logout()
    again = juliet.come_online("again")
    again.sync()
    assert not again.has(is_letter)


def is_letter(stanza: object) -> bool:
    return isinstance(stanza, Message) and str(stanza["body"]).startswith("letter")
