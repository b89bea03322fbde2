"""Ours with each kind of peer, by each kind of proof: what people do over the border of two domains."""

from collections.abc import Callable

import pytest
from slixmpp.stanza import Presence

from tests.interop.people import Person, befriend
from tests.interop.slix import SlixClient

from .pairs import Pairing, Start, pairing
from .peers import Peer
from .site import Site

Make = Callable[[Peer, str], Person]

COMBINATIONS = [
    *((kind, proof) for kind in ("prosody", "ejabberd") for proof in ("external", "server only", "dialback")),
    ("ours", "external"),
    ("ours", "server only"),
    ("ours", "dialback"),
    ("jabberd2", "dialback"),
]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda each: "-".join(each).replace(" ", "-"))
def pair(
    request: pytest.FixtureRequest, site: Site, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Pairing:
    kind, proof = request.param
    return pairing(site, tmp_path_factory.mktemp(kind), start, kind, proof)


def test_messages_go_both_ways_and_in_order(pair: Pairing, person: Make) -> None:
    romeo, juliet = person(pair.ours, "romeo").come_online(), person(pair.peer, "juliet").come_online()
    # Prosody 0.12 lets what comes while its stream gets ready overtake what was queued before.
    juliet.chat(romeo.jid, "hello")
    romeo.receive_message("hello")
    for number in range(20):
        romeo.chat(juliet.jid, f"there {number}")
        juliet.chat(romeo.jid, f"back {number}")
    for client, word in ((juliet, "there"), (romeo, "back")):
        came = [
            str(client.receive("a message", lambda s: s.name == "message" and s["body"])["body"])
            for _ in range(20)
        ]
        assert came == [f"{word} {number}" for number in range(20)]


def test_subscriptions_and_presence_go_both_ways(pair: Pairing, person: Make) -> None:
    romeo, nurse = person(pair.ours, "romeo").come_online(), person(pair.peer, "nurse").come_online()
    befriend(romeo, nurse)
    romeo.announce(pshow="away")
    nurse.receive_presence("away", romeo.jid)
    nurse.logout()
    romeo.receive_presence("unavailable", nurse.jid)
    again = person(pair.peer, "nurse").come_online()
    again.receive_presence("away", romeo.jid)
    romeo.receive_presence("available", again.jid)
    again.remove_contact(romeo.bare_jid)
    romeo.receive_push(again.bare_jid, "none")


def test_pings_go_both_ways(pair: Pairing, person: Make) -> None:
    """From each side to the other's server, and what nobody answers comes back as an error."""
    romeo, juliet = person(pair.ours, "romeo").come_online(), person(pair.peer, "juliet").come_online()
    _ping(romeo, pair.peer.domain)
    _ping(juliet, pair.ours.domain)


def _ping(client: SlixClient, domain: str) -> None:
    client.ask(lambda stream: stream.plugin["xep_0199"].send_ping(domain))


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_room_of_the_other_side_can_be_joined(pair: Pairing, side: str, person: Make) -> None:
    here, there = (pair.ours, pair.peer) if side == "ours" else (pair.peer, pair.ours)
    if here.rooms is None:
        return
    room = f"orchard@{here.rooms}.{here.domain}"
    juliet, romeo = person(here, "juliet").come_online(), person(there, "romeo").come_online()
    _join(juliet, f"{room}/J")
    _say(
        juliet,
        f"<iq type='set' to='{room}' id='unlock'><query xmlns='http://jabber.org/protocol/muc#owner'>"
        "<x xmlns='jabber:x:data' type='submit'/></query></iq>",
    )
    juliet.sync()
    _join(romeo, f"{room}/R")
    juliet.receive("the other's presence", lambda s: _is_in(s, f"{room}/R"))
    romeo.do(lambda stream: stream.send_message(room, "wherefore", mtype="groupchat"))
    juliet.receive_message("wherefore")
    juliet.do(lambda stream: stream.send_message(room, "therefore", mtype="groupchat"))
    romeo.receive_message("therefore")


def _say(client: SlixClient, text: str) -> None:
    client.do(lambda stream: stream.send_raw(text))


def _join(client: SlixClient, occupant: str) -> None:
    _say(client, f"<presence to='{occupant}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    client.receive("own presence in the room", lambda s: _is_in(s, occupant))


def _is_in(stanza: object, occupant: str) -> bool:
    return isinstance(stanza, Presence) and str(stanza["from"]) == occupant and stanza["type"] == "available"
