"""Security rule: never answer an error or a stray result, never route an error loop."""

import pytest

from tests.attack.client import PING, condition, logged_in, online
from tests.attack.server import DOMAIN, Server

ERROR = "<error type='cancel'><x xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
NOWHERE = {
    "domain": DOMAIN,
    "domain-resource": f"{DOMAIN}/x",
    "nobody": f"nobody@{DOMAIN}",
    "nobody-resource": f"nobody@{DOMAIN}/x",
    "elsewhere": "elsewhere.example",
    "elsewhere-account": "x@elsewhere.example/r",
    "own-gone": f"u0@{DOMAIN}/gone",
    "other": f"u1@{DOMAIN}",
    "other-gone": f"u1@{DOMAIN}/gone",
    "no-address": "a@@b",
    "none": None,
}
STRAY = {
    "message": f"<message type='error' id='e'{{to}}>{ERROR}</message>",
    "message-bare": "<message type='error' id='e'{to}/>",
    "presence": f"<presence type='error' id='e'{{to}}>{ERROR}</presence>",
    "iq-error": f"<iq type='error' id='e'{{to}}>{ERROR}</iq>",
    "iq-result": "<iq type='result' id='e'{to}/>",
    "iq-result-payload": f"<iq type='result' id='e'{{to}}>{PING}{PING}</iq>",
    "iq-error-without-id": "<iq type='error'{to}/>",
    "iq-result-without-id": "<iq type='result'{to}/>",
}


@pytest.mark.parametrize("to", NOWHERE.values(), ids=NOWHERE.keys())
def test_attack_errors_are_never_answered(server: Server, to: str | None):
    """An error or a result that nobody asked for ends where it arrives, whatever is wrong with it."""
    with logged_in(server, "u0") as client:
        for stanza in STRAY.values():
            client.send(stanza.format(to="" if to is None else f" to='{to}'"))
        assert client.fence() == []
        assert client.fence() == []


@pytest.mark.parametrize(
    "stanza",
    [
        "<iq id='i'/>",
        "<iq type='get'/>",
        "<iq type='get' id='i'/>",
        f"<iq type='get' id='i'>{PING}{PING}</iq>",
        "<iq type='steal' id='i'/>",
        f"<iq type='' id='i'>{PING}</iq>",
        "<presence type='steal' id='i'/>",
        "<presence type='available' id='i'/>",
        "<presence type='subscribe' id='i'/>",
    ],
)
def test_attack_stanzas_that_are_none(server: Server, stanza: str):
    """What cannot be read as a stanza is refused with one error, and the stream lives on."""
    with logged_in(server, "u0") as client:
        client.send(stanza)
        (answer,) = client.fence()
        assert condition(answer) in ("bad-request", "service-unavailable", "feature-not-implemented")


def test_attack_iq_to_oneself(server: Server):
    """A request to one's own resource arrives once, and goes no further."""
    with online(server, "u0", "r") as client:
        for number in range(50):
            client.send(f"<iq type='get' id='{number}' to='{client.jid}'>{PING}</iq>")
        arrived = [element.get("id") for element in client.fence()]
        assert arrived == [str(number) for number in range(50)]
        assert client.fence() == []
        answer = client.ask(f"<iq type='get' id='bare' to='{client.bare}'>{PING}</iq>")
        assert answer.get("type") == "result"


def test_attack_messages_to_oneself(server: Server):
    """Each message to oneself comes back once, to each address of one's own."""
    with online(server, "u0", "r") as client:
        for to in (f" to='{client.jid}'", f" to='{client.bare}'", ""):
            client.send(f"<message type='chat'{to}><body>b</body></message>" * 20)
            assert len(client.fence()) == 20
        assert client.fence() == []


def test_attack_errors_between_two(server: Server):
    """Two clients who answer everything with errors get each other's once, and nothing from the server."""
    with online(server, "u0") as one, online(server, "u1") as other:
        one.send(f"<message type='error' to='{other.jid}' id='e'>{ERROR}</message>")
        for sender, recipient in ((other, one), (one, other)) * 5:
            sender.send(f"<message type='error' to='{recipient.jid}' id='e'>{ERROR}</message>")
        arrived = [len(client.fence()) for client in (one, other, one, other)]
        assert (arrived[0] + arrived[2], arrived[1] + arrived[3]) == (5, 6)
        assert one.fence() == other.fence() == []


def test_attack_error_to_the_bare_address(server: Server):
    """Errors reach the resource that they name and nobody else; they are not stored either."""
    name = server.account()
    with online(server, "u0") as client:
        client.send(f"<message type='error' to='{name}@{DOMAIN}'>{ERROR}<body>b</body></message>")
        assert client.fence() == []
    with logged_in(server, name) as recipient:
        recipient.send("<presence/>")
        assert [e for e in recipient.fence() if e.tag.endswith("message")] == []


def test_attack_presence_to_oneself(server: Server):
    """Presence sent to oneself, by whichever way, does not go round."""
    with online(server, "u0", "r") as client:
        for kind in ("", "unavailable", "probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed"):
            for to in (client.jid, client.bare):
                attribute = f" type='{kind}'" if kind else ""
                client.send(f"<presence{attribute} to='{to}'/>")
        assert len(client.fence()) <= 14 * 2
        assert client.fence() == []


def test_attack_questions_that_nobody_asked(server: Server):
    """Made-up answers to the server's pings are dropped, however many there are."""
    with online(server, "u0") as client:
        client.send("".join(f"<iq type='result' id='ask-{n}' to='{DOMAIN}'/>" for n in range(150)))
        assert client.fence() == []


def test_attack_offline_errors_do_not_return(server: Server):
    """A full store refuses messages once each; refusals are not stored for, nor sent to, anybody else."""
    name = server.account()
    with online(server, "u0") as client:
        client.send(f"<message type='chat' to='{name}@{DOMAIN}'><body>b</body></message>" * 30)
        refused = client.fence()
        assert len(refused) == 22
        assert {element.get("to") for element in refused} == {client.jid}
        assert client.fence() == []
