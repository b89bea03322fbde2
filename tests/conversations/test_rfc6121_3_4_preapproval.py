"""RFC 6121 §3.4: approving a request before it comes."""

import pytest

from tests.conversations.test_rfc6121_2_roster import change
from tests.conversations.test_rfc6121_3_subscriptions import MUTUAL, Two, rosters, told
from tests.conversations.world import World


def test_rfc6121_3_4_the_stream_announces_it():
    client = World("juliet@example.org").connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    (features,) = client.open("example.org")
    assert features.child("urn:xmpp:features:pre-approval", "sub") is not None


@pytest.mark.parametrize("before", [MUTUAL[:2], MUTUAL])
def test_rfc6121_3_4_2_for_a_subscriber_it_is_ignored(before: tuple[str, ...]):
    assert told(before, "juliet subscribed") == ([], [])


def test_rfc6121_3_4_2_it_is_noted_in_a_new_item_and_goes_nowhere():
    assert told((), "juliet subscribed") == ([], ["push romeo@example.org none approved"])


def test_rfc6121_3_4_2_it_is_noted_in_an_existing_item():
    assert told(("juliet subscribe",), "juliet subscribed") == (
        [],
        ["push romeo@example.org none ask approved"],
    )
    assert told(("juliet subscribe", "romeo subscribed"), "juliet subscribed") == (
        [],
        ["push romeo@example.org to approved"],
    )


def test_rfc6121_3_4_2_twice_is_once():
    assert told(("juliet subscribed",), "juliet subscribed") == ([], [])


def test_rfc6121_3_4_2_the_request_is_answered_by_the_server_and_not_delivered():
    assert told(("juliet subscribed",), "romeo subscribe") == (
        [
            "push juliet@example.org none ask",
            "subscribed juliet@example.org",
            "push juliet@example.org to",
            "available juliet@example.org/balcony",
            "available juliet@example.org/chamber",
        ],
        ["push romeo@example.org from"],
    )


def test_rfc6121_3_4_2_it_is_good_for_one_request():
    two = Two("juliet subscribed", "romeo subscribe", "juliet unsubscribed")
    two.does("romeo subscribe")
    assert two.juliet.told() == ["subscribe romeo@example.org"]
    assert two.romeo.told() == ["push juliet@example.org none ask"]


def test_rfc6121_3_4_2_it_is_taken_back_by_unsubscribed():
    two = Two("juliet subscribed")
    two.does("juliet unsubscribed")
    assert two.romeo.received() == []
    assert two.juliet.told() == ["push romeo@example.org none"]
    two.does("romeo subscribe")
    assert two.juliet.told() == ["subscribe romeo@example.org"]


def test_rfc6121_3_4_2_it_ends_with_the_roster_item():
    two = Two("juliet subscribed")
    two.juliet.send(change("<item jid='romeo@example.org' subscription='remove'/>"))
    two.quiet()
    two.does("romeo subscribe")
    assert two.juliet.told() == ["subscribe romeo@example.org"]


def test_rfc6121_3_4_2_a_changed_item_keeps_it():
    two = Two("juliet subscribed")
    two.juliet.send(change("<item jid='romeo@example.org' name='R'/>"))
    (item,) = rosters(two.juliet)
    assert item == {"jid": "romeo@example.org", "name": "R", "subscription": "none", "approved": "true"}


def test_rfc6121_4_3_2_a_probe_does_not_take_it_back():
    """The probe is denied; but this "MUST NOT result in cancellation of a subscription pre-approval"."""
    two = Two("juliet subscribed")
    two.romeo.send("<presence to='juliet@example.org' type='probe'/>")
    assert two.juliet.received() == []
    two.does("romeo subscribe")
    assert two.juliet.told() == ["push romeo@example.org from"]


def test_rfc6121_3_4_2_it_outlives_a_restart_and_works_while_its_user_is_offline():
    two = Two("juliet subscribed")
    two.world.restart()
    romeo = two.world.online("romeo@example.org/foo")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    assert romeo.told()[1:] == ["subscribed juliet@example.org", "push juliet@example.org to"]
