"""Security rules: keys are added by who has the password, to the own account, by the steps of XEP-0480."""

import base64
import hashlib
import hmac
import re
import subprocess
import sys
import uuid
from xml.etree.ElementTree import Element

import pytest

from tests.attack.client import HEADER, SASL, Client, online, secured
from tests.attack.scram import SUCCESS, Scram, to_base64
from tests.attack.server import DOMAIN, PASSWORD, Server

SASL2 = "{urn:xmpp:sasl:2}"
UPGRADE = "{urn:xmpp:sasl:upgrade:0}upgrade"
TASK = "UPGR-SCRAM-SHA-256"
WISH = f"<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{TASK}</upgrade>"
NEXT = f"<next xmlns='urn:xmpp:sasl:2' task='{TASK}'/>"
ANOTHER = b"another password"


def opened(server: Server, user: str) -> Client:
    """A client that says who it is."""
    client = Client(server, server.address())
    client.start_tls()
    client.open(header=HEADER.replace("<stream:stream ", f"<stream:stream from='{user}@{DOMAIN}' "))
    return client


def login(user: str, inside: str = WISH, password: str = PASSWORD) -> str:
    """PLAIN, with a wish."""
    return authenticate("PLAIN", f"\0{user}\0{password}".encode(), inside)


def authenticate(mechanism: str, data: bytes, inside: str) -> str:
    return (
        f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>"
        f"<initial-response>{to_base64(data)}</initial-response>{inside}</authenticate>"
    )


def hashed(value: bytes) -> str:
    """A <task-data/>."""
    inside = f"<hash xmlns='urn:xmpp:scram-upgrade:0'>{to_base64(value)}</hash>"
    return f"<task-data xmlns='urn:xmpp:sasl:2'>{inside}</task-data>"


def salted(told: Element, password: bytes) -> bytes:
    """What a password becomes with this salt."""
    (salt,) = told
    return hashlib.pbkdf2_hmac(
        "sha256", password, base64.b64decode(salt.text or ""), int(salt.get("iterations", ""))
    )


def offers(server: Server, user: str) -> list[str | None]:
    """The tasks that are announced for an account: whether its keys are as they were."""
    with opened(server, user) as client:
        return re.findall(r">(UPGR-[^<]+)<", client.came.decode())


def outcome(answer: Element) -> str:
    return answer[0].tag.rpartition("}")[2] if answer.tag == SASL2 + "failure" else answer.tag.split("}")[1]


@pytest.mark.parametrize("blind", [NEXT, hashed(b"x" * 32)])
def test_attack_upgrade_without_a_task(server: Server, blind: str):
    """Nobody is handed a hash that nobody asked for: before a login, amid one, behind one without a wish."""
    victim = server.old_account()
    with opened(server, victim) as client:
        client.send(blind)
        assert client.error() == "not-authorized"
    with opened(server, victim) as client:
        client.send(authenticate("SCRAM-SHA-1", f"n,,n={victim},r=abcdef".encode(), WISH))
        assert client.next().tag == SASL2 + "challenge"
        client.send(blind)
        assert client.error() == "not-authorized"
    with opened(server, victim) as client:
        client.send(login(victim, ""))
        assert client.next().tag == SASL2 + "success"
        client.next()
        client.send(blind)
        assert client.error() == "not-authorized"
    assert offers(server, victim) == ["UPGR-SCRAM-SHA-512", TASK]


def test_attack_upgrade_with_a_wrong_password(server: Server):
    """The task comes behind the login, never instead of it."""
    victim = server.old_account()
    with opened(server, victim) as client:
        client.send(login(victim, password="guessed") + NEXT + hashed(b"x" * 32))
        assert outcome(client.next()) == "not-authorized"
        assert client.error() == "not-authorized"
    assert TASK in offers(server, victim)


def test_attack_upgrade_of_another_account(server: Server):
    """Neither the stream's `from` nor an authzid chooses whose keys they are."""
    victim, thief = server.old_account(), server.old_account()
    with opened(server, victim) as client:
        client.send(login(thief))
        assert outcome(client.next()) == "invalid-authzid"
    with opened(server, thief) as client:
        client.send(authenticate("PLAIN", f"{victim}@{DOMAIN}\0{thief}\0{PASSWORD}".encode(), WISH))
        assert outcome(client.next()) == "invalid-authzid"
    with opened(server, thief) as client:
        client.send(login(thief))
        assert client.next().tag == SASL2 + "continue"
        client.send(f"<next xmlns='urn:xmpp:sasl:2' task='{TASK}' from='{victim}@{DOMAIN}'/>")
        client.send(hashed(salted(client.next(), ANOTHER)))
        assert client.next().tag == SASL2 + "success"
    assert TASK in offers(server, victim)
    assert TASK not in offers(server, thief)


def test_attack_upgrade_by_a_token(server: Server):
    """Who stole a token has no password, and gets none by it."""
    victim, id = server.old_account(), uuid.uuid4()
    agent = f"<user-agent id='{id}'/>"
    wants = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
    with opened(server, victim) as client:
        client.send(login(victim, agent + wants))
        token = client.next().find("{urn:xmpp:fast:0}token")
        assert token is not None
    digest = hmac.digest((token.get("token") or "").encode(), b"Initiator", "sha256")
    with opened(server, victim) as client:
        fast = "<fast xmlns='urn:xmpp:fast:0'/>"
        client.send(authenticate("HT-SHA-256-NONE", victim.encode() + b"\0" + digest, agent + fast + WISH))
        assert client.next().tag == SASL2 + "success"
        client.next()
        client.send(NEXT)
        assert client.error() == "not-authorized"
    assert TASK in offers(server, victim)


def test_attack_upgrade_mixed_up(server: Server):
    """Nothing but the next step of the task that was offered; afterwards no other login."""
    user = server.old_account()
    others = (
        hashed(b"x" * 32),
        login(user),
        "<presence/>",
        "<response xmlns='urn:xmpp:sasl:2'/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHUxAA==</auth>",
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    )
    for other in others:
        with opened(server, user) as client:
            client.send(login(user))
            assert client.next().tag == SASL2 + "continue"
            client.send(other)
            assert client.error() == "not-authorized"
    with opened(server, user) as client:
        client.send(login(user))
        client.next()
        client.send(NEXT.replace("256", "512"))
        assert outcome(client.next()) == "invalid-mechanism"
        client.send(login(user, ""))
        assert client.error() == "not-authorized"
    assert TASK in offers(server, user)


def test_attack_upgrade_after_a_password_change(server: Server):
    """Keys of a former password do not come back beside those of the new one."""
    victim = server.old_account()
    with opened(server, victim) as client:
        client.send(login(victim))
        client.next()
        client.send(NEXT)
        told = client.next()
        program = (sys.executable, "-m", "commonroom", "user", "passwd", f"{victim}@{DOMAIN}")
        subprocess.run(
            [*program, "--password-stdin", "--config", str(server.configuration)],
            input=ANOTHER,
            check=True,
            capture_output=True,
        )
        client.send(hashed(salted(told, PASSWORD.encode())))
        client.next()
    for mechanism, name in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-1", "sha1")):
        with secured(server, server.address()) as client:
            old = Scram(victim, hash_name=name, mechanism=mechanism)
            assert old.log_in(client) == "not-authorized"
        with secured(server, server.address()) as client:
            new = Scram(victim, ANOTHER.decode(), hash_name=name, mechanism=mechanism)
            assert new.log_in(client) == SUCCESS


def test_attack_upgrade_shows_no_account(server: Server):
    """For all whose keys are complete, the same is announced as for nobody."""
    announced = set()
    for user in ("u0", "nobody", "old", "u999999"):
        with opened(server, user) as client:
            features = client.came.decode().partition("<stream:features>")[2]
            announced.add(features)
    assert len(announced) == 1


def test_attack_upgrade_ends_no_session(server: Server):
    """Who adds keys, even wrong ones, disturbs none of the account's sessions, nor its old password."""
    user = server.old_account()
    with online(server, user) as owner:
        with opened(server, user) as client:
            client.send(login(user))
            client.next()
            client.send(NEXT)
            client.next()
            client.send(hashed(b"x" * 32))
            assert client.next().tag == SASL2 + "success"
        assert owner.fence() == []
    with secured(server, server.address()) as client:
        assert Scram(user).log_in(client) == SUCCESS
    with secured(server, server.address()) as client:
        assert client.authenticate(user).tag == SASL + "success"


def test_attack_upgrade_offer_is_signed(server: Server):
    """Who takes the mechanisms of such an account away is found out as well."""
    user = server.old_account()
    with opened(server, user) as client:
        client.send(authenticate("SCRAM-SHA-1", f"n,,n={user},r=abcdef".encode(), WISH))
        first = base64.b64decode(client.next().text or "").decode()
    offered = "\x1e".join(["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"])
    offered += "\x1f" + "\x1e".join(["tls-exporter", "tls-server-end-point"])
    signed = base64.b64decode(first.rpartition(",h=")[2])
    assert signed == hashlib.sha1(offered.encode()).digest()
