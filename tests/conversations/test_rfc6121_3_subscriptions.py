"""RFC 6121 §3.1 to §3.3: whole handshakes, in the order in which each client sees them."""

import pytest

from tests.conversations.world import Client, World, condition, words


class Two:
    """Romeo and Juliet, each with two resources that are available and interested, and a connected one."""

    def __init__(self, *before: str) -> None:
        self.world = World("romeo@example.org", "juliet@example.org")
        self.romeo, self.bar = (self.world.online(f"romeo@example.org/{r}") for r in ("foo", "bar"))
        self.juliet, self.chamber = (
            self.world.online(f"juliet@example.org/{r}") for r in ("balcony", "chamber")
        )
        self.connected = [self.world.login(f"{who}@example.org/connected") for who in ("romeo", "juliet")]
        for step in before:
            self.does(step)
        self.quiet()

    def does(self, step: str) -> None:
        """`romeo subscribe`: one of them sends this to the other."""
        who, kind = step.split()
        client, other = (self.romeo, "juliet") if who == "romeo" else (self.juliet, "romeo")
        client.send(f"<presence to='{other}@example.org' type='{kind}' id='{kind}-1'/>")

    def quiet(self) -> None:
        """Look away."""
        for client in (self.romeo, self.bar, self.juliet, self.chamber, *self.connected):
            client.received()


MUTUAL = ("romeo subscribe", "juliet subscribed", "juliet subscribe", "romeo subscribed")


def told(before: tuple[str, ...], step: str) -> tuple[list[str], list[str]]:
    """What a step brings Romeo and Juliet."""
    two = Two(*before)
    two.does(step)
    romeo, juliet = two.romeo.told(), two.juliet.told()
    assert two.bar.told() == romeo
    assert two.chamber.told() == juliet
    assert all(client.received() == [] for client in two.connected)
    return romeo, juliet


# Errors


@pytest.mark.parametrize("kind", ["subscribe", "subscribed", "unsubscribe", "unsubscribed"])
def test_rfc6121_3_nobody_subscribes_to_themselves(kind: str):
    two = Two()
    two.romeo.send(f"<presence to='romeo@example.org' type='{kind}' id='p1'/>")
    answer = two.romeo.one()
    assert (answer.get("id"), condition(answer)) == ("p1", "not-acceptable")
    assert two.bar.received() == []


@pytest.mark.parametrize("kind", ["subscribe", "subscribed", "unsubscribe", "unsubscribed"])
def test_rfc6121_3_without_to_it_is_a_bad_request(kind: str):
    two = Two()
    answer = two.romeo.ask(f"<presence type='{kind}' id='p1'/>")
    assert (answer.get("id"), condition(answer)) == ("p1", "bad-request")


def test_rfc6121_3_1_2_a_request_to_nowhere_is_answered_with_an_error_and_waits():
    two = Two()
    two.romeo.send("<presence to='someone@remote.example' type='subscribe' id='p1'/>")
    push, error = two.romeo.received()
    assert words(error) == "presence error remote-server-not-found someone@remote.example"
    assert error.get("id") == "p1"
    assert words(push) == "push someone@remote.example none ask"


def test_rfc6121_3_1_2_a_malformed_address_is_refused():
    two = Two()
    answer = two.romeo.ask("<presence to='@example.org' type='subscribe' id='p1'/>")
    assert (answer.get("id"), condition(answer)) == ("p1", "jid-malformed")


def test_rfc6121_3_1_3_a_request_to_a_missing_account_is_ignored_and_waits():
    """RFC 6121 §8.5.1 over §3.1.2: nobody learns which accounts exist."""
    two = Two()
    two.romeo.send("<presence to='nobody@example.org' type='subscribe'/>")
    assert two.romeo.told() == ["push nobody@example.org none ask"]


# §3.1: requesting a subscription


def test_rfc6121_3_1_2_a_request_is_delivered_and_then_pushed_as_pending():
    assert told((), "romeo subscribe") == (
        ["push juliet@example.org none ask"],
        ["subscribe romeo@example.org"],
    )


def test_rfc6121_3_1_2_a_request_is_stamped_with_bare_addresses():
    two = Two()
    two.romeo.send("<presence to='juliet@example.org/balcony' type='subscribe' id='p1'/>")
    for client in (two.juliet, two.chamber):
        attributes = client.one().attributes
        assert attributes.pop("xml:lang") == "en"
        assert attributes == {
            "type": "subscribe",
            "to": "juliet@example.org",
            "from": "romeo@example.org",
            "id": "p1",
        }


def test_rfc6121_3_1_5_an_approval_is_delivered_before_push_and_presence():
    assert told(("romeo subscribe",), "juliet subscribed") == (
        [
            "subscribed juliet@example.org",
            "push juliet@example.org to",
            "available juliet@example.org/balcony",
            "available juliet@example.org/chamber",
        ],
        ["push romeo@example.org from"],
    )


def test_rfc6121_3_1_5_the_other_way_round_makes_it_mutual():
    assert told(MUTUAL[:2], "juliet subscribe") == (
        ["subscribe juliet@example.org"],
        ["push romeo@example.org from ask"],
    )
    assert told(MUTUAL[:3], "romeo subscribed") == (
        ["push juliet@example.org both"],
        [
            "subscribed romeo@example.org",
            "push romeo@example.org both",
            "available romeo@example.org/foo",
            "available romeo@example.org/bar",
        ],
    )


def test_rfc6121_3_1_5_the_presence_shown_is_the_last_that_was_broadcast():
    two = Two("romeo subscribe")
    two.juliet.send("<presence id='p7'><show>away</show><status>out</status></presence>")
    two.quiet()
    two.does("juliet subscribed")
    shown = next(e for e in two.romeo.received() if e.get("from") == "juliet@example.org/balcony")
    assert shown.get("id") == "p7"
    assert [e.name for e in shown.elements()] == ["show", "status"]


def test_rfc6121_3_1_3_asking_again_is_answered_by_the_server():
    """With the presence that whoever asks again must have missed."""
    romeo, juliet = told(MUTUAL[:2], "romeo subscribe")
    assert romeo == ["available juliet@example.org/balcony", "available juliet@example.org/chamber"]
    assert juliet == []


def test_rfc6121_3_1_6_an_approval_of_what_was_not_asked_is_ignored():
    """It is a pre-approval (§3.4), and not routed."""
    two = Two()
    two.does("juliet subscribed")
    assert two.romeo.received() == []


def test_rfc6121_3_1_3_both_may_ask_at_the_same_time():
    two = Two("romeo subscribe")
    two.does("juliet subscribe")
    assert two.juliet.told() == ["push romeo@example.org none ask"]
    assert two.romeo.told() == ["subscribe juliet@example.org"]
    two.does("juliet subscribed")
    assert two.juliet.told() == ["push romeo@example.org from ask"]
    assert two.romeo.told()[:2] == ["subscribed juliet@example.org", "push juliet@example.org to"]
    two.does("romeo subscribed")
    assert two.romeo.told() == ["push juliet@example.org both"]
    assert two.juliet.told()[:2] == ["subscribed romeo@example.org", "push romeo@example.org both"]


# §3.2: canceling, refusing


def test_rfc6121_3_2_1_a_refusal_is_delivered_and_pushed():
    assert told(("romeo subscribe",), "juliet unsubscribed") == (
        ["unsubscribed juliet@example.org", "push juliet@example.org none"],
        [],  # Romeo never was in her roster
    )


def test_rfc6121_3_2_2_a_refusal_shows_no_presence():
    two = Two("romeo subscribe")
    two.does("juliet unsubscribed")
    assert not any(word.startswith("unavailable") for word in two.romeo.told())


def test_rfc6121_3_2_2_a_cancellation_first_takes_the_presence_away():
    assert told(MUTUAL, "juliet unsubscribed") == (
        [
            "unavailable juliet@example.org/balcony",
            "unavailable juliet@example.org/chamber",
            "unsubscribed juliet@example.org",
            "push juliet@example.org from",
        ],
        ["push romeo@example.org to"],
    )


def test_rfc6121_3_2_2_a_cancellation_of_nothing_goes_nowhere():
    assert told((), "juliet unsubscribed") == ([], [])
    assert told(("juliet subscribe", "romeo subscribed"), "juliet unsubscribed") == ([], [])


def test_rfc6121_3_2_2_after_a_cancellation_no_more_presence_is_shown():
    two = Two(*MUTUAL, "juliet unsubscribed")
    two.juliet.send("<presence><show>dnd</show></presence>")
    assert two.romeo.received() == []
    two.juliet.leave()
    assert two.romeo.received() == []


# §3.3: unsubscribing


def test_rfc6121_3_3_2_unsubscribing_is_delivered_before_the_push_and_takes_the_presence_away():
    assert told(MUTUAL, "romeo unsubscribe") == (
        [
            "push juliet@example.org from",
            "unavailable juliet@example.org/balcony",
            "unavailable juliet@example.org/chamber",
        ],
        ["unsubscribe romeo@example.org", "push romeo@example.org to"],
    )


def test_rfc6121_3_3_3_an_unanswered_request_can_be_withdrawn():
    two = Two("romeo subscribe")
    two.does("romeo unsubscribe")
    assert two.romeo.told() == ["push juliet@example.org none"]
    assert two.juliet.told() == ["unsubscribe romeo@example.org"]
    newcomer = two.world.online("juliet@example.org/newcomer")
    newcomer.send("<presence type='unavailable'/><presence/>")
    assert not any("subscribe" in word for word in newcomer.told())


def test_rfc6121_3_3_3_unsubscribing_from_nothing_is_ignored():
    assert told((), "romeo unsubscribe") == ([], [])


# What survives


@pytest.mark.parametrize("steps", [MUTUAL[:n] for n in range(1, 5)])
def test_rfc6121_3_subscriptions_last_across_presence_sessions_and_restarts(steps: tuple[str, ...]):
    two = Two(*steps)
    world = two.world
    before = [rosters(client) for client in (two.romeo, two.juliet)]
    world.restart()
    romeo, juliet = world.online("romeo@example.org/foo"), world.login("juliet@example.org/balcony")
    assert [rosters(client) for client in (romeo, juliet)] == before
    romeo.received()
    juliet.send("<presence/>")
    sees = "available juliet@example.org/balcony" in romeo.told()
    assert sees == (len(steps) >= 2)
    sees = "available romeo@example.org/foo" in juliet.told()
    assert sees == (len(steps) == 4)


def rosters(client: Client) -> list[dict[str, str]]:
    answer = client.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    return [item.attributes for item in answer.elements()[0].elements()]


def test_rfc6121_3_whoever_is_offline_finds_the_result_in_the_roster():
    world = World("romeo@example.org", "juliet@example.org")
    romeo = world.online("romeo@example.org/foo")
    romeo.send("<presence to='juliet@example.org' type='subscribe'/>")
    romeo.leave()
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<presence to='romeo@example.org' type='subscribed'/>")
    juliet.send("<presence to='romeo@example.org' type='subscribe'/>")
    romeo = world.login("romeo@example.org/foo")
    assert rosters(romeo) == [{"jid": "juliet@example.org", "subscription": "to"}]
    romeo.send("<presence/>")
    assert romeo.told() == [
        "available romeo@example.org/foo",
        "available juliet@example.org/balcony",
        "subscribe juliet@example.org",
    ]


def test_rfc6121_4_3_2_rosters_that_disagree_are_brought_together_by_a_probe():
    """As after a crash between two writes: Romeo thinks that he is subscribed, Juliet knows nothing of it."""
    two = Two("romeo subscribe", "juliet subscribed")
    world = two.world
    world.memory.kept["juliet@example.org"].items.clear()  # type: ignore[index]  # a JID is its text
    world.restart()
    juliet = world.online("juliet@example.org/balcony")
    romeo = world.login("romeo@example.org/foo")
    assert rosters(romeo) == [{"jid": "juliet@example.org", "subscription": "to"}]
    romeo.send("<presence/>")
    assert romeo.told() == [
        "available romeo@example.org/foo",
        "unsubscribed juliet@example.org",
        "push juliet@example.org none",
    ]
    assert juliet.received() == []
