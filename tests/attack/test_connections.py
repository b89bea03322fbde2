"""Security rules: one deadline from accept to bind, limits for each address, errors that can be read."""

import contextlib
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.attack.client import (
    CONTEXT,
    HEADER,
    STARTTLS,
    Client,
    Ended,
    auth,
    connect,
    logged_in,
    online,
    secured,
)
from tests.attack.server import DOMAIN, HOST, PASSWORD, Server
from tests.attack.test_tls import client_hello

MIB = 1024  # KiB
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets
LOGIN = auth("PLAIN", f"\0u1\0{PASSWORD}")
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


class Slow:
    """A client that sends drop after drop, and notes when the server had enough."""

    def __init__(self, server: Server, stage: Callable[[Client], None], drops: Iterator[bytes]) -> None:
        self.begun = time.monotonic()
        self.client = Client(server, server.address())
        self.drops = drops
        self.lasted = 0.0
        stage(self.client)

    def go_on(self) -> None:
        """Send one more drop, and look."""
        self.client.send(next(self.drops))
        try:
            self.client.read(0.001)
        except Ended:
            self.lasted = time.monotonic() - self.begun
        except TimeoutError:
            return


def endless(text: bytes, then: bytes) -> Iterator[bytes]:
    """The text byte for byte, then the same again and again."""
    for byte in text:
        yield bytes([byte])
    while True:
        yield then


def nothing_yet(client: Client) -> None:
    """The stage of one who has just connected."""


def in_handshake(client: Client) -> None:
    """Told to proceed, TLS has not begun."""
    client.open()
    client.send(STARTTLS)
    client.next()


def under_tls(client: Client) -> None:
    """The mechanisms are there."""
    client.start_tls()
    client.open()


def authenticated(client: Client) -> None:
    """Logged in, nothing is bound."""
    under_tls(client)
    client.send(LOGIN)
    client.next()


SLOW = {
    "header": (nothing_yet, endless(HEADER.encode(), b" ")),
    "silence": (nothing_yet, endless(b"", b"")),
    "blanks": (nothing_yet, endless(HEADER.format(to=DOMAIN).encode(), b" ")),
    "attributes": (under_tls, endless(b"<auth", b" ")),
    "bind": (authenticated, endless(HEADER.format(to=DOMAIN).encode(), b" ")),
    "handshake": (in_handshake, endless(client_hello(0x0303)[:-1], b"")),
}


def test_attack_slow_login(hasty: Server):
    """One absolute deadline from accept to bind: no byte that is sent puts it off, and its end says why."""
    everybody = [Slow(hasty, stage, drops) for stage, drops in SLOW.values()]
    deadline = time.monotonic() + 3
    while (slow := [each for each in everybody if not each.lasted]) and time.monotonic() < deadline:
        for each in slow:
            each.go_on()
        time.sleep(0.02)
    assert {
        name: each.lasted for name, each in zip(SLOW, everybody, strict=True) if not 0.5 < each.lasted < 2.2
    } == {}
    for name, each in zip(SLOW, everybody, strict=True):
        if name != "handshake":  # where nothing can be said
            assert b"<connection-timeout" in each.client.came, name
            assert each.client.came.endswith(b"</stream:stream>")
        each.client.close()


def test_attack_endless_tries(hasty: Server):
    """Tries to log in are counted, those that are given up as well."""
    for attempt in (
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        auth("PLAIN", "\0u1\0wrong"),
        auth("X", ""),
    ):
        with secured(hasty) as client:
            client.send(attempt * 10)
            assert client.error() == "policy-violation"
            assert client.came.count(b"<failure") == 6


def test_attack_half_open_handshakes(hasty: Server):
    """The deadline holds during a TLS handshake that is never finished, on the TLS port as well."""
    before = hasty.usage()
    address = hasty.address()
    begun = time.monotonic()
    clients = [connect(hasty, address, hasty.tls_port) for _ in range(10)]
    for number, sock in enumerate(clients):
        sock.sendall(client_hello(0x0303)[: number * 10])
    for sock in clients:
        sock.settimeout(begun + 3 - time.monotonic())
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                pass
        sock.close()
    assert 0.5 < time.monotonic() - begun < 2.2
    settle(hasty, before.files)


def test_attack_crowd_from_one_address(hasty: Server):
    """An address has its share of connections; more are turned away, others are not, and shares come back."""
    address = hasty.address()
    held = [online(hasty, source=address) for _ in range(10)]
    for _ in range(30):
        with Client(hasty, address) as client:
            client.send(HEADER.format(to=DOMAIN))
            with pytest.raises(Ended):
                client.next()
    online(hasty, "u0", source=hasty.address()).close()
    for client in held:
        client.fence()  # they are still served
        client.close()
    deadline = time.monotonic() + 2
    while True:
        try:
            online(hasty, "u0", source=address).close()
            break
        except (Ended, ConnectionError):
            assert time.monotonic() < deadline


def test_attack_crowd_before_tls(hasty: Server):
    """Those who have not even begun to speak count, on every port."""
    address = hasty.address()
    held = [connect(hasty, address, port) for port in (hasty.port, hasty.tls_port) * 5]
    time.sleep(0.1)
    with Client(hasty, address) as client:
        client.send(HEADER.format(to=DOMAIN))
        with pytest.raises(Ended):
            client.next()
    for sock in held:
        sock.close()


def come_and_go(server: Server, number: int, address: str) -> None:
    """One of the ways in which connections end."""
    way = number % 8
    sock = connect(server, address, server.tls_port if way in (4, 5, 6) else server.port)
    if way == 1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    elif way == 2:
        sock.sendall(HEADER.format(to=DOMAIN).encode())
        sock.shutdown(socket.SHUT_WR)
    elif way == 3:
        sock.sendall(HEADER.format(to=DOMAIN).encode() + b"<evil/>")
    elif way == 4:
        sock.sendall(client_hello(0x0303))
    elif way == 5:
        sock = CONTEXT.wrap_socket(sock)
    elif way == 6:
        sock = CONTEXT.wrap_socket(sock)
        sock.sendall(HEADER.format(to=DOMAIN).encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    elif way == 7:
        sock.sendall(HEADER.format(to=DOMAIN).encode() + STARTTLS.encode() + b"<x>")
    sock.close()


def test_attack_come_and_go(server: Server):
    """2,000 connections that end in eight ways leave no file descriptor and no memory behind."""
    address = server.address()
    files = server.usage().files
    for number in range(400):
        come_and_go(server, number, address)
    settle(server, files)
    before = server.usage().kib
    for number in range(1_600):
        come_and_go(server, number, address)
    settle(server, files)
    assert server.usage().kib - before < 2 * MIB


def settle(server: Server, files: int) -> None:
    """Those who lingered go, within two seconds."""
    deadline = time.monotonic() + 2
    while server.usage().files > files:
        assert time.monotonic() < deadline, f"{server.usage().files} files are open, not {files}"
        time.sleep(0.05)


def test_attack_logins_that_come_and_go(server: Server):
    """Sessions leave nothing behind either, however they end."""

    def log_in(times: int) -> None:
        for number in range(times):
            client = online(server, "u0", f"r{number}")
            client.send(f"<presence to='u1@{DOMAIN}'/>" if number % 2 else "</stream:stream>")
            if number % 3 == 0:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()

    files = server.usage().files
    log_in(50)
    before = server.usage().kib
    log_in(150)
    settle(server, files)
    assert server.usage().kib - before < 2 * MIB


def test_attack_backlog(server: Server):
    """While the server is busy, 600 connections wait for it; none is refused."""
    addresses = [server.address() for _ in range(4)]
    files = server.usage().files
    waiting = []
    server.signal(signal.SIGSTOP)
    try:
        for number in range(600):
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((addresses[number % 4], 0))
            sock.connect_ex((HOST, server.port))
            waiting.append(sock)
        deadline = time.monotonic() + 2
        pending = set(waiting)
        while pending and time.monotonic() < deadline:
            pending -= set(select.select([], list(pending), [], 0.1)[1])
        assert not pending, f"{len(pending)} of 600 wait"
        assert not any(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for sock in waiting)
    finally:
        server.signal(signal.SIGCONT)
    waiting[-1].setblocking(True)
    waiting[-1].settimeout(5)
    waiting[-1].sendall(HEADER.format(to=DOMAIN).encode())
    assert b"<starttls" in waiting[-1].recv(65536)
    for sock in waiting:
        sock.close()
    settle(server, files)


@pytest.mark.parametrize("unread", [1, 100_000, 1_000_000])
def test_attack_error_is_readable_behind_unread_input(server: Server, unread: int):
    """Closing with input unread would reset the connection: the server reads on for a while, in vain."""
    with secured(server) as client:
        client.send("<evil/>")
        time.sleep(0.1)
        client.socket.sendall(b"x" * unread)  # which fails on a connection that was reset
        time.sleep(0.1)
        client.socket.sendall(b"x")
        with pytest.raises(Ended, match="closed"):  # and not reset
            client.exhaust()
        assert b"<not-authorized" in client.came
        assert client.came.endswith(b"</stream:stream>")


def test_attack_lingering_ends(server: Server):
    """Who never closes is closed, and what it sends meanwhile costs nothing."""
    with logged_in(server, "u0") as client:
        client.send("<evil/>")
        assert client.next().tag.endswith("error")
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < 4:
                os.write(client.socket.fileno(), b"x" * 1000)
                time.sleep(0.02)
        assert time.monotonic() - begun < 3
