"""Security rule: quotas with errors: roster, private XML, offline messages, sessions, requests."""

import pytest

from tests.attack.client import CLIENT, Client, condition, logged_in, online, secured
from tests.attack.server import DOMAIN, Server
from tests.attack.test_identity import bind

MIB = 1024  # KiB
ROSTER = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>"


def put(client: Client, item: str) -> str | None:
    """A roster set; gives the condition of its error."""
    return condition(client.ask(f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"))


def test_attack_roster_items(server: Server):
    """A roster has so many contacts and no more, whichever way they come in; the others stay as they are."""
    with online(server) as client:
        for number in range(20):
            assert put(client, f"<item jid='x{number}@{DOMAIN}'/>") is None
        assert put(client, f"<item jid='more@{DOMAIN}'/>") in ("not-acceptable", "resource-constraint")
        client.send(f"<presence id='p' type='subscribe' to='more@{DOMAIN}'/>")
        client.send(f"<presence id='q' type='subscribed' to='evenmore@{DOMAIN}'/>")
        refused = client.fence()
        assert {condition(element) for element in refused} <= {"not-acceptable", "resource-constraint"}
        assert len(client.ask(ROSTER)[0]) == 20
        assert put(client, f"<item jid='x1@{DOMAIN}' name='changed'/>") is None
        assert put(client, f"<item jid='x1@{DOMAIN}' subscription='remove'/>") is None
        assert put(client, f"<item jid='more@{DOMAIN}'/>") is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (f"<item jid='x@{DOMAIN}' name='{'n' * 65}'/>", "not-acceptable"),
        (f"<item jid='x@{DOMAIN}' name='{'n' * 200_000}'/>", None),
        (f"<item jid='x@{DOMAIN}'>{'<group>a</group>' * 2}</item>", "bad-request"),
        (
            f"<item jid='x@{DOMAIN}'>{''.join(f'<group>{n}</group>' for n in range(5))}</item>",
            "not-acceptable",
        ),
        (
            f"<item jid='x@{DOMAIN}'>{''.join(f'<group>{n}</group>' for n in range(1_500))}</item>",
            "not-acceptable",
        ),
        (f"<item jid='x@{DOMAIN}'><group>{'g' * 65}</group></item>", "not-acceptable"),
        (f"<item jid='x@{DOMAIN}'><group/></item>", "not-acceptable"),
        (f"<item jid='{'x' * 1_024}@{DOMAIN}'/>", "jid-malformed"),
        ("<item jid='a@@b'/>", "jid-malformed"),
        ("<item jid=''/>", "jid-malformed"),
        ("<item/>", "jid-malformed"),
        ("", "bad-request"),
        (f"<item jid='x@{DOMAIN}'/>" * 2, "bad-request"),
        (f"<item xmlns='urn:x' jid='x@{DOMAIN}'/>", "bad-request"),
        (f"<item jid='x@{DOMAIN}' subscription='remove'/>", "item-not-found"),
    ],
)
def test_attack_roster_contents(server: Server, item: str, expected: str | None):
    """Names, groups and addresses are limited and checked; nothing of a refused set is kept."""
    with online(server) as client:
        if expected is None:
            client.send(f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
            assert client.error() == "policy-violation"
            return
        assert put(client, item) == expected
        assert len(client.ask(ROSTER)[0]) == 0


def test_attack_roster_by_many_at_once(server: Server):
    """Several clients of one account do not get past the limit together."""
    name = server.account()
    clients = [online(server, name) for _ in range(4)]
    for number, client in enumerate(clients):
        for item in range(10):
            jid = f"x{number}y{item}@{DOMAIN}"
            client.send(
                f"<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='{jid}'/></query></iq>"
            )
    refused = sum(element.get("type") == "error" for client in clients for element in client.fence())
    assert refused == 20
    assert len(clients[0].ask(ROSTER)[0]) == 20
    for client in clients:
        client.close()


def test_attack_pending_requests(server: Server):
    """Requests to subscribe are stored up to the roster's limit; more are not heard, and nobody is harmed."""
    name = server.account()
    for _ in range(24):
        with logged_in(server, server.account()) as stranger:
            stranger.send(f"<presence type='subscribe' to='{name}@{DOMAIN}'/>" * 3)
            assert stranger.fence() == []
    with logged_in(server, name) as client:
        client.send("<presence/>")
        requests = [element for element in client.fence() if element.get("type") == "subscribe"]
        assert len(requests) <= 20
        assert len(client.ask(ROSTER)[0]) == 0  # they are no contacts
        assert put(client, f"<item jid='friend@{DOMAIN}'/>") in (None, "not-acceptable")


def test_attack_large_request(server: Server):
    """A request that waits for its recipient is given to each client that comes: so it has to be small."""
    name = server.account()
    with online(server) as stranger:
        stranger.send(
            f"<presence type='subscribe' to='{name}@{DOMAIN}'><status>please</status>"
            f"<x xmlns='urn:x'>{'x' * 200_000}</x></presence>"
        )
        stranger.fence()
    with logged_in(server, name) as client:
        client.came = b""
        client.send("<presence/>")
        client.fence()
        assert len(client.came) < 16_000


def test_attack_offline_count(server: Server):
    """So many messages wait for who is away, and no more; senders are told, and those that wait stay."""
    name = server.account()
    with online(server) as sender:
        for number in range(12):
            sender.send(f"<message type='chat' to='{name}@{DOMAIN}' id='m{number}'><body>b</body></message>")
        refused = sender.fence()
        assert [element.get("id") for element in refused] == ["m8", "m9", "m10", "m11"]
        assert {condition(element) for element in refused} <= {"service-unavailable", "resource-constraint"}
    assert waiting_for(server, name) == [f"m{number}" for number in range(8)]


def waiting_for(server: Server, name: str) -> list[str | None]:
    """The ids of the messages that an account finds when it comes online."""
    with logged_in(server, name) as client:
        client.send("<presence/>")
        return [element.get("id") for element in client.fence() if element.tag == CLIENT + "message"]


def test_attack_offline_bytes(server: Server):
    """The same of bytes."""
    name = server.account()
    with online(server) as sender:
        for number in range(4):
            body = "x" * 30_000
            sender.send(
                f"<message type='chat' to='{name}@{DOMAIN}' id='m{number}'><body>{body}</body></message>"
            )
        refused = sender.fence()
        assert [element.get("id") for element in refused] == ["m2", "m3"]
    assert waiting_for(server, name) == ["m0", "m1"]


def test_attack_offline_by_many_at_once(server: Server):
    """Several senders do not get past the limit together, or only by one message each."""
    name = server.account()
    senders = [online(server) for _ in range(10)]
    for sender in senders:
        sender.send(f"<message type='chat' to='{name}@{DOMAIN}'><body>b</body></message>" * 8)
    refused = sum(len(sender.fence()) for sender in senders)
    assert 72 - 9 <= refused <= 72
    for sender in senders:
        sender.close()


def private(client: Client, name: str, size: int) -> str | None:
    """Store an element of that size; gives the condition of the error."""
    element = f"<{name} xmlns='urn:{name}'>{'x' * size}</{name}>"
    return condition(
        client.ask(f"<iq type='set' id='s'><query xmlns='jabber:iq:private'>{element}</query></iq>")
    )


def test_attack_private_storage(server: Server):
    """What an account keeps for itself is bounded in all; what is there stays, and can be replaced."""
    with online(server) as client:
        assert private(client, "a", 10_000) is None
        assert private(client, "b", 10_000) in ("resource-constraint", "not-acceptable")
        assert private(client, "c", 200_000) in ("resource-constraint", "not-acceptable")
        assert private(client, "d", 1_000) is None
        kept = client.ask(
            "<iq type='get' id='g'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>"
        )
        assert len(kept[0][0].text or "") == 10_000
        assert private(client, "a", 5_000) is None


def test_attack_private_storage_by_many_elements(server: Server):
    """Many small elements are not cheaper than one large one."""
    with online(server) as client:
        refused = None
        for start in range(0, 1_000, 40):
            inside = "".join(f"<n{number} xmlns='urn:{number}'/>" for number in range(start, start + 40))
            request = f"<iq type='set' id='s'><query xmlns='jabber:iq:private'>{inside}</query></iq>"
            refused = refused or condition(client.ask(request))
        assert refused in ("resource-constraint", "not-acceptable")


def test_attack_private_storage_by_many_at_once(server: Server):
    """Several clients of one account do not get past the limit together."""
    name = server.account()
    clients = [online(server, name) for _ in range(4)]
    for number, client in enumerate(clients):
        for element in range(4):
            inside = f"<a{number}b{element} xmlns='urn:a'>{'x' * 6_000}</a{number}b{element}>"
            client.send(f"<iq type='set' id='s'><query xmlns='jabber:iq:private'>{inside}</query></iq>")
    stored = sum(element.get("type") == "result" for client in clients for element in client.fence())
    assert stored <= 2
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "inside",
    ["", "<a/>", "<a xmlns=''/>", "<a xmlns='jabber:iq:private'/>", "text"],
)
def test_attack_private_storage_contents(server: Server, inside: str):
    """What has no namespace of its own cannot be kept, as whatever it would be read back."""
    with online(server) as client:
        answer = client.ask(f"<iq type='set' id='s'><query xmlns='jabber:iq:private'>{inside}</query></iq>")
        assert condition(answer) in ("not-acceptable", "bad-request", "resource-constraint")


def test_attack_sessions(server: Server):
    """So many clients of an account and no more; those that are there stay, one that leaves makes room."""
    name = server.account()
    clients = [online(server, name, f"r{number}") for number in range(4)]
    with secured(server) as more:
        more.authenticate(name)
        more.open()
        assert bind(more) in ("resource-constraint", "not-allowed")
        for client in clients:
            client.fence()
        clients[0].send("</stream:stream>")
        clients[0].error()
        assert bind(more, id="again").startswith(f"{name}@{DOMAIN}/")
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "priority",
    [
        "128",
        "-129",
        "1e1",
        "0x1",
        "9" * 5_000,
        "--1",
        "1.0",
        "a",
        "NaN",
        "\u0661",
        "1_0",
        "<x xmlns='urn:x'/>1 2",
    ],
)
def test_attack_priorities(server: Server, priority: str):
    """A priority is a number from -128 to 127; with any other the client is told, and is not available."""
    with logged_in(server, server.account()) as client:
        client.send(f"<presence id='p'><priority>{priority}</priority></presence>")
        answer = client.next()
        assert (answer.get("id"), condition(answer)) == ("p", "bad-request")
        with online(server) as other:
            other.send(f"<message type='headline' to='{client.bare}' id='m'/>")
            other.fence()
        assert client.fence() == []


def test_attack_negative_priority(server: Server):
    """Who takes nothing for the account is given nothing of it: a second resource does not read along."""
    name = server.account()
    with online(server, name, "first") as first, logged_in(server, name, "second") as second:
        second.available("<priority>-1</priority>")
        first.fence()
        with online(server) as sender:
            sender.send(f"<message type='chat' to='{first.bare}' id='m'><body>b</body></message>")
            sender.fence()
        assert [element.get("id") for element in first.fence()] == ["m"]
        assert second.fence() == []
