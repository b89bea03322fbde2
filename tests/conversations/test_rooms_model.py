"""XEP-0045: a room of a whole service, whose disk is slow, fails, or takes nothing more.

Clients come, go, are cut off and put out. When all is quiet, each knows exactly who is there, with which
affiliation and role; nobody is there who is not; and the disk has what the room has. What a room of its own
does is in tests/features/muc/test_model.py.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonroom.features.muc.affiliations import Affiliation
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MUC, NS_MUC_ADMIN
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MUC_USER
from tests.conversations.rooms import HALL, enter, make
from tests.conversations.world import Client, World

USERS = [f"{name}@example.org" for name in ("alice", "bob", "carol", "dave")]
CLIENTS = [*(f"{user}/pc" for user in USERS), f"{USERS[1]}/phone"]
NICKS = ["Ada", "Bea", "Cleo", "Dora"]
ROOM = JID.parse(HALL)
# How one can hear that one is out: by oneself, banned, kicked, no member any more, closed, not there.
WAYS_OUT: tuple[set[str], ...] = (set(), {"301"}, {"307"}, {"321"}, {"332"}, {"307", "333"})

clients = st.sampled_from(CLIENTS)
nicks = st.sampled_from(NICKS)


class Seat:
    """A client, and what it believes of the room by what it was told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sees: dict[str, tuple[str, str]] = {}
        self.nick: str | None = None

    def look(self) -> None:
        for stanza in self.client.received():
            x = stanza.child(NS_MUC_USER, "x")
            if stanza.name == "presence" and stanza.get("type") != "error" and x is not None:
                self.draw((stanza.get("from") or "").partition("/")[2], stanza, x)
            elif stanza.name == "message" and stanza.get("type") == "groupchat" and x is None:
                assert self.nick is not None, "a message for somebody who is not inside"

    def draw(self, nick: str, presence: Element, x: Element) -> None:
        codes = {child.get("code") or "" for child in x.elements() if child.name == "status"}
        item = x.child(NS_MUC_USER, "item")
        assert item is not None
        if presence.get("type") is None:
            self.sees[nick] = (item.get("affiliation") or "", item.get("role") or "")
            self.nick = nick if "110" in codes else self.nick
        elif "303" in codes:
            del self.sees[nick]
        elif "110" in codes:
            assert codes - {"110"} in WAYS_OUT
            self.sees, self.nick = {}, None
        else:
            assert nick in self.sees, "somebody left who was not seen"
            del self.sees[nick]


class Rooms(RuleBasedStateMachine):
    """`is_slow`: what is written waits."""

    @initialize()
    def make(self) -> None:
        self.world = World(*USERS)
        self.memory = self.world.memory
        self.is_slow = False
        self.sessions = 0
        self.seats = {jid: Seat(self.world.online(jid)) for jid in CLIENTS}
        make(self.seats[CLIENTS[0]].client, "Ada", enablelogging="1", whois="anyone")
        enter(self.seats[CLIENTS[0]].client, "Ada")
        self.enter(CLIENTS[0], "Ada")
        (self.service,) = self.world.core.rooms

    def send(self, jid: str, xml: str) -> None:
        self.seats[jid].client.send(xml)
        self.world.turn()

    @rule(jid=clients, nick=nicks)
    def enter(self, jid: str, nick: str) -> None:
        self.send(jid, f"<presence to='{HALL}/{nick}'><x xmlns='{NS_MUC}'/></presence>")

    @rule(jid=clients, nick=nicks)
    def change_nick(self, jid: str, nick: str) -> None:
        self.send(jid, f"<presence to='{HALL}/{nick}'><show>away</show></presence>")

    @rule(jid=clients)
    def leave(self, jid: str) -> None:
        self.send(jid, f"<presence type='unavailable' to='{HALL}/x'/>")

    @rule(jid=clients, is_cut=st.booleans())
    def end(self, jid: str, is_cut: bool) -> None:
        """The session ends, and the user comes back with another one."""
        client = self.seats[jid].client
        client.cut() if is_cut else client.leave()
        self.world.turn()
        self.sessions += 1
        self.seats[jid] = Seat(self.world.online(f"{jid}-{self.sessions}"))

    @rule(jid=clients)
    def speak(self, jid: str) -> None:
        self.send(jid, f"<message type='groupchat' to='{HALL}'><body>hello</body></message>")

    @rule(jid=clients, nick=nicks, role=st.sampled_from(["none", "visitor", "participant", "moderator"]))
    def change_role(self, jid: str, nick: str, role: str) -> None:
        self.admin(jid, f"<item nick='{nick}' role='{role}'/>")

    @rule(jid=clients, user=st.sampled_from(USERS), affiliation=st.sampled_from(list(Affiliation)))
    def change_affiliation(self, jid: str, user: str, affiliation: str) -> None:
        self.admin(jid, f"<item jid='{user}' affiliation='{affiliation}'/>")

    def admin(self, jid: str, item: str) -> None:
        query = f"<query xmlns='{NS_MUC_ADMIN}'>{item}</query>"
        self.send(jid, f"<iq type='set' id='a' to='{HALL}'>{query}</iq>")

    # The disk

    @precondition(lambda self: not self.is_slow)
    @rule()
    def slow(self) -> None:
        self.memory.writes.hold()
        self.is_slow = True

    @precondition(lambda self: self.is_slow)
    @rule(fails=st.booleans())
    def catch_up(self, fails: bool) -> None:
        self.memory.writes.release(StorageError("the disk is full") if fails else None)
        self.is_slow = False
        self.world.turn()

    @rule(is_full=st.booleans())
    def fill(self, is_full: bool) -> None:
        self.memory.writes.is_full = is_full

    @rule(minutes=st.sampled_from([1, 6]))
    def wait(self, minutes: int) -> None:
        for _ in range(minutes):
            for seat in self.seats.values():
                seat.client.send(" ")
            self.world.advance(60)
            self.world.turn()

    def teardown(self) -> None:
        self.memory.writes.is_full = False
        self.memory.writes.release()
        self.world.turn()

    # What is true when nothing waits

    @invariant()
    def everybody_knows_who_is_there(self) -> None:
        if self.is_slow:
            return
        room = self.service.find(ROOM)
        occupants = {} if room is None else room.occupants
        truth = {nick: (one.affiliation.value, one.role.value) for nick, one in occupants.items()}
        inside = {} if room is None else {jid: one.nick for jid, one in room.by_address.items()}
        for seat in self.seats.values():
            seat.look()
            assert seat.nick == inside.pop(JID.parse(seat.client.jid), None)
            assert seat.sees == ({} if seat.nick is None else truth)
        assert not inside, "somebody is there who is not"

    @invariant()
    def the_disk_has_what_the_room_has(self) -> None:
        room = self.service.find(ROOM)
        if self.is_slow or room is None:
            return
        listed = {jid: entry.affiliation.value for jid, entry in room.affiliations.items()}
        kept = {jid: entry.affiliation for jid, entry in self.memory.rooms.lists[ROOM].items()}
        assert kept == listed | dict.fromkeys(room.former, "none")

    @invariant()
    def the_archive_has_what_the_history_has(self) -> None:
        room = self.service.find(ROOM)
        if not self.is_slow and room is not None:
            archived = {kept.id for kept in self.memory.archive.kept[ROOM]}
            assert {spoken.id for spoken in room.history} <= archived


Rooms.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRooms = Rooms.TestCase
