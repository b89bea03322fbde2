"""XEP-0045 §7.14, §11, §18.1.2: who is still there, and what becomes of rooms that nobody needs."""

from collections.abc import Generator
from dataclasses import replace

from commonroom.config.c2s import C2s
from commonroom.features.muc.shelf import IDLE_ROOMS, IDLE_SECONDS
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC
from commonroom.protocol.stanza import Iq, Message, Presence, PresenceType, Stanza
from commonroom.storage.room_records import StoredRoom
from commonroom.xml.element import Element
from tests.conversations.managed import managed
from tests.conversations.rooms import HALL, SERVICE, codes, enter, here, make, said, say
from tests.conversations.world import Client, Gate, World, with_options

ALICE, BOB = "alice@example.org", "bob@example.org"
EVE = JID.parse("eve@elsewhere.example/e")


class Elsewhere:
    """Another server, which takes what is sent to it."""

    def __init__(self, w: World) -> None:
        self.world = w
        self.got: list[Stanza] = []
        w.core.router.domains["elsewhere.example"] = self

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> None:
        self.got.append(stanza)

    def send(self, stanza: Stanza) -> None:
        waiting = self.world.core.router.route(stanza)
        if waiting is not None:
            self.world.start(waiting)  # type: ignore[arg-type]

    def enter(self, nick: str) -> None:
        presence = Presence(PresenceType.AVAILABLE, JID.parse(f"{HALL}/{nick}"), EVE)
        presence.append(Element(NS_MUC, "x"))
        self.send(presence)

    def pings(self) -> list[Iq]:
        found, self.got = [s for s in self.got if isinstance(s, Iq)], []
        return found


def world() -> tuple[World, Client]:
    patient = replace(C2s(), idle_ping_after=1e6)  # clients here answer nothing
    w = World(ALICE, BOB, settings=with_options(c2s=patient))
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice")
    return w, alice


def test_xep0198_5_who_may_come_back_stays_inside_and_misses_nothing() -> None:
    w, alice = world()
    bob = managed(w, f"{BOB}/b")
    bob.send(f"<presence to='{HALL}/Bob'><x xmlns='{NS_MUC}'/></presence>")
    bob.acknowledge()
    alice.received()
    bob.cut()
    w.advance(w.settings.stream_management.resume_within - 1)
    say(alice, "are you there?")
    assert here(alice.received()) == []
    w.advance(2)
    w.turn()
    assert here(alice.received()) == ["-Bob"]


def test_xep0198_4_a_message_to_a_room_counts_when_it_is_on_disk() -> None:
    w, alice = world()
    bob = managed(w, f"{BOB}/b")
    bob.send(f"<presence to='{HALL}/Bob'><x xmlns='{NS_MUC}'/></presence>")
    before = int(bob.handled() or 0)
    w.memory.writes.hold()
    bob.send(f"<message type='groupchat' to='{HALL}' id='m'><body>hello</body></message>")
    assert bob.handled() is None
    w.memory.writes.release()
    w.turn()
    assert said(alice) == ["Bob: hello"]
    bob.read()
    assert int(bob.handled() or 0) == before + 1


def test_xep0198_5_what_never_reached_who_is_gone_puts_nobody_else_out() -> None:
    w, alice = world()
    bob = managed(w, f"{BOB}/b")
    bob.send(f"<presence to='{HALL}/Bob'><x xmlns='{NS_MUC}'/></presence>")
    bob.acknowledge()
    alice.received()
    bob.cut()
    say(alice, "are you there?")
    alice.received()
    w.advance(w.settings.stream_management.resume_within + 1)
    w.turn()
    assert here(alice.received()) == ["-Bob"]
    say(alice, "well, then")
    assert said(alice) == ["Alice: well, then"]


def test_xep0045_18_1_2_a_silent_client_elsewhere_is_asked_and_stays_if_it_answers() -> None:
    w, alice = world()
    elsewhere = Elsewhere(w)
    elsewhere.enter("Eve")
    elsewhere.got.clear()
    alice.received()
    w.advance(15 * 60 + 60)
    (ping,) = elsewhere.pings()
    assert ping.sender == HALL
    elsewhere.send(ping.result())
    w.advance(120)
    assert here(alice.received()) == []
    assert elsewhere.pings() == []


def test_xep0045_18_1_2_who_does_not_answer_is_no_occupant() -> None:
    w, alice = world()
    elsewhere = Elsewhere(w)
    elsewhere.enter("Eve")
    alice.received()
    w.advance(15 * 60 + 60 + 120)
    came = alice.received()
    assert here(came) == ["-Eve"]
    assert "333" in codes(came)


def test_xep0045_18_1_2_an_error_shows_that_somebody_is_gone() -> None:
    w, alice = world()
    elsewhere = Elsewhere(w)
    elsewhere.enter("Eve")
    del w.core.router.domains["elsewhere.example"]
    alice.received()
    say(alice, "hello")
    came = alice.received()
    assert [e.name for e in came] == ["message", "presence"]
    assert here(came) == ["-Eve"]


def test_our_own_silent_clients_are_not_asked() -> None:
    w, alice = world()
    bob = w.online(f"{BOB}/b")
    enter(bob, "Bob")
    alice.received()
    bob.received()
    w.advance(3600)
    assert [e for e in bob.received() if (e.get("from") or "").startswith(HALL)] == []
    assert here(alice.received()) == []


def test_xep0045_11_2_everybody_hears_that_the_service_stops() -> None:
    w, alice = world()
    bob = w.online(f"{BOB}/b")
    enter(bob, "Bob")
    alice.received()
    for service in w.core.rooms:
        service.shut_down()
    for client, nick in ((alice, "-Alice"), (bob, "-Bob")):
        came = client.received()
        assert here(came) == [nick]
        assert "332" in codes(came)


def test_a_room_that_nobody_needs_leaves_memory_and_comes_back() -> None:
    w, alice = world()
    alice.send(f"<presence type='unavailable' to='{HALL}/Alice'/>")
    service = w.core.rooms[0]
    assert service.find(JID.parse(HALL)) is not None
    w.advance(IDLE_SECONDS + 60)
    assert service.find(JID.parse(HALL)) is None
    assert "201" not in codes(enter(alice, "Alice"))


def test_ten_thousand_rooms_take_no_memory_until_they_are_used() -> None:
    w, alice = world()
    alice.send(f"<presence type='unavailable' to='{HALL}/Alice'/>")
    (head,) = w.memory.rooms.heads.values()
    for number in range(2 * IDLE_ROOMS):
        w.stores.rooms.put(replace(head, address=JID.of(f"r{number}", SERVICE)))
    w.restart()
    service = w.core.rooms[0]
    assert not service._shelf.all()
    alice = w.online(f"{ALICE}/a")
    for number in range(2 * IDLE_ROOMS):
        alice.send(
            f"<iq type='get' id='i' to='r{number}@{SERVICE}'>"
            "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
    assert len([e for e in alice.received() if e.get("type") == "result"]) == 2 * IDLE_ROOMS
    assert len(service._shelf.all()) == IDLE_ROOMS


class SlowRooms:
    """A store that reads when a test lets it."""

    def __init__(self, w: World) -> None:
        self._store = w.stores.rooms
        self.gate = Gate()
        self.reads = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def load(self, room: JID) -> "SlowRooms._Read":
        self.reads += 1
        return self._Read(self, room)

    class _Read:
        def __init__(self, slow: "SlowRooms", room: JID) -> None:
            self.slow, self.room = slow, room

        def __await__(self) -> Generator[None, None, StoredRoom | None]:
            yield from self.slow.gate.__await__()
            return (yield from self.slow._store.load(self.room).__await__())  # type: ignore[return-value]


def test_those_who_come_while_a_room_is_read_wait_in_order_and_it_is_read_once() -> None:
    w, alice = world()
    alice.leave()
    w.turn()
    slow = SlowRooms(w)
    w.stores = replace(w.stores, rooms=slow)  # type: ignore[arg-type]
    w.restart()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    enter(alice, "Alice")
    say(alice, "first")
    enter(bob, "Bob")
    say(bob, "second")
    assert alice.received() == bob.received() == []
    slow.gate.is_open = True
    w.turn()
    assert slow.reads == 1
    assert said(alice) == ["Alice: first", "Bob: second"]
    assert said(bob) == ["Alice: first", "Bob: second"]  # the first as history


def test_xep0198_4_an_invitation_counts_as_what_its_sender_said() -> None:
    """When that client is told that it was handled, the invitation outlives a crash (XEP-0045 §7.8.2)."""
    w, _ = world()
    elsewhere, bob = Elsewhere(w), managed(w, f"{BOB}/b")
    bob.send(f"<presence to='{HALL}/Bob'><x xmlns='{NS_MUC}'/></presence>")
    bob.send(
        f"<message to='{HALL}'><x xmlns='{NS_MUC}#user'><invite to='{EVE.bare}'/></x></message>"
        f"<message to='{HALL}'><x xmlns='{NS_MUC}#user'><invite to='{ALICE}'/></x></message>"
    )
    (invitation,) = elsewhere.got
    assert isinstance(invitation, Message)
    assert invitation.owed is not None
