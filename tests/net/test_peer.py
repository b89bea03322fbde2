"""XEP-0198 between servers: what is acknowledged to a peer, and when; and what it acknowledges."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from commonroom.net.limits import ConnectionLimits
from commonroom.net.peer import MOMENT, Carrier, PeerLimits, PeerService
from commonroom.net.rates import Rate
from commonroom.net.s2s import GRACE, IncomingConnection
from commonroom.protocol.dialback import DialbackKeys, Pair
from commonroom.protocol.jid import JID
from commonroom.protocol.s2s import PeerSettings
from commonroom.protocol.stanza import Message, MessageType, Stanza
from commonroom.storage.memory import MemoryWrites
from commonroom.xml.parser import Limits

START = datetime(2026, 3, 1, tzinfo=UTC)
UNLIMITED = Rate()
OURS, THEIRS = "example.org", "example.net"
SM = "xmlns='urn:xmpp:sm:3'"
LIMITS = Limits(100_000, depth=50, elements=1000, attributes=100, names=1000)
HEADER = (
    f"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
    f"to='{OURS}' from='{THEIRS}'>"
)
EXTERNAL = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"
BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
MESSAGE = f"<message type='chat' from='juliet@{THEIRS}' to='romeo@{OURS}' id='m'><body>hi</body></message>"


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def cancel(self) -> None:
        self.call = lambda: None


class Wire:
    """The connection below."""

    address, tls, connected_at, unsent, last_received = ("192.0.2.1", 1), None, 0.0, 0, 0.0

    def __init__(self) -> None:
        self.text = ""
        self.is_read = True

    def write(self, text: str) -> bool:
        self.text += text
        return True

    def close(self) -> None: ...

    def pause(self, why: object) -> None:
        self.is_read = False

    def resume(self, why: object) -> None:
        self.is_read = True


class Certificate:
    def distrust(self, domain: str) -> None:
        """It proves anything."""


class Demand:
    refused, needs_tls, needs_certificate, allows_dialback = None, False, False, True


class Debt:
    """A message that somebody here has yet to get."""

    def __init__(self, id: int, writes: MemoryWrites) -> None:
        self.id, self.is_settled, self._writes = id, False, writes

    def secure(self) -> None:
        if not self.is_settled:
            self.is_settled = True
            self._writes.note()


class Kept:
    has_arrived = False

    def arrived(self) -> None:
        self.has_arrived = True

    def missed(self) -> None: ...


class World:
    def __init__(self, rate: Rate = UNLIMITED) -> None:
        self.seconds = 0.0
        self.rate = rate
        self.timers: list[tuple[float, Timer]] = []
        self.writes = MemoryWrites()
        self.debts: list[Debt] = []
        self.carried: list[Pair] = []
        self.dropped: list[Carrier] = []
        self.service = PeerService(
            settings=PeerSettings(OURS.__eq__, LIMITS, LIMITS, DialbackKeys(b"k"), lambda n: b"r" * n),
            limits=PeerLimits(30, 600, Rate(), ConnectionLimits()),
            tls=None,  # type: ignore[arg-type]
            outgoing_tls=None,  # type: ignore[arg-type]
            present=lambda _: Certificate(),
            demand=lambda _: Demand(),
            enter=self.enter,
            route=lambda _: None,
            when_flushed=self.writes.when_flushed,
            verify=lambda *_: None,
            carry=lambda pair, _: self.carried.append(pair),
            drop=self.dropped.append,
            failed=lambda *_: None,
            spawn=lambda work: work.close(),
            later=self.later,
            clock=lambda: self.seconds,
            now=lambda: START + timedelta(seconds=self.seconds),
            rate=lambda _: self.rate,
        )
        self.connect()

    def connect(self) -> None:
        """One more stream."""
        self.wire = Wire()
        self.peer = IncomingConnection(self.service, is_secure=True)
        self.peer.connected(self.wire)  # type: ignore[arg-type]

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append((self.seconds + delay, Timer(call)))
        return self.timers[-1][1]

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        due = [timer for at, timer in self.timers if at <= self.seconds]
        self.timers = [(at, timer) for at, timer in self.timers if at > self.seconds]
        for timer in due:
            timer.call()

    def enter(self, stanza: Stanza) -> None:
        """Its recipient gets it, and may acknowledge it."""
        if isinstance(stanza, Message) and stanza.owed is not None:
            self.debts.append(Debt(len(self.debts) + 1, self.writes))
            stanza.owed.add(self.debts[-1])

    def send(self, text: str) -> str:
        self.wire.text = ""
        self.peer.receive(text.encode())
        return self.wire.text

    def log_in(self, *more: str) -> "World":
        self.send(HEADER)
        for each in (*more, EXTERNAL, HEADER):
            self.send(each)
        return self


def to_peer(number: int) -> Message:
    message = Message(MessageType.CHAT, JID.parse(f"a@{THEIRS}"), JID.parse(f"b@{OURS}"), str(number))
    message.held = Kept()
    return message


def test_what_comes_before_acknowledgements_are_on_is_owed_to_nobody() -> None:
    world = World().log_in()
    world.send(MESSAGE + f"<r {SM}/>")
    assert (world.debts, world.wire.text) == ([], "")


def test_xep0198_4_what_nobody_has_is_on_disk_before_it_is_acknowledged() -> None:
    world = World().log_in()
    world.send(f"<enable {SM}/>")
    world.writes.hold()
    assert world.send(MESSAGE + f"<r {SM}/>") == ""
    world.pass_time(MOMENT)
    assert (world.writes.behind, world.wire.text) == (1, "")
    world.writes.release()
    assert world.wire.text == f"<a {SM} h='1'/>"


def test_what_arrived_within_a_moment_is_acknowledged_and_never_written() -> None:
    world = World().log_in()
    world.send(f"<enable {SM}/>")
    world.send(MESSAGE + f"<r {SM}/>")
    world.debts[0].is_settled = True
    world.pass_time(MOMENT)
    assert (world.writes.appended, world.wire.text) == (0, f"<a {SM} h='1'/>")
    assert world.send(f"<r {SM}/>") == f"<a {SM} h='1'/>"


def test_what_comes_meanwhile_is_acknowledged_by_itself() -> None:
    world = World().log_in()
    world.send(f"<enable {SM}/>")
    world.send(MESSAGE + f"<r {SM}/>")
    world.send(MESSAGE)
    world.pass_time(MOMENT)
    assert world.wire.text == f"<a {SM} h='1'/>"
    world.pass_time(MOMENT)
    assert world.wire.text == f"<a {SM} h='1'/><a {SM} h='2'/>"


def test_what_nobody_has_when_a_stream_ends_is_kept() -> None:
    world = World().log_in()
    world.send(f"<enable {SM}/>")
    world.send(MESSAGE)
    world.peer.lost("reset")
    assert world.writes.appended == 1


def test_xep0288_2_2_nothing_is_sent_before_the_peer_counts_or_does_not_within_a_moment() -> None:
    pair = Pair(OURS, THEIRS)
    counting = World().log_in(BIDI)
    assert counting.carried == []
    assert counting.send(f"<enable {SM}/>") == f"<enabled {SM}/>"
    assert counting.carried == [pair]
    counting.pass_time(GRACE)
    assert counting.carried == [pair]
    other = World().log_in(BIDI)
    other.pass_time(GRACE)
    assert other.carried == [pair]
    talking = World().log_in(BIDI)
    talking.send(MESSAGE)
    assert talking.carried == [pair]
    talking.pass_time(GRACE)
    assert talking.carried == [pair]


@pytest.mark.parametrize("counts", [True, False])
def test_what_was_sent_has_arrived_when_it_is_acknowledged_or_else_when_it_is_written(counts: bool) -> None:
    world = World().log_in(BIDI)
    if counts:
        world.send(f"<enable {SM}/>")
    sent = [to_peer(number) for number in range(3)]
    for message in sent:
        world.peer.send(message)
    assert [message.held.has_arrived for message in sent] == [not counts] * 3  # type: ignore[union-attr]
    world.send(f"<a {SM} h='2'/>")
    assert [m.held.has_arrived for m in sent] == [True, True, not counts]  # type: ignore[union-attr]
    assert list(world.peer.unacknowledged()) == (sent[2:] if counts else [])


def test_xep0198_4_what_was_sent_behind_a_question_is_asked_for_when_it_is_answered() -> None:
    """Or the last ones of a burst would stay in doubt, and come twice after a restart."""
    world = World().log_in(BIDI)
    world.send(f"<enable {SM}/>")
    for number in range(3):
        world.peer.send(to_peer(number))
    assert world.send(f"<a {SM} h='0'/>") == ""  # it got the question, and none is done: it tells when
    assert world.send(f"<a {SM} h='1'/>") == f"<r {SM}/>"
    assert world.send(f"<a {SM} h='3'/>") == ""


def test_a_peer_that_does_not_count_after_all_has_what_was_written() -> None:
    world = World().log_in(BIDI)
    world.send(f"<enable {SM}/>")
    world.peer.send(message := to_peer(1))
    world.send(f"<failed {SM}/>")
    assert message.held.has_arrived  # type: ignore[union-attr]


def test_xep0288_2_2_a_stream_that_has_ended_carries_nothing_while_its_connection_lingers() -> None:
    world = World().log_in(BIDI)
    world.send(MESSAGE)
    assert (world.carried, world.dropped) == ([Pair(OURS, THEIRS)], [])
    world.send("</stream:stream>")
    assert world.dropped == [world.peer]


def test_rfc6120_13_12_the_streams_of_one_domain_share_what_it_may_send() -> None:
    world = World(Rate(stanzas=1, stanza_burst=10, size=1000, byte_burst=100_000)).log_in()
    first = world.wire
    world.send(MESSAGE * 8)
    assert first.is_read
    world.connect()
    world.log_in()
    world.send(MESSAGE * 4)
    assert (first.is_read, world.wire.is_read) == (True, False)
    world.pass_time(3.9)  # the headers count, too
    assert not world.wire.is_read
    world.pass_time(0.2)
    assert world.wire.is_read


def test_a_stranger_is_measured_alone() -> None:
    world = World(Rate(stanzas=1, stanza_burst=10, size=1000, byte_burst=100_000)).log_in()
    world.send(MESSAGE * 20)
    assert not world.wire.is_read
    world.connect()
    world.send(HEADER)
    assert world.wire.is_read
