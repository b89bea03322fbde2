"""XEP-0198 as promises: whatever clients, connections, disks and processes do, what was promised arrives.

Some clients acknowledge, others only live on; they are cut off, come back, resume, leave, and read late or
never what was written to them; the disk is slow, and the service is killed.
"""

import re
from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from commonroom.config.c2s import C2s
from commonroom.config.schema import Offline
from tests.conversations.managed import NS, connected, enable
from tests.conversations.world import Client, World, with_options

ACCOUNTS = ("romeo@example.org", "juliet@example.org", "nurse@example.org")
PLACES = (
    "romeo@example.org/orchard",
    "romeo@example.org/street",
    "juliet@example.org/balcony",
    "juliet@example.org/chamber",
    "nurse@example.org/house",  # her only one: she sees what each of the others wrote in its order
)
GIVE_UP = 700  # seconds after which no session waits any more


class Person:
    """What one client knows, over all of its connections."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.name: str | None = None  # of the stream, if it can be resumed
        self.counts = False
        self.got = self.sent = 0
        self.unsure: list[int] = []  # messages it sent that the server has not acknowledged
        self.read: list[int] = []
        self.new: list[int] = []  # those that it has read and not acknowledged
        self.acknowledged: set[int] = set()
        self.questions: list[str] = []

    def take(self) -> None:
        """Read what came."""
        assert self.client is not None
        for element in self.client.received():
            if element.name in ("message", "presence", "iq"):
                self.got += self.counts
            body = element.child_text("jabber:client", "body")
            if body is not None and element.get("type") != "error":
                number = int(body)
                assert number not in self.acknowledged, f"{number} again"
                self.read.append(number)
                self.new.append(number)
            if element.name == "iq" and element.get("type") == "get":
                self.questions.append(element.get("id") or "")
            if element.name == "a":
                self._acknowledged(int(element.get("h") or ""))

    def _acknowledged(self, handled: int) -> None:
        left = self.sent - handled
        assert 0 <= left <= len(self.unsure), (self.sent, handled, self.unsure)
        del self.unsure[: len(self.unsure) - left]

    def send(self, text: str) -> None:
        assert self.client is not None
        self.sent += self.counts
        self.client.send(text)


class Household(RuleBasedStateMachine):
    """Everybody writes to everybody."""

    @initialize(carbons=st.booleans())
    def begin(self, carbons: bool) -> None:
        options = with_options(offline=Offline(messages=1_000_000), c2s=C2s(idle_ping_after=100_000))
        self.world = World(*ACCOUNTS, settings=options)
        self.people = {place: Person() for place in PLACES}
        self.count = 0
        self.promised: dict[str, set[int]] = defaultdict(set)  # what was acknowledged to its sender
        self.writers: dict[int, str] = {}
        self.recipients: dict[int, str] = {}
        self.carbons = carbons

    def person(self, place: str) -> Person:
        return self.people[place]

    def there(self) -> list[str]:
        return [place for place in PLACES if self.people[place].client is not None]

    # Coming and going

    @rule(place=st.sampled_from(PLACES), counts=st.sampled_from([True, True, False]))
    def come(self, place: str, counts: bool) -> None:
        self.start(place, counts)

    def start(self, place: str, counts: bool) -> None:
        self.drop(place)
        person = self.person(place)
        self.world.memory.writes.release()
        self.world.turn()
        client = self.world.login(place)
        person.client, person.counts, person.name = client, counts, None
        person.got = person.sent = 0
        person.unsure, person.new, person.questions = [], [], []
        if counts:
            person.name = enable(client, "resume='true'").get("id")
        if self.carbons:
            person.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
            person.unsure.append(0)
        person.send("<presence/>")
        person.unsure.append(0)

    def drop(self, place: str) -> None:
        person = self.person(place)
        if person.client is not None:
            person.client.cut()
            person.client = None

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        """What it had not read is lost."""
        self.drop(data.draw(st.sampled_from(self.there())))

    @precondition(lambda self: any(p.name and p.client is None for p in self.people.values()))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        places = [place for place in PLACES if self.people[place].name and self.people[place].client is None]
        place = data.draw(st.sampled_from(places))
        person = self.person(place)
        self.world.memory.writes.release()
        self.world.turn()
        client = connected(self.world, place.partition("/")[0])
        client.send(f"<resume xmlns='{NS}' previd='{person.name}' h='{person.got}'/>")
        found = re.match(r"<resumed [^>]*h='(\d+)'[^>]*/>", client.bytes)
        if found is None:
            client.cut()
            person.name = None
            return
        client.bytes = client.bytes[found.end() :]
        person.client = client
        handled = int(found[1])
        assert handled == person.sent
        self.settle(place, handled)

    @precondition(lambda self: self.there())
    @rule(data=st.data(), reads=st.booleans())
    def leave(self, data: st.DataObject, reads: bool) -> None:
        place = data.draw(st.sampled_from(self.there()))
        person = self.person(place)
        assert person.client is not None
        if reads or not person.counts:  # who closes a stream in order has read it
            self.take(place)
            self.acknowledge(place)
        person.client.leave()
        person.client, person.name = None, None

    @rule()
    def give_up(self) -> None:
        """So much time passes that no session waits any more."""
        self.world.advance(GIVE_UP)

    # Reading

    def take(self, place: str) -> None:
        person = self.person(place)
        before = list(person.unsure)
        person.take()
        self.promise(before[: len(before) - len(person.unsure)])
        self.in_order(place)

    def in_order(self, place: str) -> None:
        """Per pair: somebody with one client sees each for the first time in the order of its writer."""
        if not place.startswith("nurse"):
            return
        seen: dict[str, int] = {}
        first = dict.fromkeys(self.person(place).read)
        for number in first:
            writer = self.writers[number]
            assert seen.get(writer, 0) < number, f"{number} after {seen[writer]}"
            seen[writer] = number

    def settle(self, place: str, handled: int) -> None:
        person = self.person(place)
        before = list(person.unsure)
        person._acknowledged(handled)
        self.promise(before[: len(before) - len(person.unsure)])

    def promise(self, numbers: list[int]) -> None:
        for number in numbers:
            if number:
                self.promised[self.recipients[number]].add(number)

    def acknowledge(self, place: str) -> None:
        person = self.person(place)
        assert person.client is not None
        if person.client.closed:
            return
        if person.counts:
            person.client.send(f"<a xmlns='{NS}' h='{person.got}'/>")
            person.acknowledged.update(person.new)
            person.new = []
        for question in person.questions:
            person.send(f"<iq type='result' to='example.org' id='{question}'/>")
            person.unsure += [0] * person.counts
        person.questions = []

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        self.take(data.draw(st.sampled_from(self.there())))

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def read_and_say_so(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.there()))
        self.take(place)
        self.acknowledge(place)

    # Writing

    @precondition(lambda self: self.there())
    @rule(data=st.data(), to=st.sampled_from((*ACCOUNTS, *PLACES)), many=st.sampled_from([1, 1, 3]))
    def write(self, data: st.DataObject, to: str, many: int) -> None:
        place = data.draw(st.sampled_from(self.there()))
        person = self.person(place)
        if not person.counts:
            self.take(place)  # any byte of it says that its stream lived on
        for _ in range(many):
            self.count += 1
            self.writers[self.count], self.recipients[self.count] = place, to.partition("/")[0]
            person.send(f"<message to='{to}' type='chat'><body>{self.count}</body></message>")
            person.unsure.append(self.count)

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.there()))
        person = self.person(place)
        if person.counts and person.client is not None:
            person.client.send(f"<r xmlns='{NS}'/>")

    # The service

    @rule()
    def slow(self) -> None:
        self.world.memory.writes.hold()

    @rule()
    def catch_up(self) -> None:
        self.world.memory.writes.release()
        self.world.turn()

    @rule()
    def kill(self) -> None:
        self.restart()

    def restart(self) -> None:
        """What waited for the disk in the old process is never told."""
        for place in PLACES:
            self.person(place).client = None
            self.person(place).name = None
        self.world.memory.writes._waiting.clear()
        self.world.restart()
        self.world.memory.writes.release()

    def teardown(self) -> None:
        """At last everybody comes, reads all, and has got all that was promised."""
        if not hasattr(self, "world"):
            return
        self.world.memory.writes.release()
        self.world.turn()
        self.restart()
        last = {
            account: f"{account}/{'house' if account.startswith('nurse') else 'last'}" for account in ACCOUNTS
        }
        self.people |= {place: Person() for place in last.values() if place not in self.people}
        for place in last.values():
            self.start(place, counts=True)
            for _ in range(3 + self.count // 100):
                self.take(place)
                self.acknowledge(place)
        for account in ACCOUNTS:
            people = [person for place, person in self.people.items() if place.startswith(account)]
            seen = {number for person in people for number in person.read}
            assert self.promised[account] <= seen, f"{account} lost {self.promised[account] - seen}"


TestHousehold = Household.TestCase
TestHousehold.settings = settings(max_examples=60, stateful_step_count=40)
