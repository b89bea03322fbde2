"""slixmpp with stream management, carbons and the archive: several devices, and none that misses anything."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from slixmpp.exceptions import IqError
from slixmpp.stanza import Message

from .go_sendxmpp import GoSendxmpp
from .people import Person
from .server import ServerUnderTest
from .slix import SlixClient
from .test_go_sendxmpp import program as program
from .waiting import wait_until

ALL = ("xep_0198", "xep_0280", "xep_0313", "xep_0359")
MISSED = 500
PAGE = 100  # of a catch-up, as Converse asks


@pytest.fixture
def some() -> str:
    """A word that no other message has: archives are not emptied between tests."""
    return uuid4().hex[:8]


# What goes wrong


def test_slixmpp_is_told_that_the_archive_does_not_have_its_id(romeo: Person) -> None:
    garden = romeo.login(plugins=ALL)
    with pytest.raises(IqError) as caught:
        garden.ask(lambda stream: stream.plugin["xep_0313"].retrieve(rsm={"after": "1234"}))
    assert caught.value.condition == "item-not-found"


def test_slixmpp_does_not_resume_what_a_restart_ended(
    restartable_server: ServerUnderTest, loop: Any, some: str
) -> None:
    """It is told, binds anew, and has what it missed: nothing that was acknowledged is lost."""
    server = restartable_server
    if "durable" in server.lacks:
        pytest.skip(server.lacks["durable"])
    if not server.is_running:
        server.start()
    romeo, juliet = (Person(loop, server, name, server.accounts[name]) for name in ("romeo", "juliet"))
    balcony, garden = juliet.come_online("balcony", plugins=ALL), romeo.login(plugins=ALL)
    enabled = balcony.heard("sm_enabled")
    garden.sync()
    balcony.cut()
    acknowledged = garden.heard("stanza_acked")
    send(garden, juliet.jid, [f"{some} {number}" for number in range(3)])
    garden.do(lambda stream: stream.plugin["xep_0198"].request_ack())
    wait_until(lambda: len(bodies(acknowledged, some)) == 3, "the server to acknowledge three messages")
    server.kill()
    server.start()
    failed = balcony.heard("sm_failed")
    balcony.login()
    balcony.announce()
    for number in range(3):
        balcony.receive_message(f"{some} {number}")
    assert (len(failed), len(enabled)) == (1, 1)
    for person in (romeo, juliet):
        person.leave()


# XEP-0198


def test_slixmpp_has_all_that_it_sent_acknowledged(romeo: Person, juliet: Person, some: str) -> None:
    garden = romeo.come_online("garden", plugins=ALL)
    acknowledged = garden.heard("stanza_acked")
    sent = [f"{some} {number}" for number in range(20)]
    send(garden, juliet.jid, sent)
    garden.do(lambda stream: stream.plugin["xep_0198"].request_ack())
    wait_until(lambda: bodies(acknowledged, some) == sent, "all messages to be acknowledged, in order")


@pytest.mark.parametrize("direct_tls", [False, True], ids=["starttls", "direct-tls"])
def test_slixmpp_resumes_and_has_what_came_meanwhile_once(
    direct_tls: bool, romeo: Person, juliet: Person, some: str
) -> None:
    balcony = juliet.come_online("balcony", plugins=ALL, direct_tls=direct_tls)
    garden = romeo.come_online("garden")
    sent = [f"{some} {number}" for number in range(10)]
    send(garden, balcony.jid, sent[:3])
    for body in sent[:3]:
        balcony.receive_message(body)
    resumed = balcony.heard("session_resumed")
    for few in (sent[3:6], sent[6:]):  # twice
        balcony.cut()
        send(garden, balcony.jid, few)
        balcony.login()
        for body in few:
            balcony.receive_message(body)
    balcony.chat(garden.jid, f"{some} back")  # as the same session
    assert garden.receive_message(f"{some} back")["from"] == balcony.jid
    balcony.sync()
    assert not balcony.has(lambda stanza: isinstance(stanza, Message) and some in str(stanza["body"]))
    assert len(resumed) == 2


def test_slixmpp_sends_again_what_was_not_acknowledged_and_it_comes_once(
    romeo: Person, juliet: Person, some: str
) -> None:
    """The connection goes down with messages on it; after the resumption they are there, each once."""
    garden, balcony = romeo.come_online("garden", plugins=ALL), juliet.come_online("balcony")
    sent = [f"{some} {number}" for number in range(12)]

    garden.do(lambda stream: [stream.send_message(juliet.jid, body, mtype="chat") for body in sent])
    wait_until(lambda: sent[-1] in garden.transcript(), "slixmpp to write all that it has")
    garden.cut()
    garden.login()
    for body in sent:
        balcony.receive_message(body)
    garden.sync()
    balcony.sync()
    assert not balcony.has(lambda stanza: isinstance(stanza, Message) and some in str(stanza["body"]))


# XEP-0280


def test_slixmpp_sees_on_each_device_what_the_others_send_and_get(
    romeo: Person, juliet: Person, some: str
) -> None:
    garden, street = (romeo.come_online(name, plugins=ALL) for name in ("garden", "street"))
    balcony = juliet.come_online("balcony", plugins=ALL)
    for client in (garden, street):
        client.ask(lambda stream: stream.plugin["xep_0280"].enable())
    sent, received = street.heard("carbon_sent"), street.heard("carbon_received")
    garden.chat(balcony.jid, f"{some} It is my lady")
    balcony.receive_message(f"{some} It is my lady")
    wait_until(lambda: copied(sent, "carbon_sent") == [f"{some} It is my lady"], "a copy of what was sent")
    balcony.chat(garden.jid, f"{some} Ay me!")
    garden.receive_message(f"{some} Ay me!")
    wait_until(lambda: copied(received, "carbon_received") == [f"{some} Ay me!"], "a copy of what came")
    street.ask(lambda stream: stream.plugin["xep_0280"].disable())
    balcony.chat(garden.jid, f"{some} no more")
    garden.receive_message(f"{some} no more")
    street.sync()
    assert (len(sent), len(received)) == (1, 1)


def test_go_sendxmpp_s_messages_are_copied_archived_and_resumed(
    program: GoSendxmpp, romeo: Person, juliet: Person, some: str
) -> None:
    """It knows none of this; its account's other devices, and its recipient's, do."""
    street, balcony = romeo.come_online("street", plugins=ALL), juliet.come_online("balcony", plugins=ALL)
    street.ask(lambda stream: stream.plugin["xep_0280"].enable())
    sent = street.heard("carbon_sent")
    assert program.send(romeo, juliet.jid, f"{some} But soft!").returncode == 0
    balcony.receive_message(f"{some} But soft!")
    wait_until(lambda: copied(sent, "carbon_sent") == [f"{some} But soft!"], "a copy of what was sent")
    balcony.cut()
    assert program.send(romeo, juliet.jid, f"{some} What light?").returncode == 0
    balcony.login()
    balcony.receive_message(f"{some} What light?")
    for client, other in ((street, juliet), (balcony, romeo)):
        assert archived(client, some, with_jid=other.jid) == [f"{some} But soft!", f"{some} What light?"]


# XEP-0313


def test_slixmpp_pages_through_its_archive_in_both_directions(
    romeo: Person, juliet: Person, some: str
) -> None:
    garden, balcony = romeo.come_online("garden"), juliet.come_online("balcony", plugins=ALL)
    sent = [f"{some} {number}" for number in range(35)]
    send(garden, juliet.jid, sent)
    assert archived(balcony, some, rsm={"max": 10}) == sent
    backwards = archived(balcony, some, rsm={"max": 10}, reverse=True)
    assert sorted(backwards) == sorted(sent)


def test_slixmpp_catches_up_with_500_messages_as_converse_does(
    romeo: Person, juliet: Person, some: str
) -> None:
    """It knows the id of the last message it saw, and asks for what is after, page by page: each comes once.

    What it has read so does not wait for it any more: it is not sent once more when it becomes available.
    """
    sent, seen = missed(romeo, juliet, some)
    again = juliet.login("balcony", plugins=ALL)
    pages, ids = catch_up(again, seen)
    assert pages == sent
    assert len(set(ids)) == MISSED
    again.announce()
    again.sync()
    assert not again.has(lambda stanza: isinstance(stanza, Message) and some in str(stanza["body"]))
    assert catch_up(again, ids[-1]) == ([], [])


def test_slixmpp_knows_what_waited_for_it_from_the_pages(romeo: Person, juliet: Person, some: str) -> None:
    """A client that is available first is sent all of it: with the ids that it has in the archive."""
    sent, seen = missed(romeo, juliet, some)
    again = juliet.come_online("balcony", plugins=ALL)
    came = [again.receive_message(body)["stanza_id"]["id"] for body in sent]
    assert catch_up(again, seen) == (sent, came)


def missed(romeo: Person, juliet: Person, some: str) -> tuple[list[str], str]:
    """Juliet misses many messages; gives them, and the id of the one before."""
    garden, balcony = romeo.come_online("garden", plugins=ALL), juliet.come_online("balcony", plugins=ALL)
    garden.chat(juliet.jid, f"{some} seen")
    seen = str(balcony.receive_message(f"{some} seen")["stanza_id"]["id"])
    balcony.logout()
    sent = [f"{some} {number}" for number in range(MISSED)]
    for start in range(0, MISSED, PAGE):
        send(garden, juliet.jid, sent[start : start + PAGE])
    return sent, seen


def send(client: SlixClient, to: str, texts: Sequence[str]) -> None:
    """Chat messages, in one go; returns when the server has dealt with them."""

    def all_of_them(stream: Any) -> None:
        for text in texts:
            stream.send_message(to, text, mtype="chat")

    client.do(all_of_them)
    client.sync()


def bodies(stanzas: Sequence[Any], some: str) -> list[str]:
    """The messages of this test among them."""
    texts = [str(stanza["body"]) for stanza in stanzas if isinstance(stanza, Message)]
    return [text for text in texts if some in text]


def copied(copies: Sequence[Any], kind: str) -> list[str]:
    """What was copied."""
    return [str(copy[kind]["body"]) for copy in copies]


def archived(client: SlixClient, some: str, **asked: Any) -> list[str]:
    """The messages of this test in the archive, as slixmpp reads it to its end."""

    async def read(stream: Any) -> list[str]:
        results = [found async for found in stream.plugin["xep_0313"].iterate(**asked)]
        return [str(found["mam_result"]["forwarded"]["stanza"]["body"]) for found in results]

    return [text for text in client.ask(read) if some in text]


def page(rsm: dict[str, Any], stream: Any) -> Any:
    """Ask for a page."""
    return stream.plugin["xep_0313"].retrieve(rsm=rsm)


def catch_up(client: SlixClient, after: str) -> tuple[list[str], list[str]]:
    """All that is behind an id, by pages: the bodies and the ids."""
    texts: list[str] = []
    ids: list[str] = []
    while True:
        rsm = {"max": PAGE, "after": ids[-1] if ids else after}
        answer = client.ask(partial(page, rsm))
        found = [result["mam_result"] for result in answer["mam"]["results"]]
        texts += [str(result["forwarded"]["stanza"]["body"]) for result in found]
        ids += [str(result["id"]) for result in found]
        if answer["mam_fin"]["complete"]:
            return texts, ids
