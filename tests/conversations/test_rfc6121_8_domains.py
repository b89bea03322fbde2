"""RFC 6121 §8.3 and §8.4 in a service that has several domains: each is local to the others."""

import pytest

from commonroom.config import Settings
from tests.conversations.world import Client, World, condition


@pytest.fixture
def world() -> World:
    """An account of the same name at each domain, and one domain without accounts."""
    settings = Settings(domains=("example.org", "example.net", "chat.example.org"))
    return World("romeo@example.org", "romeo@example.net", "juliet@example.net", settings=settings)


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


def test_rfc6121_8_4_a_domain_beside_ours_is_not_ours(romeo: Client):
    for domain in ("example.com", "sub.example.org", "org"):
        answer = romeo.ask(f"<message to='juliet@{domain}'><body>?</body></message>")
        assert condition(answer) == "remote-server-not-found"


def test_rfc6121_8_5_1_accounts_belong_to_their_domain(world: World, romeo: Client):
    for domain in ("example.org", "chat.example.org"):
        answer = romeo.ask(f"<message to='juliet@{domain}'><body>?</body></message>")
        assert condition(answer) == "service-unavailable"
    client = world.connect()
    client.open("chat.example.org")
    with pytest.raises(AssertionError, match="cannot log in"):
        client.authenticate("romeo", "secret")


def test_rfc6121_8_5_the_same_name_elsewhere_is_somebody_else(world: World, romeo: Client):
    other = world.online("romeo@example.net/orchard")
    romeo.send("<message to='romeo@example.net'><body>1</body></message>")
    assert other.one().get("from") == "romeo@example.org/orchard"
    answer = romeo.ask("<iq to='romeo@example.net' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
    assert condition(answer) == "service-unavailable"
    other.leave()
    assert romeo.received() == []


def test_rfc6121_8_5_2_messages_go_from_one_domain_to_the_other(world: World, romeo: Client):
    romeo.send("<message to='juliet@example.net' type='chat'><body>1</body></message>")
    juliet = world.login("juliet@example.net/balcony")
    juliet.send("<presence/>")
    stored = next(e for e in juliet.received() if e.name == "message")
    delay = stored.child("urn:xmpp:delay", "delay")
    assert delay is not None
    assert delay.get("from") == "example.net"
    romeo.send("<message to='juliet@example.net' type='chat'><body>2</body></message>")
    assert juliet.bodies() == ["2"]


def test_rfc6121_3_subscriptions_and_presence_go_from_one_domain_to_the_other(world: World):
    world.befriend("romeo@example.org", "juliet@example.net")
    juliet = world.online("juliet@example.net/balcony")
    romeo = world.login("romeo@example.org/orchard")
    romeo.send("<presence/>")
    assert romeo.told() == ["available romeo@example.org/orchard", "available juliet@example.net/balcony"]
    assert juliet.told() == ["available romeo@example.org/orchard"]
    romeo.cut()
    assert juliet.told() == ["unavailable romeo@example.org/orchard"]


@pytest.mark.parametrize("domain", ["example.org", "example.net", "chat.example.org"])
def test_xep0030_3_1_each_domain_answers_for_itself(romeo: Client, domain: str):
    answer = romeo.ask(
        f"<iq to='{domain}' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    assert (answer.get("type"), answer.get("from")) == ("result", domain)
    assert [e.get("category") for e in answer.elements()[0].elements() if e.name == "identity"] == ["server"]


def test_rfc6120_8_1_2_1_what_the_server_asks_comes_from_the_domain_of_the_stream(
    world: World, romeo: Client
):
    romeo.send("<message to='juliet@example.net' type='chat'><body>1</body></message>")
    juliet = world.login("juliet@example.net/balcony")
    juliet.send("<presence/>")
    question = juliet.received()[-1]
    assert (question.name, question.get("type"), question.get("from")) == ("iq", "get", "example.net")


def test_xep0203_5_a_postmark_of_any_of_our_domains_is_ours(romeo: Client):
    romeo.send(
        "<message type='chat'><body>1</body>"
        "<delay xmlns='urn:xmpp:delay' from='example.net' stamp='2002-09-10T23:08:25Z'/></message>"
    )
    assert [child.name for child in romeo.one().elements()] == ["body", "stanza-id"]
