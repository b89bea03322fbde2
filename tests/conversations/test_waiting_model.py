"""XEP-0160, XEP-0198, XEP-0313 as promises: what waits reaches somebody, once, however it is read.

Juliet's clients come and go, with and without XEP-0198, read pages of the archive, acknowledge in part, are
cut off, resume, and leave; the disk is slow, or full; the service is killed. What no client surely has is on
disk or on its way, is counted once, and comes to whoever is next.
"""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from commonroom.config.c2s import C2s
from commonroom.config.schema import Offline as Options
from commonroom.core.holding import Held, size_of
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.features.offline import LATER, Offline
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.records import OfflineMessage
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND2, NS_CLIENT, NS_MAM
from tests.conversations.managed import NS, STANZAS, Managed, back, chat, enable, managed
from tests.conversations.returning import by_password
from tests.conversations.slow_reads import slow_reads
from tests.conversations.test_xep0160_model import number_in
from tests.conversations.world import Client, Gate, World, with_options

ROMEO, JULIET = "romeo@example.org", JID.parse("juliet@example.org")
PLACES = ("balcony", "chamber", "garden")
BURST = 60  # two of them are more than what goes out at once
GIVE_UP = 700  # seconds after which no session waits any more
PING = "<iq type='get' id='ping' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>"
PRESENCES = (
    "<presence/>",
    "<presence type='unavailable'/>",
    "<presence><priority>-1</priority></presence>",
    "<presence><priority>5</priority></presence>",
)
QUERIES = (
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max></set>",
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max><before/></set>",
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max><after>{some}</after></set>",
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max><before>{some}</before></set>",
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
    "<field var='with'><value>romeo@example.org</value></field></x>"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max></set>",
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
    "<field var='with'><value>nurse@example.org</value></field></x>",
)


class Reader:
    """A client of Juliet's. `stanzas` is what it has read over all of its streams: numbers of messages."""

    def __init__(self, client: Client, name: str | None, counts: bool) -> None:
        self.client = client
        self.is_there = True
        self.name = name
        self.counts = counts
        self.stanzas: list[int | None] = []
        self.acknowledged = 0
        self.lived = 0  # up to where it read before it was heard last
        self.questions: list[tuple[str, int]] = []
        self.answered: set[str] = set()

    def take(self) -> None:
        for element in self.client.received():
            if element.name not in STANZAS:
                continue
            self.stanzas.append(number_of(element))
            if element.name == "iq" and element.get("type") == "get":
                self.questions.append((element.get("id", ""), len(self.stanzas)))
            elif element.name == "iq":
                self.answered.add(element.get("id", ""))

    def say(self, text: str) -> set[int]:
        """Read what came, and write something; gives what it surely has by that."""
        self.take()
        sure = [] if self.counts else self.stanzas[: self.lived]
        self.lived = len(self.stanzas)
        self.client.send(text)
        return numbers(sure)


def number_of(stanza: Element) -> int | None:
    """The number that is the body of a message, or of the one that is in a result."""
    if stanza.name != "message":
        return None
    result = stanza.child(NS_MAM, "result")
    if result is not None:
        (forwarded,) = result.elements()
        message = forwarded.child(NS_CLIENT, "message")
        assert message is not None
        stanza = message
    body = stanza.child_text(NS_CLIENT, "body")
    return None if body is None else int(body)


def numbers(stanzas: Sequence[int | None]) -> set[int]:
    return {number for number in stanzas if number is not None}


class Waiting(RuleBasedStateMachine):
    """Romeo writes, and counts on what was acknowledged; Juliet's clients read."""

    @initialize(
        archives=st.sampled_from([True, True, True, False]),
        before=st.integers(0, 3),
        counts=st.lists(st.booleans(), max_size=len(PLACES)),
    )
    def begin(self, archives: bool, before: int, counts: list[bool]) -> None:
        options = with_options(offline=Options(messages=1_000_000), c2s=C2s(idle_ping_after=100_000))
        self.world = World(ROMEO, str(JULIET), "nurse@example.org", settings=options)
        self.reads = slow_reads(self.world)
        self.gates: list[Gate] = []  # what is read waits at
        self.readers: dict[str, Reader] = {}
        self.archives = archives
        self.count = 0
        self.sure: set[int] = set()  # some client has it, and the service knows
        self.doubtful: set[int] = set()  # may come, or not
        self.saved: tuple[list[OfflineMessage], dict[JID, list[object]]] | None = None
        self.has_failed = False
        self.enter()
        if not archives:
            client = self.world.online(f"{JULIET}/setup")
            client.send("<iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>")
            client.leave()
        for _ in range(before):
            self.write(1, False)
        for place, counted in zip(PLACES, counts, strict=False):
            self.readers[place] = self.start(place, counted)

    def enter(self) -> None:
        self.romeo: Managed = managed(self.world, f"{ROMEO}/orchard", "")
        self.romeo_sent = 1  # his presence
        self.unsure: list[int] = []

    @property
    def is_quiet(self) -> bool:
        return self.saved is None and self.reads.gate.is_open and not self.gates and not self.reads.fails

    def there(self) -> list[str]:
        return [place for place in self.readers if self.readers[place].is_there]

    def some(self, data: st.DataObject) -> Reader:
        return self.readers[data.draw(st.sampled_from(self.there()))]

    def some_of_them(self, data: st.DataObject) -> list[Reader]:
        places = data.draw(st.lists(st.sampled_from(self.there()), min_size=1, max_size=2, unique=True))
        return [self.readers[place] for place in places]

    # Coming and going

    @rule(place=st.sampled_from(PLACES), counts=st.booleans(), bind2=st.sampled_from([False, False, True]))
    def come(self, place: str, counts: bool, bind2: bool) -> None:
        self.settle()
        if place in self.readers:
            self.cut_off(self.readers[place])
        self.readers[place] = self.start(place, counts, bind2)

    def start(self, place: str, counts: bool, bind2: bool = False) -> Reader:
        if bind2:
            request = f"<bind xmlns='{NS_BIND2}'><tag>{place}</tag></bind>"
            client = by_password(self.world, str(JULIET), request, id=None).client
        else:
            client = self.world.login(f"{JULIET}/{place}")
        name = enable(client).get("id") if counts else None
        return Reader(client, name, counts)

    @precondition(lambda self: self.there())
    @rule(data=st.data(), presence=st.sampled_from(PRESENCES))
    def show(self, data: st.DataObject, presence: str) -> None:
        self.sure |= self.some(data).say(presence)

    @precondition(lambda self: self.there())
    @rule(data=st.data(), reads=st.booleans())
    def cut(self, data: st.DataObject, reads: bool) -> None:
        reader = self.some(data)
        if reads:
            reader.take()
        self.cut_off(reader)

    def cut_off(self, reader: Reader) -> None:
        if reader.is_there:
            reader.is_there = False
            reader.client.cut()

    @precondition(lambda self: any(r.name and not r.is_there for r in self.readers.values()))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        self.settle()
        places = [place for place, r in self.readers.items() if r.name and not r.is_there]
        place = data.draw(st.sampled_from(places))
        reader = self.readers[place]
        it = Managed(reader.client, reader.name, len(reader.stanzas))
        try:
            new = back(self.world, it, str(JULIET))
        except AssertionError:  # it was away for too long
            del self.readers[place]
            return
        self.sure |= numbers(reader.stanzas)
        reader.client, reader.is_there, reader.acknowledged = new.client, True, len(reader.stanzas)

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """In order: such a client reads on until the server has closed, too."""
        reader = self.some(data)
        self.sure |= reader.say("</stream:stream>")
        reader.take()
        if not reader.counts:
            self.sure |= numbers(reader.stanzas)
        reader.is_there, reader.name = False, None
        reader.client.handler.lost("closed")

    @rule(seconds=st.sampled_from([1, 16, 31, 61, GIVE_UP]))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    # Reading

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """What it has read, or part of it."""
        reader = self.some(data)
        reader.take()
        if reader.counts:
            through = data.draw(st.integers(reader.acknowledged, len(reader.stanzas)))
            self.acknowledge_to(reader, through)
        else:
            self.sure |= reader.say(" ")

    def acknowledge_to(self, reader: Reader, through: int) -> None:
        reader.client.send(f"<a xmlns='{NS}' h='{through}'/>")
        self.sure |= numbers(reader.stanzas[:through])
        reader.acknowledged = through

    @precondition(lambda self: self.there())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.answer_all(self.some(data))

    def answer_all(self, reader: Reader) -> None:
        reader.take()
        while reader.questions:
            id, before = reader.questions.pop(0)
            asked = self.world.core.questions._asked.values()
            if not reader.counts and any((None, id) in questions for questions in asked):  # not too late
                self.sure |= numbers(reader.stanzas[:before])
            self.sure |= reader.say(f"<iq type='result' to='example.org' id='{id}'/>")

    @precondition(lambda self: self.there() and self.archives)
    @rule(data=st.data(), query=st.sampled_from(QUERIES), most=st.integers(1, 3))
    def read_the_archive(self, data: st.DataObject, query: str, most: int) -> None:
        for reader in self.some_of_them(data):
            self.ask_for(query, most, data, reader)

    def ask_for(self, query: str, most: int, data: st.DataObject, reader: Reader) -> None:
        ids = [kept.id for kept in self.world.memory.archive.kept.get(JULIET, [])]
        inside = query.format(most=most, some=data.draw(st.sampled_from(ids or [1])))
        self.sure |= reader.say(f"<iq type='set' id='q'><query xmlns='{NS_MAM}'>{inside}</query></iq>")

    @precondition(lambda self: self.is_quiet and self.archives and len(self.there()) > 1)
    @rule(
        data=st.data(),
        query=st.sampled_from(QUERIES[:3]),
        presence=st.sampled_from(PRESENCES[:1] * 3 + PRESENCES),
    )
    def overtake(self, data: st.DataObject, query: str, presence: str) -> None:
        """What one reads is read early, and comes late; meanwhile another gets it, or is cut off."""
        slow, fast = data.draw(st.permutations([self.readers[place] for place in self.there()]))[:2]
        self.sure |= fast.say(PRESENCES[1])
        self.write(1, False)
        self.reads.is_early = True
        self.reads.stop()
        self.gates.append(self.reads.gate)
        self.ask_for(query, 3, data, slow)
        self.reads.go_on()
        self.sure |= fast.say(presence)
        fast.take()
        if data.draw(st.booleans()):
            self.cut_off(fast)
        elif fast.counts:
            self.acknowledge_to(fast, len(fast.stanzas))
        self.settle()

    # Writing

    @rule(many=st.sampled_from([1, 1, 2, BURST]), there=st.booleans())
    def write(self, many: int, there: bool) -> None:
        places = self.there()
        to = f"{JULIET}/{places[0]}" if there and places else str(JULIET)
        for _ in range(many):
            self.count += 1
            self.unsure.append(self.count)
            self.romeo.send(chat(self.count, to))
        self.romeo_sent += many
        self.hear()

    @rule()
    def ask(self) -> None:
        self.romeo.send(f"<r xmlns='{NS}'/>")
        self.hear()

    def hear(self) -> None:
        for element in self.romeo.client.received():
            if element.name == "a":
                left = self.romeo_sent - int(element.get("h", ""))
                del self.unsure[: len(self.unsure) - left]
            elif element.name == "message" and element.get("type") == "error":
                self.doubtful.add(int(element.get("id", "")[1:]))  # he knows, and sends it again if he wants

    # The service

    @precondition(lambda self: self.is_quiet)
    @rule()
    def write_slowly(self) -> None:
        memory = self.world.memory
        self.saved = self.disk()
        memory.writes.hold()

    @precondition(lambda self: self.is_quiet)
    @rule(is_early=st.booleans())
    def read_slowly(self, is_early: bool) -> None:
        self.reads.is_early = is_early
        self.reads.stop()

    @precondition(lambda self: not self.reads.gate.is_open)
    @rule()
    def read_fast_again(self) -> None:
        """But not what is read already: it comes when all is settled."""
        self.gates.append(self.reads.gate)
        self.reads.go_on()

    @precondition(lambda self: self.is_quiet)
    @rule(really=st.sampled_from([True, False, False]))
    def read_nothing(self, really: bool) -> None:
        self.reads.fails = really

    @rule(fails=st.sampled_from([False, False, False, True]))
    def go_on(self, fails: bool) -> None:
        self.settle(fails)

    def disk(self) -> tuple[list[OfflineMessage], dict[JID, list[object]]]:
        memory = self.world.memory
        archive = {owner: list(kept) for owner, kept in memory.archive.kept.items()}
        return list(memory.kept[JULIET].offline), archive  # type: ignore[return-value]

    def go_back(self) -> None:
        """To what was on disk: the rest was never written."""
        memory = self.world.memory
        if self.saved is not None:
            memory.kept[JULIET].offline, archive = self.saved
            memory.archive.kept.clear()
            memory.archive.kept.update(archive)  # type: ignore[arg-type]
            memory.archive._used.clear()
            self.doubtful |= self.sure & set(self.on_disk())  # that it arrived was not written either
            self.sure -= self.doubtful
            self.saved = None

    def settle(self, fails: bool = False) -> None:
        if fails and self.saved is not None:
            self.has_failed = True
            self.go_back()
            self.world.memory.writes.release(StorageError("the disk is full"))
        self.saved = None
        self.world.memory.writes.release()
        self.read_all()
        self.world.turn()
        if self.reads.fails:
            self.reads.fails = False
            self.world.advance(LATER)
        self.hear()

    def read_all(self) -> None:
        for gate in (*self.gates, self.reads.gate):
            self.reads.go_on(gate)
        self.gates.clear()

    @rule(really=st.sampled_from([True, False, False, False]))
    def kill(self, really: bool) -> None:
        if really:
            self.restart()

    def restart(self) -> None:
        self.hear()
        self.go_back()
        self.doubtful |= set(self.unsure)
        self.readers.clear()
        self.world.memory.writes._waiting.clear()
        self.world.memory.writes.release()
        self.read_all()
        self.reads.fails = False
        self.world.advance(1)
        self.world.restart()
        self.has_failed = False
        self.enter()

    # What holds

    def on_disk(self) -> list[int]:
        return [number_in(row.xml) for row in self.world.memory.kept[JULIET].offline]

    def offline(self) -> Offline:
        handlers = self.world.core.tables.session[Moment.REACHABLE]
        owners = (getattr(handler, "__self__", None) for handler in handlers)
        return next(owner for owner in owners if isinstance(owner, Offline))

    @invariant()
    def nothing_is_stuck_or_counted_twice(self) -> None:
        if not hasattr(self, "world") or not self.is_quiet:
            return
        self.world.turn()
        self.hear()
        user = self.world.core.users.find(JULIET)
        if user is None:
            return
        rows = self.world.memory.kept[JULIET].offline
        offline = self.offline()
        flying = offline._holding.flying(JULIET)
        assert not flying or user.sessions, "carried by nobody"
        assert not any(isinstance(s, Session) and s.is_waiting for s in user.sessions.values()), "stuck"
        if self.has_failed:
            return
        known = set(self.on_disk()) | {number_in(m.xml()) for m in flying.values() if "<body>" in m.xml()}
        missing = set(range(1, self.count + 1)) - set(self.unsure) - self.sure - self.doubtful - known
        assert not missing, f"lost: {missing}"
        every = [message.held for message in flying.values() if isinstance(message.held, Held)]
        given = {held.id for held in every if held.is_on_disk}
        assert given <= {row.id for row in rows}, "given to a client, and on disk no more"
        held = [each for each in every if not each.is_on_disk]
        assert user.mail_count == len(rows) + len(held)
        assert user.mail_size == sum(size_of(row.xml) for row in rows) + sum(each.size for each in held)
        if user.non_negative and not offline._catching_up and not offline._left:
            assert {row.id for row in rows} <= set(flying), "waits although somebody is there"

    def teardown(self) -> None:
        """At last all have left, and one comes who gets what nobody has, in order, and each once."""
        if not hasattr(self, "world"):
            return
        self.settle()
        for reader in self.readers.values():
            if reader.is_there:
                self.sure |= reader.say(PING)
                reader.take()
                assert "ping" in reader.answered
                self.cut_off(reader)
        self.world.advance(GIVE_UP)
        self.nothing_is_stuck_or_counted_twice()
        before, last = set(self.sure), self.start("last", counts=True)
        last.say("<presence/>")
        for _ in range(3 + self.count // 50):
            self.answer_all(last)
            self.acknowledge_to(last, len(last.stanzas))
        got = [number for number in last.stanzas if number is not None]
        assert got == sorted(set(got)), got
        due = set(range(1, self.count + 1)) - before - self.doubtful
        assert due <= set(got), f"lost: {due - set(got)}"
        assert set(got) <= due | self.doubtful, f"again: {set(got) - due - self.doubtful}"
        user = self.world.core.users.find(JULIET)
        assert self.has_failed or user is None or (user.mail_count, user.mail_size) == (0, 0)


TestWaiting = Waiting.TestCase
TestWaiting.settings = settings(max_examples=40, stateful_step_count=40)
