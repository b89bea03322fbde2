"""XEP-0160, XEP-0313: what waits, while several clients look at it, and where the disk is slow."""

from dataclasses import replace

import pytest

from commonroom.config.schema import Offline
from commonroom.core.user import User
from commonroom.features.offline import LATER
from commonroom.protocol.jid import JID
from commonroom.xml.names import NS_BIND2
from tests.conversations.history import field, form, rsm
from tests.conversations.managed import Managed, chat, managed, waiting
from tests.conversations.returning import by_password
from tests.conversations.slow_reads import SlowReads, slow_reads
from tests.conversations.test_xep0198_redelivery import catch_up, gone, on_disk
from tests.conversations.world import Gate, World, condition, with_options

ROMEO, JULIET, NURSE = "romeo@example.org", "juliet@example.org", "nurse@example.org"


@pytest.fixture
def world() -> World:
    return World(ROMEO, JULIET, NURSE)


@pytest.fixture
def reads(world: World) -> SlowReads:
    return slow_reads(world)


@pytest.fixture
def romeo(world: World, reads: SlowReads) -> Managed:
    return managed(world, f"{ROMEO}/orchard", presence="")


def user(world: World) -> User:
    found = world.core.users.find(JID.parse(JULIET))
    assert found is not None
    return found


def reader(world: World, place: str) -> Managed:
    """A client that reads the archive, and takes no messages."""
    return managed(world, f"{JULIET}/{place}", "resume='true' max='60'", presence="")


def read(it: Managed) -> list[str | None]:
    """Its archive; the results, and the answer behind them."""
    found = catch_up(it.client)
    it.got += len(found) + 1
    return found


# Two who read the same


@pytest.mark.parametrize("first", [0, 1])
def test_what_two_have_read_and_one_has_acknowledged_is_on_disk_no_more(
    world: World, romeo: Managed, first: int
):
    romeo.send(chat(1))
    both = reader(world, "one"), reader(world, "other")
    assert read(both[0]) == read(both[1]) == ["1"]
    gone(world, both[first])
    assert user(world).mail_count == 1
    both[1 - first].acknowledge()
    assert (on_disk(world), user(world).mail_count) == (0, 0)


def test_what_two_have_read_and_none_has_acknowledged_waits(world: World, romeo: Managed):
    romeo.send(chat(1))
    both = reader(world, "one"), reader(world, "other")
    assert read(both[0]) == read(both[1]) == read(both[1]) == ["1"]
    for it in both:
        gone(world, it)
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_what_comes_back_while_it_is_read_and_is_acknowledged_then_waits_no_more(
    world: World, reads: SlowReads, romeo: Managed
):
    first = managed(world, f"{JULIET}/first", "resume='true' max='60'")
    romeo.send(chat(1))
    assert first.bodies() == ["1"]
    other = reader(world, "other")
    reads.stop()
    assert catch_up(other.client) == []
    gone(world, first)
    reads.go_on(reads.gate)
    world.turn()
    assert other.client.bodies() == [None]
    other.got += 2
    other.acknowledge()
    assert (on_disk(world), user(world).mail_count) == (0, 0)


def given_while_read(world: World, reads: SlowReads) -> tuple[Managed, Managed, Gate]:
    """Who reads the archive, which waits at the gate; and who was sent the message meanwhile."""
    other, first = reader(world, "other"), reader(world, "first")
    reads.stop()
    gate = reads.gate
    assert catch_up(other.client) == []
    reads.go_on()
    first.send("<presence/>")
    assert first.bodies() == ["1"]
    return other, first, gate


def test_what_arrives_while_it_is_read_is_counted_once(world: World, reads: SlowReads, romeo: Managed):
    romeo.send(chat(1))
    other, first, gate = given_while_read(world, reads)
    first.acknowledge()
    reads.go_on(gate)
    world.turn()
    other.acknowledge()
    assert (on_disk(world), user(world).mail_count, user(world).mail_size) == (0, 0, 0)


def test_what_is_given_to_another_and_comes_back_while_it_is_read_waits_no_more_either(
    world: World, reads: SlowReads, romeo: Managed
):
    romeo.send(chat(1))
    other, first, gate = given_while_read(world, reads)
    gone(world, first)
    reads.go_on(gate)
    world.turn()
    other.acknowledge()
    assert (on_disk(world), user(world).mail_count) == (0, 0)


# Pages


def test_xep0313_4_1_1_what_others_wrote_between_the_results_of_a_page_waits(world: World, romeo: Managed):
    nurse = managed(world, f"{NURSE}/house", presence="")
    romeo.send(chat("first"))
    for number in range(150):
        nurse.send(chat(number))
    romeo.send(chat("last"))
    it = reader(world, "one")
    inside = form(field("with", ROMEO)) + rsm(max=5)
    query = f"<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'>{inside}</query></iq>"
    assert catch_up(it.client, query) == ["first", "last"]
    it.got += 3
    it.acknowledge()
    assert on_disk(world) == user(world).mail_count == 150


def test_what_is_in_a_page_that_cannot_be_sent_waits(world: World, romeo: Managed):
    romeo.send(chat(1) + chat(2))
    kept = world.memory.archive.kept[JID.parse(JULIET)]
    kept[1] = replace(kept[1], xml="<broken")
    it = reader(world, "one")
    answer = it.client.ask("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
    assert condition(answer) == "internal-server-error"
    assert waiting(world, f"{JULIET}/new") == ["1", "2"]


# What cannot be read


def test_what_could_not_be_read_is_read_again_after_a_while(
    world: World, reads: SlowReads, romeo: Managed, caplog: pytest.LogCaptureFixture
):
    romeo.send(chat(1))
    reads.fails = True
    first = managed(world, f"{JULIET}/first")
    world.advance(LATER + 1)
    assert first.bodies() == []
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["what waits cannot be read"] * 2
    reads.fails = False
    world.advance(LATER + 1)
    assert first.bodies() == ["1"]


# Clients that leave what the archive has


def test_xep0386_3_2_what_arrives_while_it_is_left_to_the_archive_is_counted_once():
    world = World(ROMEO, JULIET, settings=with_options(offline=Offline(messages=2)))
    reads = slow_reads(world)
    romeo = managed(world, f"{ROMEO}/orchard", presence="")
    romeo.send(chat(1) + chat(2))
    first = reader(world, "first")
    reads.stop()
    gate = reads.gate
    by_password(world, JULIET, f"<bind xmlns='{NS_BIND2}'/>", id=None)
    reads.go_on()
    first.send("<presence/>")
    assert first.bodies() == ["1", "2"]
    first.acknowledge()
    reads.go_on(gate)
    world.turn()
    assert (on_disk(world), user(world).mail_count) == (0, 0)
