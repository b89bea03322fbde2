"""RFC 6121 §4.6: presence that is sent to one entity, and its end."""

import pytest

from commonroom.core.presence import DIRECTED_PER_SESSION
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, Stanza
from tests.conversations.world import Client, Gate, World, condition

GONE = "unavailable juliet@example.org/balcony"
HERE = "available juliet@example.org/balcony"


@pytest.fixture
def world() -> World:
    """Romeo and Juliet are contacts, Tybalt is nobody's."""
    world = World(*(f"{who}@example.org" for who in ("romeo", "juliet", "tybalt")))
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


@pytest.fixture
def tybalt(world: World) -> Client:
    return world.online("tybalt@example.org/x")


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


def directed(client: Client, to: str, kind: str = "") -> None:
    """Send presence to one entity."""
    client.send(f"<presence to='{to}'{kind and f' type={kind!r}'}/>")


def test_rfc6121_4_6_3_directed_presence_to_nowhere_is_an_error(juliet: Client):
    answer = juliet.ask("<presence to='room@conference.example/nick' id='p1'/>")
    assert (answer.get("id"), condition(answer)) == ("p1", "remote-server-not-found")


def test_rfc6121_4_6_3_so_many_and_no_more(world: World, juliet: Client):
    """Each of them has to be remembered."""
    for number in range(DIRECTED_PER_SESSION):
        directed(juliet, f"room{number}@example.org")
    assert juliet.received() == []
    answer = juliet.ask("<presence to='onemore@example.org' id='p1'/>")
    assert (answer.get("id"), condition(answer)) == ("p1", "resource-constraint")
    directed(juliet, "room7@example.org")
    directed(juliet, "romeo@example.org")
    directed(juliet, "room8@example.org", "unavailable")
    directed(juliet, "onemore@example.org")
    assert juliet.received() == []


def test_rfc6121_4_6_3_it_is_delivered_in_full(juliet: Client, tybalt: Client):
    juliet.send("<presence to='tybalt@example.org' id='p1'><show>dnd</show><x xmlns='urn:x'/></presence>")
    presence = tybalt.one()
    assert (presence.get("id"), presence.get("to")) == ("p1", "tybalt@example.org")
    assert [(child.namespace, child.name) for child in presence.elements()] == [
        ("jabber:client", "show"),
        ("urn:x", "x"),
    ]


@pytest.mark.parametrize("to", ["tybalt@example.org", "tybalt@example.org/x"])
def test_rfc6121_4_6_3_broadcasts_do_not_follow_it(juliet: Client, tybalt: Client, to: str):
    directed(juliet, to)
    assert tybalt.told() == [HERE]
    juliet.send("<presence><show>away</show></presence>")
    assert tybalt.received() == []


@pytest.mark.parametrize("to", ["tybalt@example.org", "tybalt@example.org/x"])
@pytest.mark.parametrize(
    "how",
    [Client.leave, Client.cut, lambda client: client.send("<presence type='unavailable'/>")],
    ids=["left", "cut", "said"],
)
def test_rfc6121_4_6_3_its_recipient_hears_of_the_end_once(juliet: Client, tybalt: Client, to: str, how):
    directed(juliet, to)
    directed(juliet, to)
    tybalt.received()
    how(juliet)
    assert tybalt.told() == [GONE]
    if not juliet.closed:
        juliet.leave()
        assert tybalt.received() == []


def test_rfc6121_4_6_3_the_end_carries_what_was_said(juliet: Client, tybalt: Client):
    directed(juliet, "tybalt@example.org")
    tybalt.received()
    juliet.send("<presence type='unavailable' id='p9'><status>bye</status></presence>")
    presence = tybalt.one()
    assert (presence.get("id"), presence.get("to")) == ("p9", "tybalt@example.org")
    assert presence.child_text("jabber:client", "status") == "bye"


def test_rfc6121_4_6_3_who_was_told_of_the_end_is_not_told_again(juliet: Client, tybalt: Client):
    directed(juliet, "tybalt@example.org")
    directed(juliet, "tybalt@example.org", "unavailable")
    assert tybalt.told() == [HERE, GONE]
    juliet.leave()
    assert tybalt.received() == []


def test_rfc6121_4_6_3_it_needs_no_initial_presence(world: World, tybalt: Client):
    juliet = world.login("juliet@example.org/balcony")
    directed(juliet, "tybalt@example.org")
    juliet.leave()
    assert tybalt.told() == [HERE, GONE]


def test_rfc6121_4_6_3_after_unavailable_it_begins_anew(juliet: Client, tybalt: Client):
    directed(juliet, "tybalt@example.org")
    juliet.send("<presence type='unavailable'/>")
    directed(juliet, "tybalt@example.org")
    tybalt.received()
    juliet.cut()
    assert tybalt.told() == [GONE]


@pytest.mark.parametrize("to", ["romeo@example.org", "romeo@example.org/orchard"])
def test_rfc6121_4_6_3_a_subscriber_is_told_once_what_all_subscribers_are(world: World, to: str):
    romeo, juliet = world.online("romeo@example.org/orchard"), world.login("juliet@example.org/balcony")
    directed(juliet, to)
    juliet.send("<presence/>")
    directed(juliet, to)
    assert romeo.told() == [HERE] * 3
    juliet.send("<presence><show>away</show></presence>")
    assert romeo.told() == [HERE]
    juliet.leave()
    assert romeo.told() == [GONE]


# §4.6.1 A subscription takes precedence


def test_rfc6121_4_6_1_one_who_becomes_a_subscriber_is_treated_as_one(juliet: Client, tybalt: Client):
    directed(juliet, "tybalt@example.org")
    tybalt.send("<presence to='juliet@example.org' type='subscribe'/>")
    juliet.send("<presence to='tybalt@example.org' type='subscribed'/>")
    tybalt.received()
    juliet.send("<presence><show>away</show></presence>")
    assert tybalt.told() == [HERE]
    juliet.leave()
    assert tybalt.told() == [GONE]


def test_rfc6121_4_6_1_a_cancellation_takes_directed_presence_away_too(world: World, juliet: Client):
    romeo, garden = world.online("romeo@example.org/orchard"), world.login("juliet@example.org/garden")
    directed(juliet, "romeo@example.org/orchard")
    directed(garden, "romeo@example.org/orchard")  # connected, not available
    romeo.received()
    juliet.send("<presence to='romeo@example.org' type='unsubscribed'/>")
    told = [word for word in romeo.told() if word.startswith("unavailable")]
    assert sorted(told) == [GONE, "unavailable juliet@example.org/garden"]
    juliet.leave()
    garden.leave()
    assert romeo.received() == []


def test_rfc6121_4_6_1_a_refused_request_does_not_take_it_away(juliet: Client, tybalt: Client):
    """She chose to show herself; and she still has to tell him when she leaves."""
    directed(juliet, "tybalt@example.org")
    tybalt.send("<presence to='juliet@example.org' type='subscribe'/>")
    juliet.send("<presence to='tybalt@example.org' type='unsubscribed'/>")
    tybalt.received()
    juliet.leave()
    assert tybalt.told() == [GONE]


@pytest.mark.parametrize("how", [Client.leave, lambda c: directed(c, "juliet@example.org", "unavailable")])
def test_rfc6121_4_6_1_whoever_leaves_first_needs_not_hear_of_the_end(
    world: World, juliet: Client, tybalt: Client, how
):
    directed(tybalt, "juliet@example.org/balcony")
    directed(juliet, "tybalt@example.org/x")
    how(tybalt)
    if tybalt.closed:
        tybalt = world.online("tybalt@example.org/x")
    tybalt.received()
    juliet.leave()
    assert tybalt.received() == []


class Slow:
    """A destination that must read something before it can take what comes for it."""

    def __init__(self, world: World, domain: str) -> None:
        self.gate = Gate()
        self.took: list[str] = []
        world.core.router.domains[domain] = self

    async def receive(self, stanza: Stanza, sender: JID, to: JID) -> None:
        await self.gate
        assert isinstance(stanza, Presence)
        self.took.append(f"{stanza.type} {to}")


def test_rfc6121_4_6_3_who_must_read_first_hears_of_the_end_all_the_same(world: World, juliet: Client):
    slow = Slow(world, "rooms.example.org")
    slow.gate.is_open = True
    directed(juliet, "room@rooms.example.org/nick")
    world.turn()
    slow.gate.is_open = False
    juliet.cut()
    slow.gate.is_open = True
    world.turn()
    assert slow.took == [
        "available room@rooms.example.org/nick",
        "unavailable room@rooms.example.org/nick",
    ]


# §4.6.6 Probes


@pytest.mark.parametrize("to", ["tybalt@example.org", "tybalt@example.org/x"])
def test_rfc6121_4_6_6_a_probe_of_the_full_address_tells_mere_presence(
    juliet: Client, tybalt: Client, to: str
):
    juliet.send(f"<presence to='{to}'><show>dnd</show></presence>")
    tybalt.received()
    tybalt.send("<presence to='juliet@example.org/balcony' type='probe' id='p1'/>")
    presence = tybalt.one()
    assert (presence.get("type"), presence.get("from")) == (None, "juliet@example.org/balcony")
    assert presence.children == []


def test_rfc6121_4_6_6_a_probe_of_another_resource_tells_nothing(
    world: World, juliet: Client, tybalt: Client
):
    world.online("juliet@example.org/chamber")
    directed(juliet, "tybalt@example.org")
    tybalt.received()
    tybalt.send("<presence to='juliet@example.org/chamber' type='probe'/>")
    tybalt.send("<presence to='juliet@example.org' type='probe'/>")
    assert tybalt.received() == []
