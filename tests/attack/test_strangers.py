"""Security rules: presence, last activity, disco by their access models; strangers get one answer."""

from collections.abc import Iterator

import pytest

from tests.attack.client import CLIENT, Client, condition, logged_in, online
from tests.attack.server import DOMAIN, Server

REQUESTS = {
    "last": "<query xmlns='jabber:iq:last'/>",
    "disco-info": "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "disco-items": "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "disco-node": "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
    "roster": "<query xmlns='jabber:iq:roster'/>",
    "private": "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>",
    "register": "<query xmlns='jabber:iq:register'/>",
    "version": "<query xmlns='jabber:iq:version'/>",
    "time": "<time xmlns='urn:xmpp:time'/>",
    "ping": "<ping xmlns='urn:xmpp:ping'/>",
    "vcard": "<vCard xmlns='vcard-temp'/>",
    "pubsub": "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:x'/></pubsub>",
    "archive": "<query xmlns='urn:xmpp:mam:2'/>",
    "blocklist": "<blocklist xmlns='urn:xmpp:blocking'/>",
    "bind": "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
    "session": "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    "unknown": "<x xmlns='urn:unknown'/>",
}
DENIALS = {"unsubscribed"}  # all that a probe may bring a stranger, if it brings anything
ROSTER_SET = "<query xmlns='jabber:iq:roster'><item jid='x@y.example'{}/></query>"


@pytest.fixture
def victim(server: Server) -> Iterator[Client]:
    with online(server, resource="phone") as client:
        yield client


@pytest.fixture
def stranger(server: Server) -> Iterator[Client]:
    with online(server) as client:
        yield client


def missing(user: str) -> str:
    """A name as long as the user's that nobody has."""
    return user.replace("u", "z")


def answers(stranger: Client, stanza: str, users: tuple[str, ...]) -> list[bytes]:
    """What comes back for each of the users, byte for byte, with their names made equal."""
    said = []
    for user in users:
        stranger.came = b""
        fences = stranger.fences
        stranger.send(stanza.format(user=user, domain=DOMAIN))
        stranger.fence()
        text = stranger.came.replace(user.encode(), b"NAME")
        said.append(text.replace(f"fence-{fences + 1}'".encode(), b"FENCE"))
    return said


@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("payload", REQUESTS.values(), ids=REQUESTS.keys())
def test_attack_existence_by_iq(server: Server, victim: Client, stranger: Client, payload: str, kind: str):
    """Whether the account exists, is online, or has this resource: to a stranger the answer is the same."""
    offline = server.account()
    users = (victim.user, offline, missing(victim.user))
    for resource in ("", "/phone", "/other"):
        request = f"<iq type='{kind}' id='q' to='{{user}}@{{domain}}{resource}'>{payload}</iq>"
        bytes_of = answers(stranger, request, users)
        assert len({said.replace(offline.encode(), b"NAME") for said in bytes_of}) == 1, bytes_of
        assert bytes_of[0].count(b"<service-unavailable") == 1
    assert victim.fence() == []


PRESENCES = {
    "probe": "<presence type='probe' id='p' to='{user}@{domain}'/>",
    "probe-full": "<presence type='probe' id='p' to='{user}@{domain}/phone'/>",
    "probe-gone": "<presence type='probe' id='p' to='{user}@{domain}/gone'/>",
    "subscribe": "<presence type='subscribe' id='p' to='{user}@{domain}'/>",
    "subscribe-full": "<presence type='subscribe' id='p' to='{user}@{domain}/phone'/>",
    "subscribed": "<presence type='subscribed' id='p' to='{user}@{domain}'/>",
    "unsubscribe": "<presence type='unsubscribe' id='p' to='{user}@{domain}'/>",
    "unsubscribed": "<presence type='unsubscribed' id='p' to='{user}@{domain}'/>",
    "directed": "<presence id='p' to='{user}@{domain}'/>",
    "directed-full": "<presence id='p' to='{user}@{domain}/phone'/>",
    "directed-gone": "<presence id='p' to='{user}@{domain}/gone'/>",
    "unavailable": "<presence type='unavailable' id='p' to='{user}@{domain}/phone'/>",
    "error": "<presence type='error' id='p' to='{user}@{domain}/phone'/>",
    "result": "<iq type='result' id='p' to='{user}@{domain}/phone'/>",
    "iq-error": "<iq type='error' id='p' to='{user}@{domain}'/>",
    "message-error": "<message type='error' id='p' to='{user}@{domain}/phone'/>",
    "headline": "<message type='headline' id='p' to='{user}@{domain}/phone'/>",
}


@pytest.mark.parametrize("stanza", PRESENCES.values(), ids=PRESENCES.keys())
def test_attack_existence_by_presence(server: Server, victim: Client, stranger: Client, stanza: str):
    """Presence of any kind brings a stranger the same, whoever it is for and whether anybody is there."""
    users = (victim.user, server.account(), missing(victim.user))
    first, *rest = answers(stranger, stanza, users)
    assert rest == [first] * 2


@pytest.mark.parametrize("kind", ["chat", "headline"])
def test_attack_resources_by_message(victim: Client, stranger: Client, kind: str):
    """A message to a full address does not tell whether that resource is there."""
    there, gone = (
        answers(stranger, f"<message type='{kind}' id='m' to='{{user}}@{{domain}}/{name}'/>", (victim.user,))
        for name in ("phone", "gone")
    )
    assert there == gone


def test_attack_presence_by_roster(victim: Client, stranger: Client):
    """Nobody writes a subscription into the own roster: states are the server's."""
    for wanted in ("both", "to", "from", "none"):
        item = f"<item jid='{victim.bare}' subscription='{wanted}' ask='subscribe' approved='true'/>"
        stranger.ask(f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        (item_,) = stranger.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")[0]
        assert item_.get("subscription") == "none"
        assert item_.get("ask") is None
    stranger.send("<presence/>")
    stranger.send(f"<presence type='probe' to='{victim.bare}'/>")
    assert {e.get("type") for e in stranger.fence() if e.get("from", "").startswith(victim.bare)} <= DENIALS
    assert victim.fence() == []


def test_attack_subscribed_without_being_asked(victim: Client, stranger: Client):
    """An approval that nobody asked for changes nothing at the other side, and shows nothing."""
    victim.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    for kind in ("subscribed", "unsubscribed", "unsubscribe", "subscribed"):
        stranger.send(f"<presence type='{kind}' to='{victim.bare}'/>")
    assert [e for e in stranger.fence() if e.get("from", "").startswith(victim.bare)] == []
    assert victim.fence() == []
    roster = victim.ask("<iq type='get' id='h'><query xmlns='jabber:iq:roster'/></iq>")
    assert len(roster[0]) == 0
    victim.send("<presence><status>secret</status></presence>")
    victim.fence()
    assert stranger.fence() == []


def test_attack_subscription_is_not_approved_by_another(server: Server, victim: Client, stranger: Client):
    """Only the account itself approves; another one's approval in its name does not get through."""
    with online(server) as accomplice:
        stranger.send(f"<presence type='subscribe' to='{victim.bare}'/>")
        stranger.fence()
        accomplice.send(f"<presence type='subscribed' to='{stranger.bare}' from='{victim.bare}'/>")
        assert accomplice.error() == "invalid-from"
    victim.send("<presence><status>secret</status></presence>")
    victim.fence()
    assert stranger.fence() == []


def test_attack_request_comes_from_the_bare_address(victim: Client, stranger: Client):
    """A request names the account, not the resource, and carries no more than it must to everybody."""
    victim.fence()
    stranger.send(f"<presence type='subscribe' to='{victim.jid}'/>")
    stranger.fence()
    (request,) = victim.fence()
    assert (request.get("type"), request.get("from"), request.get("to")) == (
        "subscribe",
        stranger.bare,
        victim.bare,
    )


def test_attack_presence_after_the_end(victim: Client, stranger: Client):
    """Who lost the subscription sees no more, and cannot ask either."""
    stranger.send(f"<presence type='subscribe' to='{victim.bare}'/>")
    stranger.fence()
    victim.send(f"<presence type='subscribed' to='{stranger.bare}'/>")
    victim.fence()
    assert any(e.get("from") == victim.jid for e in stranger.fence())
    victim.send(f"<presence type='unsubscribed' to='{stranger.bare}'/>")
    victim.fence()
    stranger.fence()
    victim.send("<presence><status>secret</status></presence>")
    victim.fence()
    assert [e for e in stranger.fence() if e.get("from") == victim.jid] == []
    last = stranger.ask(f"<iq type='get' id='l' to='{victim.bare}'><query xmlns='jabber:iq:last'/></iq>")
    assert condition(last) == "service-unavailable"
    ping = stranger.ask(f"<iq type='get' id='f' to='{victim.jid}'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert condition(ping) == "service-unavailable"


def test_attack_directed_presence_shows_one_resource(server: Server, victim: Client, stranger: Client):
    """Who was sent directed presence may ask that resource, and learns nothing of the others."""
    with online(server, victim.user, "laptop") as laptop:
        victim.fence()
        victim.send(f"<presence to='{stranger.jid}'/>")
        victim.fence()
        assert [e.get("from") for e in stranger.fence()] == [victim.jid]
        stranger.send(f"<iq type='get' id='1' to='{victim.jid}'><x xmlns='urn:x'/></iq>")
        stranger.fence()
        assert victim.next().get("from") == stranger.jid
        other = stranger.ask(f"<iq type='get' id='2' to='{laptop.jid}'><x xmlns='urn:x'/></iq>")
        gone = stranger.ask(f"<iq type='get' id='3' to='{victim.bare}/gone'><x xmlns='urn:x'/></iq>")
        assert condition(other) == condition(gone) == "service-unavailable"
        stranger.send(f"<presence type='probe' to='{laptop.jid}'/>")
        assert {e.get("type") for e in stranger.fence()} <= DENIALS
        assert laptop.fence() == []


@pytest.mark.parametrize("kind", ["set", "get"])
def test_attack_roster_push_of_a_stranger(victim: Client, stranger: Client, kind: str):
    """A roster push by anybody but the server does not arrive; clients that believe it would be lost."""
    for to in (victim.jid, victim.bare, f"{victim.bare}/gone"):
        push = ROSTER_SET.format(" subscription='both'")
        refused = stranger.ask(f"<iq type='{kind}' id='p' to='{to}'>{push}</iq>")
        assert condition(refused) == "service-unavailable"
    assert victim.fence() == []
    roster = victim.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    assert len(roster[0]) == 0


def test_attack_roster_push_of_a_contact(victim: Client, stranger: Client):
    """One of a contact arrives as what it is: from the contact, in full. Ours has no `from`."""
    stranger.send(f"<presence type='subscribe' to='{victim.bare}'/>")
    stranger.fence()
    victim.send(f"<presence type='subscribed' to='{stranger.bare}'/>")
    victim.fence()
    stranger.fence()
    stranger.send(f"<iq type='set' id='p' to='{victim.jid}'>{ROSTER_SET.format('')}</iq>")
    stranger.fence()
    assert [e.get("from") for e in victim.fence()] == [stranger.jid]
    victim.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    victim.send(f"<iq type='set' id='s'>{ROSTER_SET.format('')}</iq>")
    (push,) = [e for e in victim.fence() if e.get("type") == "set"]
    assert push.get("from") in (None, victim.bare)


def test_attack_answers_to_the_servers_questions(server: Server):
    """Only the client that was asked can answer: nobody makes the server forget another one's messages."""
    name = server.account()
    with online(server) as friend:
        friend.send(f"<message type='chat' to='{name}@{DOMAIN}' id='kept'><body>b</body></message>")
        friend.fence()
        for _ in range(2):
            with logged_in(server, name, "phone") as client:
                client.send("<presence/>")
                arrived = [client.next(answers=False) for _ in range(3)]
                assert [e.get("id") for e in arrived if e.tag == CLIENT + "message"] == ["kept"]
                (question,) = [e for e in arrived if e.tag == CLIENT + "iq"]
                for to in (DOMAIN, f"{name}@{DOMAIN}", client.jid):
                    friend.send(f"<iq type='result' id='{question.get('id')}' to='{to}'/>")
                    friend.send(f"<iq type='error' id='{question.get('id')}' to='{to}'/>")
                assert friend.fence() == []


def test_attack_own_account_is_the_owners(victim: Client, stranger: Client):
    """What handlers of one's own account do cannot be reached from outside by any address."""
    victim.ask(
        "<iq type='set' id='s'><query xmlns='jabber:iq:private'><a xmlns='urn:a'>mine</a></query></iq>"
    )
    read = "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>"
    for to in (victim.bare, victim.jid, victim.bare.upper(), f"{victim.bare}/"):
        answer = stranger.ask(f"<iq type='get' id='g' to='{to}'>{read}</iq>")
        assert answer.get("type") == "error"
    own = stranger.ask(f"<iq type='get' id='g'>{read}</iq>")
    assert own[0][0].text is None
    overwrite = "<query xmlns='jabber:iq:private'><a xmlns='urn:a'>evil</a></query>"
    stranger.ask(f"<iq type='set' id='s' to='{victim.bare}'>{overwrite}</iq>")
    kept = victim.ask(f"<iq type='get' id='g'>{read}</iq>")
    assert kept[0][0].text == "mine"


def test_attack_what_the_domain_tells(stranger: Client):
    """The domain lists its services and no accounts; what it does not know is an error, not a fault."""
    info = "http://jabber.org/protocol/disco#info"
    items = stranger.ask(
        f"<iq type='get' id='i' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
    )
    assert not [item for item in items[0] if "@" in item.get("jid", "")]
    for payload in REQUESTS.values():
        for kind in ("get", "set"):
            answer = stranger.ask(f"<iq type='{kind}' id='x' to='{DOMAIN}'>{payload}</iq>")
            assert answer.get("type") in ("result", "error")
            assert condition(answer) != "internal-server-error"
    for node in ("x", "..", "http://jabber.org/protocol/command", "a" * 10_000):
        answer = stranger.ask(
            f"<iq type='get' id='n' to='{DOMAIN}'><query xmlns='{info}' node='{node}'/></iq>"
        )
        assert condition(answer) == "item-not-found"
