"""Security rules: identity comes from the authentication exchange, SCRAM is complete, guessing is slowed."""

import contextlib
import hashlib
import ssl
import threading
import time
from statistics import quantiles

import pytest

from tests.attack.client import (
    SASL,
    Client,
    auth,
    condition,
    fail_to_log_in,
    logged_in,
    sasl,
    secured,
)
from tests.attack.scram import SUCCESS, Scram, answer, text_of, to_base64
from tests.attack.server import DOMAIN, OTHER_DOMAIN, PASSWORD, Server

NOBODY = "n0"  # as long as the names of those who exist


@pytest.mark.parametrize(
    "authzid",
    [
        f"u0@{DOMAIN}",
        "u0",
        f"u1@{OTHER_DOMAIN}",
        f"u1@{DOMAIN}/phone",
        DOMAIN,
        f"admin@{DOMAIN}",
        f"u1@{DOMAIN}@{DOMAIN}",
        "@",
        "u1 ",
    ],
)
def test_attack_authzid_of_another(hasty: Server, authzid: str):
    """Nobody acts as anybody else: an authzid that is not one's own is refused, in PLAIN and in SCRAM."""
    with secured(hasty) as client:
        assert condition(client.authenticate("u1", authzid=authzid)) == "invalid-authzid"
        escaped = authzid.replace("=", "=3D").replace(",", "=2C")
        assert Scram("u1", header=f"n,a={escaped},").log_in(client) == "invalid-authzid"
        assert client.authenticate("u1", authzid=f"U1@{DOMAIN.upper()}").tag == SASL + "success"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"\0u1",
        b"\0u1\0",
        b"\0\0" + PASSWORD.encode(),
        b"u1\0" + PASSWORD.encode(),
        b"\0u1\0" + PASSWORD.encode() + b"\0",
        b"\0u1\0" + PASSWORD.encode() + b"\0u0",
        b"\0u1\0\xff\xfe",
        b"\0\xc0\x80u1\0x",
        b"\0" + b"u" * 2_000 + b"\0x",
        b"\0u1\0" + b"x" * 7_000,
        b"\0u1@localhost\0" + PASSWORD.encode(),
        b"\0u1/x\0" + PASSWORD.encode(),
        "\0u1\u200b\0x".encode(),
        b"\0u1\n\0" + PASSWORD.encode(),
    ],
)
def test_attack_plain_messages(hasty: Server, message: bytes):
    """A PLAIN message is three parts, two of them not empty, and nothing else is somebody's password."""
    with secured(hasty) as client:
        client.send(auth("PLAIN", message))
        assert condition(client.next()) in ("malformed-request", "not-authorized")


@pytest.mark.parametrize(
    "text", ["*", "AHUx=", "====", "A", "AHUx AHUx", "\n", "AHUxAGNvcnJlY3QgaG9yc2U=\n", "é"]
)
def test_attack_base64(hasty: Server, text: str):
    """What is not base 64 in its one form is not decoded at all."""
    with secured(hasty) as client:
        client.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>{text}</auth>")
        assert condition(client.next()) in ("incorrect-encoding", "malformed-request")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "u=31",
        "u1=",
        "u1=2c",
        "u1=00",
        "u1,r=x",
        "u1\0",
        "=2C",
        "=3D2C",
        "u1=2Cn=3Du0",
        "u1@localhost",
        "u1/x",
        " u1",
        "u1 ",
        "u\u200b1",
        "u\uff11\u0301",
        "\u0075\u0661",
        "u\u00b9",
        "\u202eu1",
        "x" * 3_000,
    ],
)
def test_attack_scram_names(hasty: Server, name: str):
    """A name that is not written as SCRAM writes names is refused; one that is nobody's logs nobody in."""
    with secured(hasty) as client:
        assert Scram(name).log_in(client) in ("malformed-request", "not-authorized")


@pytest.mark.parametrize("name", ["U1", "\uff351", "u\uff11"])
def test_attack_scram_name_has_one_form(hasty: Server, name: str):
    """Names are normalised once: other spellings are the same account, and its one address is bound."""
    with secured(hasty) as client:
        assert Scram(name).log_in(client) == SUCCESS
        client.bind("r")
        assert client.jid == f"u1@{DOMAIN}/r"


@pytest.mark.parametrize(
    "message",
    [
        "n,,n=u1",
        "n,,r=x",
        "n,,n=u1,r=",
        "n,,m=x,n=u1,r=abc",
        "n,,n=u1,m=x,r=abc",
        "n,,n=u1,r=abc,m=x",
        "n,,n=u1,r=a\u00e9",
        "n,,n=u1,n=u0,r=abc",
        "x,,n=u1,r=abc",
        "p=,,n=u1,r=abc",
        "n,n=u1,r=abc",
        "",
        "n" * 7_000,
    ],
)
def test_attack_scram_first_messages(hasty: Server, message: str):
    """The grammar holds to the letter; a mandatory extension, `m=`, is refused wherever it stands."""
    with secured(hasty) as client:
        client.send(auth("SCRAM-SHA-1", message))
        assert condition(client.next()) in ("malformed-request", "incorrect-encoding")


def test_attack_scram_replay(hasty: Server):
    """An exchange that was overheard is of no use: the server's part of the nonce is new each time."""
    scram = Scram("u1", nonce="overheard")
    with secured(hasty) as client:
        server_first = scram.first(client)
        final = scram.final(server_first)
        assert answer(client, final) == SUCCESS
    with secured(hasty) as client:
        again = scram.first(client)
        assert again != server_first
        assert answer(client, final) == "not-authorized"
    with secured(hasty) as client:
        assert answer(client, final) == "malformed-request"  # without a beginning


@pytest.mark.parametrize(
    "change",
    [
        {"r": "overheard"},
        {"r": ""},
        {"c": to_base64(b"y,,")},
        {"c": to_base64(b"n,a=u0,")},
        {"c": ""},
        {"more": ",m=x"},
        {"more": ",a=u0"},
    ],
)
def test_attack_scram_final_messages(hasty: Server, change: dict[str, str]):
    """`c=` and `r=` are compared, although the proof over them is right."""
    scram = Scram("u1")
    with secured(hasty) as client:
        final = scram.final(scram.first(client), **change)
        assert answer(client, final) in ("not-authorized", "malformed-request")


@pytest.mark.parametrize("proof", ["", "AAAA", to_base64(bytes(20)), to_base64(bytes(64))])
def test_attack_scram_proofs(hasty: Server, proof: str):
    """A proof of any other length or content is none; also for nobody, whose keys are invented."""
    for name in ("u1", NOBODY):
        scram = Scram(name)
        with secured(hasty) as client:
            final = scram.final(scram.first(client)).rpartition(",p=")[0]
            assert answer(client, f"{final},p={proof}") in ("not-authorized", "malformed-request")


def test_attack_scram_proof_with_the_stored_key(hasty: Server):
    """The key of nobody is all zeros and nobody's: a proof made for it does not log anybody in."""
    with secured(hasty) as client:
        scram = Scram(NOBODY, password="")
        assert scram.log_in(client) == "not-authorized"


def test_attack_scram_iterations_are_the_servers(hasty: Server):
    """What the server asks for is what it keeps: no client can talk it into fewer iterations."""
    with secured(hasty) as client:
        first = Scram("u1").first(client)
        assert int(first.rpartition(",i=")[2].partition(",")[0]) >= 4096


def bound(hasty: Server, version: ssl.TLSVersion) -> Client:
    """A client under a version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    client = Client(hasty, port=hasty.tls_port)
    client.secure(context)
    client.open()
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_attack_channel_binding_downgrade(hasty: Server, version: ssl.TLSVersion):
    """A client that could bind, and was shown no -PLUS, says `y`: whoever hid the mechanisms is found out."""
    with bound(hasty, version) as client:
        assert b"-PLUS</mechanism>" in client.came
        assert Scram("u1", header="y,,").log_in(client) == "not-authorized"
        assert Scram("u1", header="n,,").log_in(client) == SUCCESS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point", "tls-unique"])
def test_attack_channel_binding_to_another_channel(hasty: Server, kind: str, version: ssl.TLSVersion):
    """A proof bound to somebody else's TLS connection, as one in between would pass on, is refused."""
    for binding in (bytes(32), b"", b"x" * 200):
        with bound(hasty, version) as client:
            scram = Scram("u1", mechanism="SCRAM-SHA-1-PLUS", header=f"p={kind},,", binding=binding)
            assert scram.log_in(client) == "not-authorized"


@pytest.mark.parametrize(
    ("mechanism", "header", "expected"),
    [
        ("SCRAM-SHA-1-PLUS", "n,,", "malformed-request"),
        ("SCRAM-SHA-1-PLUS", "y,,", "malformed-request"),
        ("SCRAM-SHA-1", "p=tls-exporter,,", "malformed-request"),
        ("SCRAM-SHA-1-PLUS", "p=tls-none,,", "not-authorized"),
        ("SCRAM-SHA-1-PLUS", "p=,,", "malformed-request"),
    ],
)
def test_attack_channel_binding_flags(hasty: Server, mechanism: str, header: str, expected: str):
    """The flag must suit the mechanism, and the type must be one that was offered."""
    with secured(hasty) as client:
        assert Scram("u1", mechanism=mechanism, header=header).log_in(client) == expected


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_attack_channel_binding_with_the_right_data(hasty: Server, version: ssl.TLSVersion):
    """With the data of the channel it works: the attacks above fail for the right reason."""
    with bound(hasty, version) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        certificate = client.socket.getpeercert(binary_form=True) or b""
        scram = Scram(
            "u1",
            mechanism="SCRAM-SHA-1-PLUS",
            header="p=tls-server-end-point,,",
            binding=hashlib.sha256(certificate).digest(),
        )
        assert scram.log_in(client) == SUCCESS


@pytest.mark.parametrize(
    "mechanism", ["ANONYMOUS", "EXTERNAL", "DIGEST-MD5", "CRAM-MD5", "plain", "", "GSSAPI"]
)
def test_attack_mechanism_that_was_not_offered(hasty: Server, mechanism: str):
    """Only what was offered is taken."""
    with secured(hasty) as client:
        client.send(auth(mechanism, f"\0u1\0{PASSWORD}"))
        assert condition(client.next()) == "invalid-mechanism"


def test_attack_exchange_mixed_up(hasty: Server):
    """A second exchange ends the first; nothing that one proved counts in the other."""
    victim, own = Scram("u0", password="unknown"), Scram("u1")
    with secured(hasty) as client:
        server_first = victim.first(client)
        own_first = own.first(client)
        assert answer(client, victim.final(server_first)) == "not-authorized"
        assert answer(client, own.final(own_first)) == "malformed-request"
    with secured(hasty) as client:
        own_first = own.first(client)
        client.send(auth("SCRAM-SHA-1", victim.header + victim.bare) + sasl("response", own.final(own_first)))
        assert text_of(client).startswith("r=")
        assert text_of(client) == "not-authorized"


def test_attack_success_before_the_end(hasty: Server):
    """Without success there is no binding, whatever else the client sends."""
    bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
    with secured(hasty) as client:
        Scram("u1").first(client)
        client.send(bind)
        assert client.error() == "not-authorized"
    with secured(hasty) as client:
        client.authenticate("u1", "wrong")
        client.send(bind)
        assert client.error() == "not-authorized"


# What the answers tell


def refusals(server: Server, user: str) -> list[bytes]:
    """What a wrong password gets, byte for byte, by PLAIN and by SCRAM."""
    said = []
    for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        hash_name = mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        with secured(server) as client:
            client.came = b""
            if mechanism == "PLAIN":
                client.authenticate(user, "wrong")
            else:
                Scram(user, "wrong", hash_name, mechanism).log_in(client)
            said.append(client.came)
    return said


def test_attack_unknown_account_by_answer(hasty: Server):
    """To a stranger, an account that does not exist answers as one that does, to the length of its salt."""
    known, unknown = refusals(hasty, "u1"), refusals(hasty, NOBODY)
    assert known[0] == unknown[0]
    for one, other in zip(known[1:], unknown[1:], strict=True):
        assert len(one) == len(other)
        assert one.rpartition(b"<failure")[2] == other.rpartition(b"<failure")[2]


def test_attack_unknown_account_by_salt(hasty: Server):
    """Salts change neither from try to try nor with the spelling, whether anybody is there or not."""
    for name, spelling in (("u1", "U1"), (NOBODY, "N0")):
        salts = set()
        for tried in (name, spelling, name):
            with secured(hasty) as client:
                salts.add(Scram(tried).first(client).partition(",")[2])
        assert len(salts) == 1
    with secured(hasty) as client:
        assert Scram("n1").first(client).partition(",")[2] != Scram(NOBODY).first(client).partition(",")[2]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_attack_unknown_account_by_time(hasty: Server, mechanism: str):
    """Nor does the time tell: the same work is done for who is nobody. What differs, differs each time."""
    found = [(0.0, 1.0)]
    while len(found) < 4 and not _alike(*found[-1]):
        found.append(_times(hasty, mechanism))
    assert _alike(*found[-1]), found[1:]


def _alike(known: float, unknown: float) -> bool:
    return abs(known - unknown) < max(0.0004, 0.25 * known)


def _times(server: Server, mechanism: str) -> tuple[float, float]:
    """Seconds that a try takes for an account and for none: of many, a quarter takes less."""
    times: dict[str, list[float]] = {"u1": [], NOBODY: []}
    for _ in range(12):
        with secured(server) as client:
            for user in ("u1", NOBODY, "u1", NOBODY):
                scram = Scram(user, "wrong")
                begun = time.perf_counter()
                if mechanism == "PLAIN":
                    assert condition(client.authenticate(user, "wrong")) == "not-authorized"
                else:
                    scram.first(client)
                times[user].append(time.perf_counter() - begun)
                if mechanism != "PLAIN":
                    client.send(f"<abort xmlns='{SASL[1:-1]}'/>")
                    client.next()
    return quantiles(times["u1"], n=4)[0], quantiles(times[NOBODY], n=4)[0]


# Guessing


def duration(server: Server, user: str, source: str, password: str) -> float:
    """How long it takes to try one password."""
    with secured(server, source) as client:
        begun = time.monotonic()
        client.authenticate(user, password)
        return time.monotonic() - begun


def test_attack_guessing_is_slowed(server: Server):
    """Each failure makes the next try wait longer, also on a new connection, up to a second here."""
    user, address = server.account(), server.address()
    fail_to_log_in(server, user, address, 3)
    assert duration(server, user, address, "wrong") > 0.15
    assert duration(server, user, address, "wrong") > 0.35
    assert 0.7 < duration(server, user, address, PASSWORD) < 2


def test_attack_guessing_from_many_addresses(server: Server):
    """An account that is guessed at from everywhere is slow everywhere, except where its owner is known."""
    user, home = server.account(), server.address()
    logged_in(server, user, source=home).close()
    for _ in range(5):
        with secured(server, server.address()) as client:
            client.authenticate(user, "wrong")
    assert duration(server, user, server.address(), "wrong") > 0.35
    assert duration(server, user, home, PASSWORD) < 0.3
    logged_in(server, user, source=server.address()).close()  # slowly, but nobody is locked out


def test_attack_guessing_many_accounts_from_one_address(server: Server):
    """An address that fails is slow for all accounts."""
    address = server.address()
    for _ in range(4):
        with secured(server, address) as client:
            client.authenticate(server.account(), "wrong")
    assert duration(server, server.account(), address, "wrong") > 0.35


def test_attack_guessing_in_parallel(server: Server):
    """Each of many tries at the same time waits, too."""
    user, address = server.account(), server.address()
    fail_to_log_in(server, user, address, 5)
    clients = [secured(server, address) for _ in range(20)]
    for client in clients:
        client.send(auth("PLAIN", f"\0{user}\0wrong"))
    time.sleep(0.4)
    for client in clients:
        with pytest.raises(TimeoutError):
            client.next(0.001)
        client.close()


def test_attack_guessing_all_at_once(server: Server):
    """Tries that begin at the same instant count before they have failed."""
    user, address = server.account(), server.address()
    clients = [secured(server, address) for _ in range(20)]
    for client in clients:
        client.send(auth("PLAIN", f"\0{user}\0wrong"))
    time.sleep(0.4)
    looked_at = 0
    for client in clients:
        with contextlib.suppress(TimeoutError):
            client.next(0.001)
            looked_at += 1
        client.close()
    assert 0 < looked_at <= 5


def test_attack_guessing_does_not_block_others(server: Server):
    """Passwords are checked beside the loop, a few at a time: others are served meanwhile."""

    def guess() -> None:
        with secured(server, server.address()) as client:
            client.authenticate(server.account(), "wrong")

    threads = [threading.Thread(target=guess) for _ in range(30)]
    with logged_in(server, "u0") as client:
        for thread in threads:
            thread.start()
        worst = 0.0
        for _ in range(50):
            begun = time.monotonic()
            client.fence()
            worst = max(worst, time.monotonic() - begun)
        for thread in threads:
            thread.join()
    assert worst < 0.5


def test_attack_passwords_in_the_log(server: Server):
    """Neither the log nor an answer repeats a password, right or wrong."""
    user, wrong = server.account(), "wrong-but-almost-right"
    with secured(server, server.address()) as client:
        client.authenticate(user, wrong)
        client.authenticate(user + "\0", wrong)
        assert wrong.encode() not in client.came
    logged_in(server, user).close()
    log = server.log()
    assert wrong not in log
    assert PASSWORD not in log
    assert to_base64(PASSWORD.encode()) not in log


def test_attack_log_lines(server: Server):
    """Nobody writes lines of our log: what comes from outside has no line feeds in it."""
    evil = "x\n2026-01-01T00:00:00 INFO logged in jid=root@localhost"
    with secured(server, server.address()) as client:
        client.authenticate(evil, "x")
        client.send(auth(evil.replace("\n", "&#10;"), "x"))
        client.next()
    with logged_in(server, "u0") as client:
        client.send(f"<{'x' * 10} id='{evil}' xmlns='{evil}'/>".replace("\n", "&#10;"))
        client.error()
    assert "\n2026-01-01" not in server.log()
