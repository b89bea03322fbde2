"""A room of two thousand people, with the limits that nobody changed: bytes in, bytes out, in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from commonroom.accounts.stored import new_account
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, NS_MUC_ADMIN
from tests.conversations.rooms import HALL, codes, enter, here, make, said, say
from tests.conversations.world import Client, World, condition

PEOPLE = 2000
NICKS = [f"Member {number}" for number in range(PEOPLE)]


class Guest(Client):
    """Throws away what comes, unless it listens."""

    is_listening = True

    def write(self, text: str) -> bool:
        return super().write(text) if self.is_listening else True


class Assembly(World):
    """A service whose clients have one key, since keys cost, and a room in which all of them are."""

    def __init__(self) -> None:
        super().__init__()
        one = new_account(JID.parse("u0@example.org"), "secret", ("SHA-256",), 4096, self.random, self.now())
        for number in range(PEOPLE + 1):
            self.stores.accounts.put(type(one)(JID.of(f"u{number}", "example.org"), one.keys, self.now()))

    def connect(self, address: str = "192.0.2.1") -> Client:
        return Guest(self, address)

    def comes(self, number: int) -> Guest:
        client = self.login(f"u{number}@example.org/r")
        assert isinstance(client, Guest)
        return client


@contextmanager
def measured(what: str) -> Iterator[None]:
    begun = time.process_time()
    yield
    print(f"{what}: {(time.process_time() - begun) * 1000:.0f} ms of CPU")


def fill(world: Assembly) -> list[Guest]:
    """All come in, one after the other; the last sees everybody."""
    people = [world.comes(number) for number in range(PEOPLE)]
    make(people[0], NICKS[0])
    for client, nick in zip(people[1:-1], NICKS[1:-1], strict=True):
        client.send(f"<presence to='{HALL}/{nick}'><x xmlns='{NS_MUC}'/></presence>")
        assert "<status code='110'/>" in client.bytes, client.bytes
        client.bytes = ""
        client.is_listening = False
    came = enter(people[-1], NICKS[-1])
    assert sorted(here(came)) == sorted(f"+{nick}" for nick in NICKS)
    assert [stanza.name for stanza in came] == ["presence"] * PEOPLE + ["message"]  # its subject
    # The first one was there all the time.
    assert here(people[0].received()) == [f"+{nick}" for nick in NICKS[1:]]
    return people


def listen(people: list[Guest]) -> None:
    """From now on, all of them keep what comes."""
    for client in people:
        client.received()
        client.is_listening = True


@pytest.mark.timeout(240)
def test_a_room_of_two_thousand_works() -> None:
    """All see each other, and hear once each what is said, who comes, who goes, and by what name."""
    world = Assembly()
    people: list[Guest] = []
    with measured("entering"):
        people += fill(world)
    listen(people)
    with measured("one more"):
        assert condition(enter(world.comes(PEOPLE), "One more")[0]) == "service-unavailable"
    with measured("a message"):
        say(people[1200], "Order, order!")
    assert [said(client) for client in people] == [["Member 1200: Order, order!"]] * PEOPLE
    with measured("a nickname"):
        people[1300].send(f"<presence to='{HALL}/Speaker'/>")
    assert [here(client.received()) for client in people] == [["-Member 1300", "+Speaker"]] * PEOPLE
    with measured("leaving"):
        people[1400].send(f"<presence to='{HALL}/{NICKS[1400]}' type='unavailable'/>")
    assert [here(client.received()) for client in people] == [["-Member 1400"]] * PEOPLE
    with measured("a kick"):
        kick(people[0], NICKS[1500])
    removed = people.pop(1400)
    heard = [client.received() for client in people]
    assert [here(came) for came in heard] == [["-Member 1500"]] * (PEOPLE - 1)
    assert all("307" in codes(came) for came in heard)
    assert removed.received() == []
    world.advance(1.0)  # no more than these come in at once
    with measured("coming back"):
        came = enter(removed, NICKS[1400])
    assert len(here(came)) == PEOPLE - 1  # all but who was put out
    del people[1499]
    assert [here(client.received()) for client in people] == [["+Member 1400"]] * (PEOPLE - 2)


def kick(moderator: Guest, nick: str) -> None:
    item = f"<item nick='{nick}' role='none'/>"
    query = f"<query xmlns='{NS_MUC_ADMIN}'>{item}</query>"
    moderator.send(f"<iq type='set' id='kick' to='{HALL}'>{query}</iq>")
