"""Promise and rule: overload is told, not hidden; a flood is slowed, a slow reader costs only itself."""

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.attack.client import PING, Client, auth, connect, fail_to_log_in, logged_in, online, secured
from tests.attack.server import DOMAIN, Server

MIB = 1024  # KiB
PROMPT = 1.0  # seconds: what somebody who does nothing wrong waits at most, on a machine that is busy


class Bystander:
    """Somebody else who pings all the while, in a thread; and what the server's memory reached meanwhile."""

    def __init__(self, server: Server) -> None:
        self.worst = 0.0
        self.most = 0
        self._server = server
        self._stop = threading.Event()
        self._client = online(server, "u1")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            begun = time.monotonic()
            self._client.fence(20)
            self.worst = max(self.worst, time.monotonic() - begun)
            self.most = max(self.most, self._server.usage().kib)

    def close(self) -> None:
        """Stop pinging."""
        self._stop.set()
        self._thread.join()
        self._client.close()


@contextlib.contextmanager
def bystander(server: Server) -> Iterator[Bystander]:
    """While somebody else pings."""
    watching = Bystander(server)
    try:
        yield watching
    finally:
        watching.close()


def test_attack_stanza_flood(server: Server):
    """More stanzas than allowed are read later, not lost and out of order never; nobody else notices."""
    with bystander(server) as watching, online(server, "u0") as client, online(server) as other:
        begun = time.monotonic()
        client.send("".join(f"<message to='{other.jid}' id='{number}'/>" for number in range(600)))
        arrived = [other.next().get("id") for _ in range(600)]
        assert arrived == [str(number) for number in range(600)]
        assert time.monotonic() - begun > 0.9  # 200 at once, 200 a second
    assert watching.worst < PROMPT


@pytest.mark.parametrize("polite", [True, False])
def test_attack_flood_and_leave(server: Server, polite: bool):
    """What came before the end counts, however much came at once: nothing is lost because its sender left."""
    with logged_in(server, "u0") as client, online(server) as other:
        stanzas = "".join(
            f"<message to='{other.jid}' id='{n}'><body>{'x' * 200}</body></message>" for n in range(150)
        )
        client.send(stanzas + "</stream:stream>" * polite)
        client.socket.shutdown(socket.SHUT_WR)
        assert [other.next().get("id") for _ in range(150)] == [str(number) for number in range(150)]


def test_attack_byte_flood(server: Server):
    """The same of bytes; what waits does so in the sender's own socket, and not in our memory."""
    with bystander(server) as watching, online(server, "u0") as client, online(server) as other:
        before = server.usage().kib
        begun = time.monotonic()
        stanza = f"<message to='{other.jid}'><body>{'x' * 60_000}</body></message>"

        def send() -> None:
            with suppress(OSError):
                client.send(stanza * 800)  # 46 MiB

        sending = threading.Thread(target=send)
        sending.start()
        assert all(other.next().tag.endswith("message") for _ in range(25))
        assert time.monotonic() - begun > 0.7  # 1.5 MiB: a half at once, a half each second
        assert watching.most - before < 12 * MIB
        client.socket.shutdown(socket.SHUT_RDWR)
        sending.join()
    assert watching.worst < PROMPT


@pytest.mark.parametrize("junk", [b" " * 4_000_000, b"<a/>" * 60_000, b"<auth/>" * 60_000])
def test_attack_flood_before_login(server: Server, junk: bytes):
    """Strangers are slowed and limited as well, whether or not what they send is anything."""
    with bystander(server) as watching, secured(server, server.address()) as client:
        before = server.usage().kib
        client.socket.settimeout(1)
        with contextlib.suppress(OSError):
            client.socket.sendall(junk)
        assert watching.most - before < 24 * MIB
    assert watching.worst < PROMPT


def test_attack_flood_while_a_login_waits(server: Server):
    """What comes while a login is looked at is held, and bounded: ten clients cannot hold much."""
    address = server.address()
    fail_to_log_in(server, "u2", address, 5)  # so that the next one waits
    before = server.usage().kib
    clients = [secured(server, address) for _ in range(10)]
    with bystander(server) as watching:
        for client in clients:
            client.send(auth("SCRAM-SHA-1", "n,,n=u2,r=abc"))
            client.socket.settimeout(0.1)
            with contextlib.suppress(OSError):
                client.socket.sendall(b"<a/>" * 60_000)
        time.sleep(0.3)
    for client in clients:
        client.close()
    assert watching.worst < PROMPT
    assert watching.most - before < 24 * MIB


def test_attack_reader_that_never_reads(hasty: Server):
    """What waits for a client that does not read is bounded; then its connection ends, and only its."""
    with online(hasty) as deaf, online(hasty) as sender, bystander(hasty) as watching:
        before = hasty.usage().kib
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(60):
            sender.send(f"<message to='{deaf.jid}'><body>{'x' * 200_000}</body></message>")
            sender.fence()
        assert watching.most - before < 24 * MIB
        assert f'session ended jid={deaf.jid} address=127.0.0.1 reason="slow reader"' in hasty.log()
    assert watching.worst < PROMPT


def test_attack_answers_that_nobody_reads(hasty: Server):
    """Small requests with large answers: who does not take the answers is not given more of them."""
    with online(hasty) as client:
        fill_roster(client, 100)
        before = hasty.usage().kib
        with bystander(hasty) as watching:
            client.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>" * 300)
            time.sleep(1)
        assert watching.most - before < 48 * MIB
        assert watching.worst < PROMPT


def test_attack_answers_that_nobody_reads_behind_one_that_waits(hasty: Server):
    """The same behind a request that waits for the disk, when all the others wait in line."""
    with online(hasty) as client:
        fill_roster(client, 100)
        before = hasty.usage().kib
        with bystander(hasty) as watching:
            private = "<iq type='get' id='p'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>"
            client.send(private + "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>" * 300)
            time.sleep(1)
        assert watching.most - before < 48 * MIB
        assert watching.worst < PROMPT


def fill_roster(client: Client, items: int) -> None:
    """Contacts with much to say of each, half a megabyte of a hundred."""
    groups = "".join(f"<group>{number}{'g' * 250}</group>" for number in range(20))
    for number in range(items):
        item = f"<item jid='x{number}@{DOMAIN}' name='{'n' * 250}'>{groups}</item>"
        client.send(f"<iq type='set' id='s{number}'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    while client.next().get("id") != f"s{items - 1}":
        continue


def test_attack_more_connections_than_files(server: Server):
    """When the system gives no more files, those who are there go on, and others can come when some leave."""
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    with online(server, "u0") as client:
        files = server.usage().files
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (files + 20, limits[1]))
        try:
            address = server.address()
            crowd = [connect(server, address) for _ in range(60)]
            before = server.usage().seconds
            time.sleep(0.3)
            client.ask(
                "<iq type='set' id='s'><query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>"
            )
            assert server.usage().seconds - before < 0.2
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        for sock in crowd:
            sock.close()
        online(server, "u1").close()


def test_attack_pings_at_full_speed(hasty: Server):
    """Who asks as fast as it can gets its answers, and others get theirs."""
    with online(hasty, "u0") as client, bystander(hasty) as watching:
        request = f"<iq type='get' id='p' to='{DOMAIN}'>{PING}</iq>"
        for _ in range(20):
            client.send(request * 100)
            assert {client.next().get("type") for _ in range(100)} == {"result"}
    assert watching.worst < PROMPT


def test_attack_storm_to_oneself(hasty: Server):
    """Messages to one's own full address come back as fast as they are read, and stop when they do."""
    with online(hasty, "u0", "r") as client, bystander(hasty) as watching:
        for _ in range(10):
            client.send(f"<message to='{client.jid}' type='chat'><body>b</body></message>" * 300)
            assert len(client.fence(20)) == 300
        assert client.fence() == []
    assert watching.worst < PROMPT


def test_attack_presence_toggles(hasty: Server):
    """Coming and going again and again is slowed like everything else, and leaves nothing behind."""
    with logged_in(hasty, "u0") as client, bystander(hasty) as watching:
        before = hasty.usage().kib
        client.send("<presence/><presence type='unavailable'/>" * 2_000)
        client.fence(20)
        assert hasty.usage().kib - before < 4 * MIB
    assert watching.worst < PROMPT


def test_attack_directed_presence_to_everybody(hasty: Server):
    """Who was sent directed presence is remembered, and so must not be without number."""
    with online(hasty) as client, bystander(hasty) as watching:
        refused = 0
        for start in range(0, 30_000, 1_000):
            client.send("".join(f"<presence to='n{n}@{DOMAIN}'/>" for n in range(start, start + 1_000)))
            refused += sum(b"resource-constraint" in e for e in [client_bytes(client)])
        assert refused
    assert watching.worst < PROMPT


def client_bytes(client: Client) -> bytes:
    """All that comes before a fence, as it came."""
    client.came = b""
    client.fence(20)
    return client.came
