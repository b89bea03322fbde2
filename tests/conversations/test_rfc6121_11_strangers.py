"""RFC 6121 §11, RFC 6120 §13.10.2, §13.11: nobody finds out which accounts exist, or who is online."""

import re

import pytest

from tests.conversations.world import Client, World

REQUESTS = [
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
    "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "<query xmlns='http://jabber.org/protocol/disco#items' node='x'/>",
    "<query xmlns='jabber:iq:last'/>",
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>",
    "<query xmlns='jabber:iq:version'/>",
    "<query xmlns='jabber:iq:register'/>",
    "<time xmlns='urn:xmpp:time'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    "<vCard xmlns='vcard-temp'/>",
    "<unknown xmlns='urn:unknown'/>",
]

# Who is asked: an account that does not exist, one that is offline and not in memory, one that just left, one
# that is connected, one that is available, one that sees the stranger's presence.
ASKED = ["nobody", "offline", "left", "connected", "online", "watcher"]


@pytest.fixture(scope="module")
def world() -> World:
    world = World("stranger@example.org", *(f"{who}@example.org" for who in ASKED[1:]))
    stranger, watcher = world.online("stranger@example.org/x"), world.online("watcher@example.org/home")
    watcher.send("<presence to='stranger@example.org' type='subscribe'/>")
    stranger.send("<presence to='watcher@example.org' type='subscribed'/>")
    world.restart()
    world.online("left@example.org/home").leave()
    world.login("connected@example.org/home")
    world.online("online@example.org/home")
    world.online("watcher@example.org/home")
    return world


@pytest.fixture(scope="module")
def stranger(world: World) -> Client:
    client = world.login("stranger@example.org/x")  # no roster: the pushes would be numbered
    client.send("<presence/>")
    return client


def answer(stranger: Client, stanza: str, who: str) -> str:
    """The bytes that come back, with the name of the account taken out."""
    stranger.received()
    stranger.send(stanza)
    text, stranger.bytes = stranger.bytes, ""
    return re.sub(rf"\b{who}@", "…@", text)


@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("resource", ["", "/home", "/elsewhere"])
def test_rfc6120_13_11_a_request_gets_the_same_bytes_from_everybody(
    stranger: Client, request_: str, kind: str, resource: str
):
    answers = {
        who: answer(
            stranger, f"<iq to='{who}@example.org{resource}' type='{kind}' id='1'>{request_}</iq>", who
        )
        for who in ASKED
    }
    assert set(answers.values()) == {answers["nobody"]}
    assert "<service-unavailable" in answers["nobody"]
    assert "<text" not in answers["nobody"]


@pytest.mark.parametrize("kind", ["", "unavailable", "probe", "subscribed", "unsubscribe", "unsubscribed"])
@pytest.mark.parametrize("resource", ["", "/home", "/elsewhere"])
def test_rfc6120_13_10_2_presence_gets_the_same_bytes_from_everybody(
    stranger: Client, kind: str, resource: str
):
    attribute = kind and f" type='{kind}'"
    answers = {
        who: answer(stranger, f"<presence to='{who}@example.org{resource}'{attribute}/>", who)
        for who in ASKED[:-1]  # the last one really has an answer to "unsubscribed"
    }
    assert set(answers.values()) == {answers["nobody"]}


def test_rfc6120_13_11_a_request_for_a_subscription_and_a_probe_tell_nothing_either():
    """Whoever has asked gets to see the answer to a probe: it is the same from everybody."""
    answers = set()
    for who in ASKED[:-1]:
        world = World("stranger@example.org", *(() if who == "nobody" else (f"{who}@example.org",)))
        if who in ("left", "online", "connected"):
            client = world.login(f"{who}@example.org/home")
            client.send("<presence/>" if who != "connected" else "")
            if who == "left":
                client.leave()
        stranger = world.online("stranger@example.org/x")
        stranger.send(f"<presence to='{who}@example.org' type='subscribe'/>")
        answers.add(answer(stranger, f"<presence to='{who}@example.org' type='probe'/>", who))
    assert len(answers) == 1
