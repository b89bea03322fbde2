"""Security rule: acknowledgements and resumed streams (XEP-0198) open no way in, and fill no memory."""

import pytest

from tests.attack.client import Client, Ended, condition, logged_in, online, secured
from tests.attack.server import DOMAIN, Server
from tests.attack.test_identity import bind

NS = "urn:xmpp:sm:3"
SM = f"{{{NS}}}"
ENABLE = f"<enable xmlns='{NS}' resume='true'/>"
ASK = f"<r xmlns='{NS}'/>"


def enabled(server: Server, name: str, resource: str = "") -> tuple[Client, str]:
    """A client that can come back, and the name of its stream."""
    client = logged_in(server, name, resource)
    client.send(ENABLE)
    answer = client.next()
    assert answer.tag == SM + "enabled"
    client.send("<presence/>")
    client.fence()
    return client, answer.get("id") or ""


def resume(server: Server, name: str, stream: str, handled: object = 0) -> tuple[Client, str | None]:
    """A new connection that wants a former stream; gives what it is told."""
    client = secured(server)
    client.authenticate(name)
    client.open()
    client.send(f"<resume xmlns='{NS}' previd='{stream}' h='{handled}'/>")
    answer = client.next()
    return client, "resumed" if answer.tag == SM + "resumed" else answer[0].tag.rpartition("}")[2]


def test_attack_resume_the_stream_of_another(server: Server):
    """Its name is not enough: a stream belongs to an account."""
    victim, stream = enabled(server, server.account())
    for _ in range(2):  # also not while nobody has it
        thief, told = resume(server, server.account(), stream)
        thief.close()
        assert told == "item-not-found"
        victim.close()


def test_attack_resume_before_login(server: Server):
    """Whoever has not logged in gets nothing, and the stream lives on."""
    victim, stream = enabled(server, name := server.account())
    with victim, secured(server) as thief:
        thief.send(f"<resume xmlns='{NS}' previd='{stream}' h='0'/>{ENABLE}")
        assert [thief.next()[0].tag.rpartition("}")[2] for _ in range(2)] == ["unexpected-request"] * 2
        assert thief.authenticate(name).tag.endswith("success")


def test_attack_names_of_streams_are_not_guessed(server: Server):
    """They have nothing in common, and none follows from another."""
    name = server.account()
    clients = [enabled(server, name, f"r{number}") for number in range(3)]
    streams = [stream for _, stream in clients]
    for client, _ in clients:
        client.close()
    assert len(set(streams)) == 3
    assert all(len(stream) >= 32 for stream in streams)
    assert not any(streams[0][:8] == other[:8] for other in streams[1:])


def test_attack_two_connections_with_one_stream(server: Server):
    """The last one has it, and the former one is closed: no stanza goes to both."""
    first, stream = enabled(server, name := server.account())
    second, told = resume(server, name, stream, handled=2)
    assert told == "resumed"
    with first:
        assert first.error() == "conflict"
    with online(server) as sender:
        sender.send(f"<message type='chat' to='{name}@{DOMAIN}' id='m'><body>b</body></message>")
        sender.fence()
    came = second.fence()
    assert [e.get("id") for e in came if e.tag.endswith("}message")] == ["m"], second.came[-3000:]
    second.close()


@pytest.mark.parametrize("handled", ["1000000", "4294967295", "4294967296", "-1", "1e9", "x", "9" * 100_000])
def test_attack_acknowledgements_that_cannot_be(server: Server, handled: str):
    """Who acknowledges what was never sent, or nonsense, loses its stream; others go on."""
    client, _ = enabled(server, server.account())
    with client:
        client.send(f"<a xmlns='{NS}' h='{handled}'/>")
        if handled == "4294967295":  # an older one, by the rules of counting
            client.fence()
        else:
            assert client.error() in ("undefined-condition", "policy-violation")


def test_attack_flood_of_questions(server: Server):
    """Each has its answer, at the speed of everything else, and nothing gathers."""
    client, _ = enabled(server, server.account())
    client.send(ASK * 300)
    answers = [e for e in client.fence() if e.tag == SM + "a"]
    assert 1 <= len(answers) <= 300
    client.close()


def test_attack_who_never_acknowledges(server: Server):
    """What waits for it is bounded, its session ends, and its messages are with the next one."""
    name = server.account()
    client, _ = enabled(server, name)
    with online(server) as sender:
        for _ in range(30):
            sender.send(
                f"<iq type='get' id='v' to='{client.jid}'><query xmlns='jabber:iq:version'/></iq>" * 10
            )
            sender.fence()
        large = f"<message type='headline' to='{client.jid}'><body>{'x' * 50_000}</body></message>"
        try:
            for _ in range(30):
                sender.send(large)
                sender.fence()
        except Ended:
            pytest.fail("the sender is not to blame")
    with client:
        assert client.error() == "policy-violation"
    online(server, name).close()


def test_attack_sessions_that_wait_do_not_keep_their_owner_out(server: Server):
    """Clients that were cut off, again and again, make room for the one that comes."""
    name = server.account()
    for number in range(12):
        client, _ = enabled(server, name, f"r{number}")
        client.close()
    with online(server, name, "last") as client:
        assert client.fence() == []


def test_attack_wishes_to_resume_without_end(server: Server):
    """They are refused one by one, and a resource can be bound in the end."""
    with secured(server) as client:
        client.authenticate(server.account())
        client.open()
        for number in range(50):
            client.send(f"<resume xmlns='{NS}' previd='{number:040}' h='0'/>")
            assert condition(client.next()) is None
        assert "@" in bind(client)
        assert client.fence() == []
