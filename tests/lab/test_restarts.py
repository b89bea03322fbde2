"""One side is killed or drained, or the wire is cut: afterwards people go on talking, and see each other."""

from collections.abc import Callable, Iterator

import pytest

from tests.interop.people import Person, befriend
from tests.interop.server import ServerUnderTest
from tests.interop.slix import SlixClient
from tests.interop.waiting import wait_until

from .cutting import Wire
from .pairs import Pairing, Start, pairing
from .peers import Ours, Peer
from .site import Site

Make = Callable[[Peer, str], Person]


@pytest.fixture(scope="module", params=["prosody", "ejabberd", "ours"])
def pair(
    request: pytest.FixtureRequest, site: Site, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Pairing, Wire, Wire]]:
    made = pairing(site, tmp_path_factory.mktemp("restart"), start, request.param, "external")
    with Wire(made.ours.s2s_port) as to_ours, Wire(made.peer.s2s_port) as to_peer:
        site.publish(made.ours.domain, to_ours.port)
        site.publish(made.peer.domain, to_peer.port)
        yield made, to_ours, to_peer


def talk(one: SlixClient, other: SlixClient, word: str) -> None:
    """Messages get through again, both ways; what is sent while there is no way may come back."""
    for number, (sender, recipient) in enumerate(((one, other), (other, one))):
        body = f"{word} {number}"

        def arrives(sender: SlixClient = sender, to: SlixClient = recipient, body: str = body) -> bool:
            sender.chat(to.jid, body)
            to.sync()
            return to.has(lambda stanza: stanza.name == "message" and stanza["body"] == body)

        wait_until(arrives, f"{body} to get through", 20)


@pytest.mark.parametrize("end", [ServerUnderTest.kill, ServerUnderTest.stop], ids=["killed", "drained"])
def test_the_peer_is_restarted(
    end: Callable[[ServerUnderTest], None], pair: tuple[Pairing, Wire, Wire], person: Make
) -> None:
    made, _, _ = pair
    romeo, juliet = person(made.ours, "romeo").come_online(), person(made.peer, "juliet").come_online()
    talk(romeo, juliet, "before")
    end(made.peer)
    made.peer.start()
    talk(romeo, person(made.peer, "juliet").come_online("again"), "after")


@pytest.mark.parametrize("end", [ServerUnderTest.kill, ServerUnderTest.stop], ids=["killed", "drained"])
def test_ours_is_restarted(
    end: Callable[[ServerUnderTest], None], pair: tuple[Pairing, Wire, Wire], person: Make
) -> None:
    made, _, _ = pair
    romeo, juliet = person(made.ours, "romeo").come_online(), person(made.peer, "juliet").come_online()
    talk(romeo, juliet, "before")
    end(made.ours)
    made.ours.start()
    talk(person(made.ours, "romeo").come_online("again"), juliet, "after")


def test_the_wire_is_cut(pair: tuple[Pairing, Wire, Wire], person: Make) -> None:
    made, to_ours, to_peer = pair
    romeo, juliet = person(made.ours, "romeo").come_online(), person(made.peer, "juliet").come_online()
    talk(romeo, juliet, "before")
    for wire in (to_ours, to_peer):
        wire.cut()
    talk(romeo, juliet, "after")
    assert to_ours.connections + to_peer.connections >= 2


def test_xep0198_4_nothing_is_lost_when_the_wire_is_cut(
    pair: tuple[Pairing, Wire, Wire], person: Make
) -> None:
    """Between servers that acknowledge, as ours do. What the other may not have comes again, in order."""
    made, to_ours, to_peer = pair
    if not isinstance(made.peer, Ours):
        return
    romeo, juliet = person(made.ours, "romeo").come_online(), person(made.peer, "juliet").come_online()
    talk(romeo, juliet, "before")
    for number in range(200):
        romeo.chat(juliet.jid, f"n{number}")
        if number % 50 == 25:
            romeo.sync()
            for wire in (to_ours, to_peer):
                wire.cut()
    came: list[str] = []
    while "n199" not in came:
        message = juliet.receive("more", lambda s: s.name == "message" and s["body"].startswith("n"))
        came.append(str(message["body"]))
    assert list(dict.fromkeys(came)) == [f"n{number}" for number in range(200)]


def test_presence_is_in_step_after_ours_was_killed(pair: tuple[Pairing, Wire, Wire], person: Make) -> None:
    """A probe at the login brings what the other side still knows (RFC 6121 §4.3)."""
    made, _, _ = pair
    romeo, nurse = person(made.ours, "romeo").come_online(), person(made.peer, "nurse").come_online()
    befriend(romeo, nurse)
    made.ours.kill()
    made.ours.start()
    again = person(made.ours, "romeo").come_online("again")
    again.receive_presence("available", nurse.jid)
    nurse.receive_presence("available", again.jid)
    again.remove_contact(nurse.bare_jid)
    nurse.receive_push(again.bare_jid, "none")
