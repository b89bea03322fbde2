"""Security rules: a token is good for one client of one account, on one channel, until something ends it."""

import base64
import hashlib
import hmac
import re
import ssl
import subprocess
import sys
import time
import uuid
from xml.etree.ElementTree import Element

import pytest

from tests.attack.client import STARTTLS, Client, auth, logged_in, online, secured
from tests.attack.server import DOMAIN, OTHER_DOMAIN, PASSWORD, Server

SASL2 = "{urn:xmpp:sasl:2}"
FAST_ELEMENT = "<fast xmlns='urn:xmpp:fast:0'/>"
BIND = "<bind xmlns='urn:xmpp:bind:0'/>"
NONE, ENDP, EXPR = "HT-SHA-256-NONE", "HT-SHA-256-ENDP", "HT-SHA-256-EXPR"


class Device:
    """An installation of a client, with what it was given."""

    def __init__(self, server: Server, user: str | None = None) -> None:
        self.server = server
        self.user = user or server.account()
        self.id = str(uuid.uuid4())
        self.token = ""

    def request(self, mechanism: str, data: bytes, inside: str = "") -> str:
        """An <authenticate/> of this device."""
        return (
            f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>"
            f"<initial-response>{base64.b64encode(data).decode()}</initial-response>"
            f"<user-agent id='{self.id}'/>{inside}</authenticate>"
        )

    def by_password(self, mechanism: str = NONE, password: str = PASSWORD) -> str:
        """Log in and ask for a token."""
        wants = f"<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>"
        with secured(self.server, self.server.address()) as client:
            client.send(self.request("PLAIN", f"\0{self.user}\0{password}".encode(), wants))
            answer = client.next()
        token = answer.find("{urn:xmpp:fast:0}token")
        self.token = "" if token is None else token.get("token", "")
        return outcome(answer)

    def message(self, binding: bytes = b"", user: str | None = None) -> bytes:
        """What proves that it has its token."""
        digest = hmac.digest(self.token.encode(), b"Initiator" + binding, "sha256")
        return (user or self.user).encode() + b"\0" + digest

    def by_token(
        self, mechanism: str = NONE, binding: bytes = b"", inside: str = FAST_ELEMENT, user: str | None = None
    ) -> str:
        """Log in by the token, from an address of its own; gives what comes of it."""
        with secured(self.server, self.server.address()) as client:
            client.send(self.request(mechanism, self.message(binding, user), inside))
            return outcome(client.next())


def outcome(answer: Element) -> str:
    """`success`, or the condition of the failure or stream error."""
    return "success" if answer.tag == SASL2 + "success" else answer[0].tag.rpartition("}")[2]


def end_point(client: Client) -> bytes:
    """The channel binding tls-server-end-point."""
    assert isinstance(client.socket, ssl.SSLSocket)
    certificate = client.socket.getpeercert(binary_form=True)
    assert certificate is not None
    return hashlib.sha256(certificate).digest()


@pytest.fixture
def device(server: Server) -> Device:
    """One with a token that is bound to nothing."""
    found = Device(server)
    assert found.by_password() == "success"
    return found


def test_attack_fast_token_of_another_account(server: Server, device: Device):
    """A token says nothing of anybody else, here or at the other domain."""
    for user in (server.account(), "u0", "nobody", f"{device.user}@{DOMAIN}"):
        assert device.by_token(user=user) in ("not-authorized", "malformed-request")
    with Client(server, server.address()) as client:
        client.open(OTHER_DOMAIN)
        client.send(STARTTLS)
        assert client.next().tag.endswith("proceed")
        client.secure()
        client.open(OTHER_DOMAIN)
        client.send(device.request(NONE, device.message(), FAST_ELEMENT))
        assert outcome(client.next()) == "not-authorized"
    assert device.by_token() == "success"


def test_attack_fast_token_of_another_client(server: Server, device: Device):
    """A token that was copied without the client's id is nothing, also to the same account."""
    thief = Device(server, device.user)
    thief.token = device.token
    assert thief.by_token() == "not-authorized"


@pytest.mark.parametrize("mechanism", [NONE, ENDP, EXPR])
def test_attack_fast_downgrade(server: Server, mechanism: str):
    """A token that is bound to channels is good for nothing else, nor is one that is not."""
    victim = Device(server)
    assert victim.by_password(mechanism) == "success"
    with secured(server) as client:
        binding = end_point(client)
    for other, data in ((NONE, b""), (ENDP, binding), (ENDP, b""), (EXPR, b""), (EXPR, binding)):
        if other != mechanism or (mechanism != NONE and data != binding):
            assert victim.by_token(other, data) == "not-authorized"


def test_attack_fast_on_another_channel(server: Server):
    """Who sits in between has another certificate, and so another channel."""
    victim = Device(server)
    assert victim.by_password(ENDP) == "success"
    with secured(server) as client:
        right = end_point(client)
    for wrong in (b"", hashlib.sha256(b"another certificate").digest(), right[:-1], right + b"\0"):
        assert victim.by_token(ENDP, wrong) == "not-authorized"
    assert victim.by_token(ENDP, right) == "success"


@pytest.mark.parametrize("count", ["1", "0", "01"])
def test_attack_fast_replay(device: Device, count: str):
    """What was recorded is not taken twice, if it was counted."""
    counted = "<fast xmlns='urn:xmpp:fast:0' count='{}'/>"
    assert device.by_token(inside=counted.format(1)) == "success"
    assert device.by_token(inside=counted.format(count)) == "not-authorized"
    assert device.by_token(inside=counted.format(2)) == "success"


def test_attack_fast_replay_at_once(device: Device, server: Server):
    """Not when both come in the same moment either."""
    clients = [secured(server, server.address()) for _ in range(8)]
    request = device.request(NONE, device.message(), "<fast xmlns='urn:xmpp:fast:0' count='7'/>")
    for client in clients:
        client.send(request)
    outcomes = sorted(outcome(client.next()) for client in clients)
    assert outcomes == ["not-authorized"] * 7 + ["success"]
    for client in clients:
        client.close()


def test_attack_fast_expired_token(hasty: Server):
    """A token ends with its time."""
    victim = Device(hasty)
    assert victim.by_password() == "success"
    time.sleep(1.1)
    assert victim.by_token() == "credentials-expired"


def test_attack_fast_token_that_was_logged_out(device: Device):
    """Who logs out leaves nothing behind that somebody could find."""
    assert device.by_token(inside="<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>") == "success"
    assert device.by_token() == "not-authorized"


@pytest.mark.parametrize("command", [("passwd", "--password-stdin"), ("disable",)])
def test_attack_fast_token_after_a_password_change(device: Device, server: Server, command: tuple[str, ...]):
    """Who changes the password, because somebody knows it, locks out tokens as well."""
    name, *options = command
    program = (sys.executable, "-m", "commonroom")
    subprocess.run(
        [*program, "user", name, f"{device.user}@{DOMAIN}", *options, "--config", str(server.configuration)],
        input=b"another password",
        check=True,
        capture_output=True,
    )
    assert device.by_token() == "not-authorized"


def test_attack_fast_token_that_the_owner_revoked(device: Device, server: Server):
    """Its owner ends it from another client, and nobody else can."""
    with online(server) as stranger:
        for kind, inside in (("get", "<list {}/>"), ("set", "<revoke {} id='x'/>")):
            payload = inside.format("xmlns='urn:xmpp:cam:0'")
            answer = stranger.ask(f"<iq type='{kind}' id='s' to='{device.user}@{DOMAIN}'>{payload}</iq>")
            assert answer.get("type") == "error"
    assert device.by_token() == "success"
    with logged_in(server, device.user) as owner:
        answer = owner.ask("<iq type='get' id='l'><list xmlns='urn:xmpp:cam:0'/></iq>")
        (listed,) = answer[0]
        owner.ask(f"<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='{listed.get('id')}'/></iq>")
    assert device.by_token() == "not-authorized"


def test_attack_fast_guessing_is_slowed(server: Server):
    """Wrong tokens cost as much as wrong passwords."""
    victim, origin = Device(server), server.address()
    victim.token = "guessed"
    took = []
    for _ in range(4):
        with secured(server, origin) as client:
            began = time.monotonic()
            client.send(victim.request(NONE, victim.message(), FAST_ELEMENT))
            assert outcome(client.next()) == "not-authorized"
            took.append(time.monotonic() - began)
    assert took[-1] > 0.15


def test_attack_fast_without_saying_so(device: Device):
    """A token is taken only where the client says that it is one, and never by the old profile."""
    assert device.by_token(inside=BIND) == "invalid-mechanism"
    with secured(device.server) as client:
        client.send(auth(NONE, device.message()))
        assert client.next()[0].tag.endswith("invalid-mechanism")


def test_attack_sasl2_in_the_clear(server: Server):
    """Nothing of it before TLS."""
    with Client(server) as client:
        features = client.open()
        assert features.find(SASL2 + "authentication") is None
        client.send(Device(server).request("PLAIN", f"\0u0\0{PASSWORD}".encode()))
        assert client.error() == "not-authorized"


@pytest.mark.parametrize(
    "between",
    [
        "<presence/>",
        BIND,
        "<success xmlns='urn:xmpp:sasl:2'/>",
        "<next xmlns='urn:xmpp:sasl:2' task='x'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHUxAA==</auth>",
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>",
    ],
)
def test_attack_sasl2_exchange_mixed_up(server: Server, between: str):
    """Nothing but a response belongs into an exchange, of whatever profile."""
    with secured(server) as client:
        client.send(Device(server).request("SCRAM-SHA-1", b"n,,n=u1,r=abcdef"))
        assert client.next().tag == SASL2 + "challenge"
        client.send(between)
        assert client.error() == "not-authorized"


def test_attack_sasl2_twice(server: Server):
    """Who is logged in stays who that is."""
    with secured(server) as client:
        client.send(Device(server).request("PLAIN", f"\0u1\0{PASSWORD}".encode()))
        assert client.next().tag == SASL2 + "success"
        client.next()
        client.send(Device(server).request("PLAIN", f"\0u0\0{PASSWORD}".encode()))
        assert client.error() == "not-authorized"


def test_attack_sasl2_resume_of_another(server: Server):
    """A stream is its owner's, also when it is asked for with the login."""
    managed = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
    victim, thief = Device(server), Device(server)
    with secured(server) as client:
        client.send(victim.request("PLAIN", f"\0{victim.user}\0{PASSWORD}".encode(), managed))
        client.next()
        found = re.search(rb"<enabled[^>]* id='([^']+)'", client.came)
        assert found is not None
        with secured(server) as other:
            resume = f"<resume xmlns='urn:xmpp:sm:3' h='0' previd='{found[1].decode()}'/>"
            other.send(thief.request("PLAIN", f"\0{thief.user}\0{PASSWORD}".encode(), resume))
            assert other.next().find("{urn:xmpp:sm:3}failed") is not None
        assert client.fence() is not None


def test_attack_sasl2_client_id_of_another(server: Server):
    """To say that one is somebody else's client ends nobody's session."""
    victim, thief = Device(server), Device(server)
    thief.id = victim.id
    with secured(server) as client:
        client.send(victim.request("PLAIN", f"\0{victim.user}\0{PASSWORD}".encode(), BIND))
        assert client.next().tag == SASL2 + "success"
        client.next()
        assert thief.by_password() == "success"
        with secured(server) as other:
            other.send(thief.request("PLAIN", f"\0{thief.user}\0{PASSWORD}".encode(), BIND))
            assert other.next().tag == SASL2 + "success"
            assert client.fence() == []


def test_attack_sasl2_offer_is_signed(server: Server):
    """Who takes mechanisms out of the offer is found out, in either profile."""
    with secured(server) as client:
        client.send(auth("SCRAM-SHA-256", "n,,n=u1,r=abcdef"))
        first = base64.b64decode(client.next().text or "").decode()
        fields = dict(part.split("=", 1) for part in first.split(","))
        names = sorted(re.findall(r"SCRAM-SHA-[0-9]+(?:-PLUS)?|PLAIN", server_offer(server)))
        types = ("tls-exporter", "tls-server-end-point")
        offered = "\x1e".join(names) + "\x1f" + "\x1e".join(types)
        assert base64.b64decode(fields["h"]) == hashlib.sha256(offered.encode()).digest()


def server_offer(server: Server) -> str:
    """The mechanisms of the old profile, as they are announced."""
    with Client(server) as client:
        client.start_tls()
        client.open()
        return client.came.decode().partition("</mechanisms>")[0]
