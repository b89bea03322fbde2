"""Accounts in files: names are not forged, nobody is told who is there, and broken files throw nobody out."""

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from commonroom.accounts.libcrypt import crypt
from tests.attack.client import SASL, Client, auth, condition, logged_in, online, secured, tls_context
from tests.attack.people import DAY, Authority
from tests.attack.server import DOMAIN, OTHER_DOMAIN, PASSWORD, Server

HASH = crypt(PASSWORD.encode(), b"$6$rounds=20000$salt$").decode()
PEOPLE = 40
# How soon a change of the files must be true.
SOON = 5.0


class Listing:
    """The files of a server: `p0` … are listed; `p1` has another address and an alias."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder, "people")
        self.write("passwd", *(f"p{number}:{HASH}" for number in range(PEOPLE)))
        self.write("map", "p1:first.person:first")
        self.revoke()

    def revoke(self, *paths: Path) -> None:
        """These certificates, and no others."""
        new = self.folder / "new.crl"
        new.write_bytes(self.authority.revoke(*paths))
        new.replace(self.folder / "people.crl")

    def write(self, name: str, *lines: str) -> None:
        new = self.folder / "new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.folder / name)

    def server(self) -> Server:
        files: dict[str, object] = {
            "passwords": [str(self.folder / "passwd")],
            "mapping": str(self.folder / "map"),
            "domain": DOMAIN,
        }
        tables: dict[str, dict[str, object]] = {
            "accounts": {
                "authorities": str(self.authority.path),
                "revocations": [str(self.folder / "people.crl")],
                "hold_least": 5,
                "hold_share": 0.2,
            },
            "accounts.files.people": files,
            "sasl": {"delay_first": "0s", "delay_longest": "0s", "tries_per_stream": 6},
        }
        return Server(self.folder, tables)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    return Listing(tmp_path_factory.mktemp("listed"))


@pytest.fixture(scope="module")
def running(listing: Listing) -> Iterator[Server]:
    server = listing.server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """When the attack is over, it still serves."""
    before = len(running.log())
    yield running
    assert running.is_running, running.log()
    with online(running, "u0") as one, online(running, "p0") as other:
        one.send(f"<message to='{other.jid}' id='still-there'><body>Still there?</body></message>")
        assert other.next().get("id") == "still-there"
        other.leave()
    assert "Traceback" not in running.log()[before:], running.log()[before:]


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.1)
    return False


def outcome(server: Server, name: str, password: str = PASSWORD) -> str | None:
    with secured(server) as client:
        return condition(client.authenticate(name, password))


# Names


@pytest.mark.parametrize(
    ("name", "authzid"),
    [
        ("p0", f"first@{DOMAIN}"),
        ("p0", f"first.person@{DOMAIN}"),
        ("p0", f"p1@{DOMAIN}"),
        ("p1", f"p0@{DOMAIN}"),
        ("first", f"u0@{DOMAIN}"),
        ("u0", f"p0@{DOMAIN}"),
        ("p0", f"first@{OTHER_DOMAIN}"),
    ],
)
def test_attack_authzid_by_another_name(server: Server, name: str, authzid: str):
    """Aliases and login names are looked through before identities are compared."""
    with secured(server) as client:
        assert condition(client.authenticate(name, authzid=authzid)) == "invalid-authzid"


@pytest.mark.parametrize("claimed", ["p0", "u0", "nobody"])
def test_attack_stream_from_another_name(server: Server, claimed: str):
    """Who claims to be somebody must be that one, by whichever name."""
    with Client(server) as client:
        client.start_tls()
        header = (
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' to='{to}'"
            f" xmlns:stream='http://etherx.jabber.org/streams' from='{claimed}@{DOMAIN}'>"
        )
        client.open(header=header)
        client.send(auth("PLAIN", f"\0first\0{PASSWORD}"))
        assert client.error() == "invalid-from"


def test_attack_from_by_an_alias(server: Server):
    """A client speaks as its address, and as nothing else that is also its own."""
    with logged_in(server, "first") as client:
        assert client.bare == f"first.person@{DOMAIN}"
        client.send(f"<message from='first@{DOMAIN}' to='u0@{DOMAIN}'><body>x</body></message>")
        assert client.error() == "invalid-from"


def test_attack_alias_as_a_way_into_an_account(server: Server):
    """What only the owner may ask, nobody gets by asking an alias, not even where it leads."""
    with online(server, "p0") as client:
        for to in (f"first@{DOMAIN}", f"first.person@{DOMAIN}", f"nobody@{DOMAIN}"):
            answer = client.ask(f"<iq type='get' id='{to}' to='{to}'><query xmlns='jabber:iq:roster'/></iq>")
            assert condition(answer) == "service-unavailable"


# Who is there


def test_attack_listed_account_by_time(server: Server):
    """Who is in a file, kept here, or nowhere: to refuse a password takes as long."""
    names = ("p5", "u5", "n5")
    assert outcome(server, "p6") is None
    times: dict[str, list[float]] = {name: [] for name in (*names, "p6")}
    for _ in range(12):
        for name in times:
            with secured(server) as client:
                begun = time.perf_counter()
                assert condition(client.authenticate(name, "wrong")) == "not-authorized"
                times[name].append(time.perf_counter() - begun)
    low = {name: quantiles(found, n=4)[0] for name, found in times.items()}
    assert max(low.values()) - min(low.values()) < max(0.002, 0.3 * min(low.values())), low


@pytest.mark.parametrize("name", ["p7", "u7", "n7", "first"])
def test_attack_listed_account_by_answer(server: Server, name: str):
    """And the answers are the same, byte for byte; there is no SCRAM to look at salts with."""
    with secured(server) as client:
        client.came = b""
        client.authenticate(name, "wrong")
        assert client.came == (
            b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>"
        )
        client.send(auth("SCRAM-SHA-1", f"n,,n={name},r=abc"))
        assert condition(client.next()) == "invalid-mechanism"


# Certificates


def certified(server: Server, path: Path | None, session: ssl.SSLSession | None = None) -> Client:
    """A client that presents a certificate, and has been shown the mechanisms."""
    context = tls_context()
    if path is not None:
        context.load_cert_chain(path)
    client = Client(server)
    client.open()
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert client.next().tag.endswith("proceed")
    client.socket = context.wrap_socket(client.socket, server_hostname=DOMAIN, session=session)
    client.open()
    return client


def external(client: Client, authzid: str = "") -> str | None:
    """The outcome of SASL EXTERNAL, None if it is success."""
    client.send(auth("EXTERNAL", authzid))
    answer = client.next()
    assert answer.tag in (SASL + "success", SASL + "failure")
    return condition(answer)


FORGERIES = {
    "none": lambda a, f: None,
    "of another authority": lambda a, f: Authority(f, "forger").certify(f"p0@{DOMAIN}"),
    "of an authority with the same name": lambda a, f: Authority(f / "twin", "people").certify(
        f"p0@{DOMAIN}"
    ),
    "of an authority that says it is below ours": lambda a, f: Authority(f, "below").certify(
        f"p0@{DOMAIN}", between=(a,)
    ),
    "for servers": lambda a, f: a.certify(f"p0@{DOMAIN}", usage=ExtendedKeyUsageOID.SERVER_AUTH),
    "over": lambda a, f: a.certify(f"p0@{DOMAIN}", begin=-2 * DAY, end=timedelta(minutes=-5)),
    "not yet": lambda a, f: a.certify(f"p0@{DOMAIN}", begin=DAY / 2),
    "without an address": lambda a, f: a.certify(),
    "by mail": lambda a, f: a.certify(email=f"p0@{DOMAIN}"),
    "by common name": lambda a, f: a.certify(common_name=f"p0@{DOMAIN}"),
    "elsewhere": lambda a, f: a.certify("p0@elsewhere.example"),
    "in the other domain": lambda a, f: a.certify(f"p0@{OTHER_DOMAIN}"),
    "with a resource": lambda a, f: a.certify(f"p0@{DOMAIN}/desk"),
    "of a domain": lambda a, f: a.certify(DOMAIN),
    "an alias": lambda a, f: a.certify(f"first@{DOMAIN}"),
    "a zero": lambda a, f: a.certify(f"p0@{DOMAIN}\0.elsewhere.example"),
    "chained by a person": lambda a, f: a.certify("x\n"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_attack_certificates(server: Server, listing: Listing, tmp_path: Path, forgery: str):
    """A certificate that proves nothing is as good as none: EXTERNAL is not offered, and not done."""
    (tmp_path / "twin").mkdir()
    path = FORGERIES[forgery](listing.authority, tmp_path)
    with certified(server, path) as client:
        assert b"EXTERNAL" not in client.came
        assert external(client) == "invalid-mechanism"
        assert external(client, f"p0@{DOMAIN}") == "invalid-mechanism"
        assert client.authenticate("p0").tag == SASL + "success", "the password still counts"


@pytest.mark.parametrize(
    "authzid", [f"p2@{DOMAIN}", f"u0@{DOMAIN}", "p3", f"p3@{DOMAIN}/x", DOMAIN, f"first@{DOMAIN}", "\0", "@"]
)
def test_attack_certificate_for_another(server: Server, listing: Listing, authzid: str):
    """A certificate is good for the addresses in it; with two of them, one has to be chosen (XEP-0178 §2)."""
    with certified(server, listing.authority.certify(f"p3@{DOMAIN}")) as client:
        assert external(client, authzid) in ("invalid-authzid", "malformed-request")
        assert external(client) is None
        client.bind()
        assert client.bare == f"p3@{DOMAIN}"
    with certified(server, listing.authority.certify(f"p3@{DOMAIN}", f"p4@{DOMAIN}")) as client:
        assert external(client) == "invalid-authzid"
        assert external(client, authzid) in ("invalid-authzid", "malformed-request")
        assert external(client, f"p4@{DOMAIN}") is None


def test_attack_certificate_of_nobody(server: Server, listing: Listing):
    """It says who somebody is, not that there is an account."""
    with certified(server, listing.authority.certify(f"n1@{DOMAIN}")) as client:
        assert external(client) == "not-authorized"


def test_attack_resumed_tls_keeps_who_it_was(server: Server, listing: Listing):
    """A resumed session has the certificate that it began with, and gets no other one (RFC 7590 §3.3)."""
    mine, other = (listing.authority.certify(f"{name}@{DOMAIN}") for name in ("p8", "p9"))
    with certified(server, mine) as client:
        assert external(client) is None
        assert isinstance(client.socket, ssl.SSLSocket)
        client.bind()
        context, session = client.socket.context, client.socket.session
    context.load_cert_chain(other)
    again = Client(server)
    again.open()
    again.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    again.next()
    again.socket = context.wrap_socket(again.socket, server_hostname=DOMAIN, session=session)
    with again:
        again.open()
        assert again.socket.session_reused
        assert external(again, f"p9@{DOMAIN}") == "invalid-authzid"
        assert external(again) is None
        again.bind()
        assert again.bare == f"p8@{DOMAIN}"


def test_attack_revoked_certificate(server: Server, listing: Listing, tmp_path: Path):
    """It does not count any more, nor in a resumed TLS session; who came in by it is out, others stay."""
    lost, kept = (listing.authority.certify(f"p13@{DOMAIN}") for _ in range(2))
    try:
        with certified(server, lost) as thief, certified(server, kept) as owner:
            for client in (thief, owner):
                assert external(client) is None
                client.bind()
            assert isinstance(thief.socket, ssl.SSLSocket)
            context, session = thief.socket.context, thief.socket.session
            listing.revoke(lost)
            assert thief.error(seconds=SOON) == "not-authorized"
            owner.fence()
        with certified(server, lost) as again:
            assert b"EXTERNAL" not in again.came
            assert external(again) == "invalid-mechanism"
        with Client(server) as resumed:
            resumed.open()
            resumed.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            resumed.next()
            resumed.socket = context.wrap_socket(resumed.socket, server_hostname=DOMAIN, session=session)
            resumed.open()
            assert resumed.socket.session_reused
            assert external(resumed) == "invalid-mechanism"
        for broken in (b"", b"\0\xff" * 100, Authority(tmp_path, "people").revoke()):
            (listing.folder / "people.crl").write_bytes(broken)
            time.sleep(2.2)
            with certified(server, lost) as again:
                assert external(again) == "invalid-mechanism", "what cannot be used changes nothing"
    finally:
        listing.revoke()
    assert soon(lambda: _lets_in(server, lost))


def _lets_in(server: Server, path: Path) -> bool:
    with certified(server, path) as client:
        return external(client) is None


# Files


def test_attack_broken_files_under_load(server: Server, listing: Listing):
    """Torn, emptied, missing, replaced by a folder, by noise: nobody is thrown out, and others log in."""
    path = listing.folder / "passwd"
    good = path.read_text()
    failures: list[str | None] = []
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            failures.append(outcome(server, "p11"))
            time.sleep(0.05)  # or the limit of new connections ends it

    with online(server, "p10") as client:
        visitor = threading.Thread(target=come_and_go)
        visitor.start()
        try:
            for damage in (good[: len(good) // 2], "", good[:-1], "\0\xff" * 5000, None, good):
                path.unlink(missing_ok=True)
                if damage is not None:
                    path.write_text(damage)
                time.sleep(2.2)
                client.fence()
        finally:
            done.set()
            visitor.join()
    assert set(failures) == {None}


# What the service asks its clients, now and then.
QUESTION = re.compile(r"<iq type='get'[^>]* id='ask-\d+'>.*?</iq>")


def test_attack_departed_account(server: Server, listing: Listing):
    """Who leaves the files is out within five seconds, and nobody can tell that it was ever there."""
    lines = (listing.folder / "passwd").read_text().splitlines()
    with online(server, "p12") as leaver, online(server, "u2") as other:
        leaver.send(f"<message to='{other.jid}' id='here'><body>here</body></message>")
        other.next()
        begun = time.monotonic()
        listing.write("passwd", *(line for line in lines if not line.startswith("p12:")))
        assert leaver.error(seconds=SOON) == "not-authorized"
        assert time.monotonic() - begun < SOON
        answers = []
        for name in ("p12", "n1"):
            text = ""
            for kind in ("message", "iq type='get'"):
                element = kind.partition(" ")[0]
                other.came = b""
                other.ask(f"<{kind} id='1' to='{name}@{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></{element}>")
                text += other.came.decode().replace(name, "x")
            answers.append(QUESTION.sub("", text))
        assert answers[0] == answers[1]
    assert outcome(server, "p12") == "not-authorized"
    listing.write("passwd", *lines)
    assert soon(lambda: outcome(server, "p12") is None)
