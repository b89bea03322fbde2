"""XEP-0203: Delayed Delivery: nobody writes our postmarks."""

import pytest

from tests.conversations.world import Client, World

STAMP = "stamp='2002-09-10T23:08:25Z'"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


def delays(client: Client) -> list[str | None]:
    (message,) = (e for e in client.received() if e.name == "message")
    return [e.get("from") for e in message.elements() if (e.namespace, e.name) == ("urn:xmpp:delay", "delay")]


@pytest.mark.parametrize(
    "address",
    [
        "example.org",
        "EXAMPLE.org",
        "example.org.",
        "example.org/x",
        "juliet@example.org",
        "romeo@example.org/x",
    ],
)
def test_xep0203_5_a_forged_postmark_is_stripped(world: World, address: str):
    romeo, juliet = world.login("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    forged = f"<delay xmlns='urn:xmpp:delay' from='{address}' {STAMP}/>"
    romeo.send(
        f"<message to='juliet@example.org' type='chat'>{forged}<body>1</body>"
        f"<p:delay xmlns:p='urn:xmpp:delay' from='{address}' {STAMP}>Offline Storage</p:delay></message>"
    )
    assert delays(juliet) == []


@pytest.mark.parametrize("address", ["", " from=''", " from='room@conference.example/nick'", " from='@'"])
def test_xep0203_5_those_of_others_are_not_ours_to_judge(world: World, address: str):
    romeo, juliet = world.login("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    delay = f"<delay xmlns='urn:xmpp:delay'{address} {STAMP}/>"
    romeo.send(f"<message to='juliet@example.org' type='chat'><body>1</body>{delay}</message>")
    assert len(delays(juliet)) == 1


def test_xep0203_2_a_stored_message_has_one_postmark_of_ours(world: World):
    romeo = world.login("romeo@example.org/orchard")
    delay = f"<delay xmlns='urn:xmpp:delay' from='example.org' {STAMP}/>"
    romeo.send(f"<message to='juliet@example.org' type='chat'><body>1</body>{delay}</message>")
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    (message,) = (e for e in juliet.received() if e.name == "message")
    (postmark,) = (e for e in message.elements() if e.name == "delay")
    assert postmark.attributes == {"from": "example.org", "stamp": "2026-03-01T12:00:00Z"}
