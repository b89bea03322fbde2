"""What people do over the border of two domains, and what becomes of it when one side fails."""

from functools import partial
from itertools import count
from typing import Any

from slixmpp.stanza import Presence

from tests.interop.people import befriend
from tests.interop.server import ServerUnderTest
from tests.interop.slix import SlixClient
from tests.interop.waiting import wait_until

from .pairs import Make, Pairing
from .peers import Peer

# How many seconds it may take until servers have found each other again: a limit, not a delay.
AGAIN_SECONDS = 120
NUMBERS = count(1)  # what was said before, and was stored for who had left, is not what is said now


def messages_go_both_ways_and_in_order(pair: Pairing, person: Make) -> None:
    romeo, juliet = _both(pair, person)
    # Prosody 0.12 lets what comes while its stream gets ready overtake what was queued before.
    juliet.chat(romeo.jid, "hello")
    romeo.receive_message("hello")
    for number in range(20):
        romeo.chat(juliet.jid, f"there {number}")
        juliet.chat(romeo.jid, f"back {number}")
    for client, word in ((juliet, "there"), (romeo, "back")):
        came = [str(client.receive("one more", partial(_begins, word))["body"]) for _ in range(20)]
        assert came == [f"{word} {number}" for number in range(20)]


def subscriptions_and_presence_go_both_ways(pair: Pairing, person: Make) -> None:
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


def pings_go_both_ways(pair: Pairing, person: Make) -> None:
    """From each side to the other's server."""
    romeo, juliet = _both(pair, person)
    _ping(romeo, pair.peer.domain)
    _ping(juliet, pair.ours.domain)


def our_room_is_joined_from_there(pair: Pairing, person: Make) -> None:
    _meet(pair.ours, pair.peer, person)


def their_room_is_joined_from_here(pair: Pairing, person: Make) -> None:
    _meet(pair.peer, pair.ours, person)


def there_are_no_rooms(pair: Pairing, person: Make) -> None:
    """It says so: whoever joins hears that there is no such thing."""
    romeo = person(pair.ours, "romeo").come_online()
    room = f"orchard@rooms.{pair.peer.domain}"
    send(romeo, f"<presence to='{room}/R'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    error = romeo.receive("an error", lambda s: s["type"] == "error" and s["from"].bare == room)
    assert error["error"]["condition"] == "item-not-found", error


def the_peer_is_killed_and_restarted(pair: Pairing, person: Make) -> None:
    _restart(pair, person, pair.peer, ServerUnderTest.kill)


def the_peer_is_drained_and_restarted(pair: Pairing, person: Make) -> None:
    _restart(pair, person, pair.peer, ServerUnderTest.stop)


def ours_is_killed_and_restarted(pair: Pairing, person: Make) -> None:
    _restart(pair, person, pair.ours, ServerUnderTest.kill)


def ours_is_drained_and_restarted(pair: Pairing, person: Make) -> None:
    _restart(pair, person, pair.ours, ServerUnderTest.stop)


def presence_is_in_step_after_ours_was_killed(pair: Pairing, person: Make) -> None:
    """A probe at the login brings what the other side still knows (RFC 6121 §4.3)."""
    romeo, nurse = person(pair.ours, "romeo").come_online(), person(pair.peer, "nurse").come_online()
    befriend(romeo, nurse)
    pair.ours.kill()
    pair.ours.start()
    again = person(pair.ours, "romeo").come_online()
    again.receive_presence("available", nurse.jid)
    nurse.receive_presence("available", again.jid)
    again.remove_contact(nurse.bare_jid)
    nurse.receive_push(again.bare_jid, "none")


def the_connection_is_cut(pair: Pairing, person: Make) -> None:
    romeo, juliet = _both(pair, person)
    talk(romeo, juliet, "before")
    before = sum(wire.connections for wire in pair.wires)
    pair.cut()
    talk(romeo, juliet, "after")
    assert sum(wire.connections for wire in pair.wires) > before


def talk(one: SlixClient, other: SlixClient, word: str) -> None:
    """Messages get through, both ways, in the end; what is sent while there is no way may come back."""
    for sender, recipient in ((one, other), (other, one)):
        body = f"{word} {next(NUMBERS)}"

        def arrives(sender: SlixClient = sender, to: SlixClient = recipient, body: str = body) -> bool:
            sender.chat(to.jid, body)
            to.sync()
            return to.has(lambda stanza: stanza.name == "message" and stanza["body"] == body)

        wait_until(arrives, f"{body} to get through", AGAIN_SECONDS)


def send(client: SlixClient, text: str) -> None:
    """This XML as it is."""
    client.do(lambda stream: stream.send_raw(text))


def _both(pair: Pairing, person: Make) -> tuple[SlixClient, SlixClient]:
    return person(pair.ours, "romeo").come_online(), person(pair.peer, "juliet").come_online()


def _begins(word: str, stanza: Any) -> bool:
    return stanza.name == "message" and str(stanza["body"]).startswith(word)


def _ping(client: SlixClient, domain: str) -> None:
    client.ask(lambda stream: stream.plugin["xep_0199"].send_ping(domain))


def _restart(pair: Pairing, person: Make, server: Peer, end: Any) -> None:
    romeo, juliet = _both(pair, person)
    talk(romeo, juliet, "before")
    end(server)
    server.start()
    if server is pair.ours:
        romeo = person(pair.ours, "romeo").come_online()
    else:
        juliet = person(pair.peer, "juliet").come_online()
    talk(romeo, juliet, "after")


def _meet(here: Peer, there: Peer, person: Make) -> None:
    """Juliet makes a room, and Romeo comes from the other side."""
    room = f"orchard@{here.rooms}.{here.domain}"
    juliet, romeo = person(here, "juliet").come_online(), person(there, "romeo").come_online()
    _join(juliet, f"{room}/J")
    send(
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


def _join(client: SlixClient, occupant: str) -> None:
    send(client, f"<presence to='{occupant}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    client.receive("own presence in the room", lambda s: _is_in(s, occupant))


def _is_in(stanza: object, occupant: str) -> bool:
    return isinstance(stanza, Presence) and str(stanza["from"]) == occupant and stanza["type"] == "available"
