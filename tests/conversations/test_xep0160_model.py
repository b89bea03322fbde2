"""XEP-0160 as promises: whatever clients do, what was stored is read by one before it leaves the disk."""

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonroom.config.schema import Offline
from commonroom.core.signs import PATIENCE
from commonroom.protocol.jid import JID
from tests.conversations.test_xep0160_offline import chat
from tests.conversations.world import Client, World, with_options

JULIET = JID.parse("juliet@example.org")
PLACES = ["juliet@example.org/home", "juliet@example.org/away"]
BURST = 70  # two of them are more than a page


def number_in(xml: str) -> int:
    """The number that is the message's body."""
    found = re.search(r"<body>(\d+)</body>", xml)
    assert found is not None
    return int(found[1])


class Reader:
    """A client that reads now and then; what it has not read when it is cut off is lost."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.got: list[int] = []
        self.asked: list[str] = []

    def read(self) -> None:
        for element in self.client.received():
            body = element.child_text("jabber:client", "body")
            if body is not None:
                self.got.append(int(body))
            elif element.name == "iq" and element.get("type") == "get":
                self.asked.append(element.get("id") or "")
        assert len(set(self.got)) == len(self.got)  # nothing twice in one stream

    def answer(self) -> None:
        self.read()
        while self.asked:
            self.client.send(f"<iq type='result' to='example.org' id='{self.asked.pop(0)}'/>")


class Mailbox(RuleBasedStateMachine):
    """Romeo writes, Juliet's clients come and go."""

    @initialize()
    def begin(self) -> None:
        options = with_options(offline=Offline(messages=1_000_000))
        self.world = World("romeo@example.org", "juliet@example.org", settings=options)
        self.romeo = self.world.online("romeo@example.org/orchard")
        self.readers: dict[str, Reader] = {}
        self.count = 0
        self.read: set[int] = set()
        self.stored: set[int] = set()

    def waiting(self) -> list[int]:
        """What is on disk, in its order."""
        return [number_in(message.xml) for message in self.world.memory.kept[JULIET].offline]

    @rule(many=st.sampled_from([True, False, False]))
    def write(self, many: bool) -> None:
        for _ in range(BURST if many else 1):
            self.count += 1
            self.romeo.send(chat(self.count))
            live = any(f"<body>{self.count}</body>" in r.client.bytes for r in self.readers.values())
            assert live or number_in(self.world.memory.kept[JULIET].offline[-1].xml) == self.count
        assert self.romeo.received() == []

    @rule(place=st.sampled_from(PLACES), priority=st.sampled_from([-1, 0, 0, 5]))
    def come(self, place: str, priority: int) -> None:
        self.go(place)
        reader = self.readers[place] = Reader(self.world.login(place))
        reader.client.send(f"<presence><priority>{priority}</priority></presence>")

    @precondition(lambda self: self.readers)
    @rule(
        data=st.data(),
        presence=st.sampled_from(
            ["<presence type='unavailable'/>", "<presence/>", "<presence><priority>-1</priority></presence>"]
        ),
    )
    def change(self, data: st.DataObject, presence: str) -> None:
        reader = self.readers[data.draw(st.sampled_from(sorted(self.readers)))]
        reader.read()  # whose stream lives on reads what came
        reader.client.send(presence)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        self.readers[data.draw(st.sampled_from(sorted(self.readers)))].read()

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.readers[data.draw(st.sampled_from(sorted(self.readers)))].answer()

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), how=st.sampled_from([Client.leave, Client.cut]))
    def leave(self, data: st.DataObject, how) -> None:
        place = data.draw(st.sampled_from(sorted(self.readers)))
        how(self.readers[place].client)
        if how is Client.leave:  # in order: such a client reads on until the server has closed, too
            self.readers[place].read()
        self.go(place)

    def go(self, place: str) -> None:
        reader = self.readers.pop(place, None)
        if reader is not None:
            self.read |= set(reader.got)

    @rule()
    def time_passes(self) -> None:
        """All who are there read what they have."""
        for reader in self.readers.values():
            reader.read()
        self.world.advance(PATIENCE)
        self.romeo.send(" ")
        for reader in self.readers.values():
            reader.client.send(" ")
            reader.read()

    @rule(really=st.sampled_from([True, False, False]))
    def restart(self, really: bool) -> None:
        if really:
            self.world.restart()
            for place in PLACES:
                self.go(place)
            self.romeo = self.world.online("romeo@example.org/orchard")

    @invariant()
    def what_left_the_disk_was_read(self) -> None:
        waiting = self.waiting()
        assert waiting == sorted(set(waiting))
        read = self.read.union(*(reader.got for reader in self.readers.values()))
        assert self.stored - set(waiting) <= read
        self.stored |= set(waiting)

    def teardown(self) -> None:
        """At last Juliet comes, and gets all that waits."""
        if not hasattr(self, "world"):
            return
        waiting = self.waiting()
        self.world.restart()
        last = Reader(self.world.login("juliet@example.org/last"))
        last.client.send("<presence/>")
        for _ in range(len(waiting) // 100 + 2):
            last.answer()
        assert last.got == waiting
        assert self.waiting() == []


TestMailbox = Mailbox.TestCase
TestMailbox.settings = settings(max_examples=40, stateful_step_count=40)
