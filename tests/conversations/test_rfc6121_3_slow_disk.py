"""RFC 6121 §2 and §3 while the disk is slow: nobody is told what could be lost, and nobody misses a thing."""

import pytest

from tests.conversations.test_rfc6121_2_6_versioning import version
from tests.conversations.test_rfc6121_2_roster import change
from tests.conversations.test_rfc6121_3_subscriptions import MUTUAL, Two, rosters
from tests.conversations.world import Client


def released(two: Two) -> None:
    """The disk catches up; as with a real one, each write takes a while."""
    writes = two.world.memory.writes
    for _ in range(10):
        writes.release()
        writes.hold()
        two.world.turn()
    writes.release()


def test_rfc6121_2_3_2_a_change_is_told_when_it_is_on_disk():
    two = Two()
    two.world.memory.writes.hold()
    two.romeo.send(change("<item jid='a@example.org'/>"))
    assert two.romeo.received() == two.bar.received() == []
    released(two)
    assert two.romeo.told() == ["push a@example.org none", "iq result s"]
    assert two.bar.told() == ["push a@example.org none"]


def test_rfc6121_3_1_2_a_request_goes_out_when_it_is_on_disk():
    two = Two()
    two.world.memory.writes.hold()
    two.does("romeo subscribe")
    assert two.romeo.received() == two.juliet.received() == []
    released(two)
    assert two.romeo.told() == ["push juliet@example.org none ask"]
    assert two.juliet.told() == ["subscribe romeo@example.org"]


@pytest.mark.parametrize("how", [Client.leave, Client.cut])
@pytest.mark.parametrize(
    "step",
    [
        "<presence to='romeo@example.org' type='unsubscribed'/>",
        change("<item jid='romeo@example.org' subscription='remove'/>"),
    ],
)
def test_rfc6121_3_2_2_whoever_leaves_while_a_cancellation_is_written_is_seen_to_leave(step: str, how):
    two = Two(*MUTUAL)
    two.world.memory.writes.hold()
    two.juliet.send(step)
    how(two.juliet)
    two.chamber.send("<presence><show>away</show></presence>")
    released(two)
    told = [word for word in two.romeo.told() if "available" in word]
    assert told[:2] == ["unavailable juliet@example.org/balcony", "unavailable juliet@example.org/chamber"]
    assert not any(word.startswith("available") for word in told)


def test_rfc6121_3_1_5_who_comes_while_an_approval_is_written_is_seen():
    two = Two("romeo subscribe")
    two.world.memory.writes.hold()
    two.does("juliet subscribed")
    two.chamber.send("<presence><show>away</show></presence>")
    two.chamber.leave()
    two.connected[1].send("<presence/>")
    released(two)
    last = {}
    for word in two.romeo.told():
        kind, _, sender = word.partition(" ")
        last[sender] = kind
    assert last["juliet@example.org/balcony"] == last["juliet@example.org/connected"] == "available"
    assert last.get("juliet@example.org/chamber", "unavailable") == "unavailable"


def test_rfc6121_2_6_3_pushes_come_in_the_order_of_the_changes():
    two = Two("juliet subscribed")  # a pre-approval, so that the answer comes while the request is handled
    two.world.memory.writes.hold()
    two.romeo.send(change("<item jid='a@example.org'/>"))
    two.does("romeo subscribe")
    two.romeo.send(change("<item jid='b@example.org'/>"))
    two.bar.send(change("<item jid='a@example.org' name='A'/>"))
    two.bar.send(change("<item jid='c@example.org'/>"))
    released(two)
    for client in (two.romeo, two.bar):
        pushes = [e for e in client.received() if e.name == "iq" and e.get("type") == "set"]
        numbers = [int(version(push).rpartition(".")[2]) for push in pushes]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 6
    assert {"jid": "juliet@example.org", "subscription": "to"} in rosters(two.romeo)
