"""Listening on the loopback, and who may come in."""

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from commonroom.config import ListenAddress
from commonroom.config.c2s import C2s
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.listener import RECOVERY, WARN_EVERY, Admission, Listener, ListenError, Share, origin_of
from commonroom.net.sockets import SOCKET_OPTIONS
from tests.net.loopback import expecting_bugs, in_loop, until

LOOPBACK = ListenAddress("127.0.0.1", 0)


class Greeter:
    """A handler that says hello and knows who is there."""

    present: list[Connection]

    def __init__(self, present: list[Connection]) -> None:
        self.present = present
        self.connection: Connection

    def connected(self, connection: Connection) -> None:
        self.connection = connection
        self.present.append(connection)
        connection.write("hello")

    def receive(self, data: bytes) -> None:
        if data == b"bug":
            raise ValueError("a bug")

    def secured(self) -> None:
        raise AssertionError("there is no TLS here")

    def lost(self, reason: str) -> None:
        self.present.remove(self.connection)


class House:
    """A listener with an admission."""

    def __init__(
        self, address: ListenAddress = LOOPBACK, connections: int = 100, per_address: int = 100
    ) -> None:
        self.present: list[Connection] = []
        self.admission = Admission(Share(connections, per_address))
        self.listener = Listener(address, self.accept)

    def accept(self) -> Connection:
        return Connection(lambda: Greeter(self.present), ConnectionLimits(linger=0.1), gate=self.admission)

    async def start(self) -> "House":
        await self.listener.start()
        return self

    async def visit(self, host: str = "127.0.0.1") -> tuple[socket.socket, bytes]:
        """A socket, and what is said first; nothing if it is shown the door."""
        sock = socket.create_connection((host, self.listener.address.port))
        sock.setblocking(False)
        return sock, await said(sock)


async def said(sock: socket.socket) -> bytes:
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 100), 3)
    except ConnectionResetError:
        return b""


def never() -> Connection:
    raise AssertionError("nobody comes")


# Where not to listen


@pytest.mark.parametrize("host", ["*", "::", "0.0.0.0", "192.0.2.1", "2001:db8::1"])
def test_what_is_not_encrypted_stays_on_this_machine(host: str) -> None:
    address = ListenAddress(host, 5222)
    with pytest.raises(ListenError, match="not encrypted") as error:
        Listener(address, never, encrypted=False)
    assert str(error.value).startswith(f"{address}: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1"])
def test_the_loopback_may_be_plain(host: str) -> None:
    assert Listener(ListenAddress(host, 5222), never, encrypted=False).address.host == host


@in_loop
async def test_a_port_that_is_taken_is_named() -> None:
    house = await House().start()
    address = house.listener.address
    with pytest.raises(ListenError) as error:
        await House(address).start()
    assert (
        str(error.value)
        == f"{address}: another program listens there already; stop it, or choose another port"
    )
    house.listener.stop()


@in_loop
async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match=r"^192\.0\.2\.1:5222: this machine has no such address"):
        await House(ListenAddress("192.0.2.1", 5222)).start()


# Where to listen


@pytest.mark.parametrize(
    ("host", "peers"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("::", ["127.0.0.1", "::1"]),
        ("*", ["127.0.0.1", "::1"]),
        ("0.0.0.0", ["127.0.0.1"]),
    ],
)
@in_loop
async def test_peers_arrive_under_their_own_address(host: str, peers: list[str]) -> None:
    house = await House(ListenAddress(host, 0)).start()
    for peer in peers:
        sock, greeting = await house.visit(peer)
        assert greeting == b"hello"
        assert house.present[-1].address == (peer, sock.getsockname()[1])
        sock.close()
    house.listener.stop()


@in_loop
async def test_dead_peers_are_found_by_the_system() -> None:
    house = await House().start()
    sock, _ = await house.visit()
    accepted = house.present[0]._socket
    for level, name, value in SOCKET_OPTIONS:
        assert accepted.getsockopt(level, getattr(socket, name)) == value
    sock.close()
    house.listener.stop()


@in_loop
async def test_draining_refuses_the_new_and_keeps_the_old() -> None:
    house = await House().start()
    await house.listener.start()  # once is enough
    old, _ = await house.visit()
    house.listener.stop()
    house.listener.stop()
    with pytest.raises(ConnectionRefusedError):
        await house.visit()
    house.present[0].write("still here")
    assert await said(old) == b"still here"
    await house.listener.start()
    new, greeting = await house.visit()
    assert greeting == b"hello"
    assert house.admission.total == 2
    new.close()
    old.close()
    house.listener.stop()


# Who may come in


@in_loop
async def test_rfc6120_13_12_rule_1_one_address_has_its_share(caplog: pytest.LogCaptureFixture) -> None:
    house = await House(ListenAddress("::", 0), per_address=2).start()
    with ExitStack() as guests:
        for expected in (b"hello", b"hello", b"", b""):
            sock, greeting = await house.visit()
            guests.enter_context(closing(sock))
            assert greeting == expected
        other, greeting = await house.visit("::1")
        guests.enter_context(closing(other))
        assert greeting == b"hello"
    await until(lambda: house.admission.total == 0)
    assert house.present == []
    sock, greeting = await house.visit()
    assert greeting == b"hello"
    sock.close()
    warned = [vars(record) for record in caplog.records if record.levelno == logging.WARNING]
    assert [(each["message"], each["address"]) for each in warned] == [("too many connections", "127.0.0.1")]
    house.listener.stop()


@in_loop
async def test_a_full_house_closes_at_once(caplog: pytest.LogCaptureFixture) -> None:
    house = await House(connections=3).start()
    with ExitStack() as guests:
        for expected in (b"hello", b"hello", b"hello", b"", b""):
            sock, greeting = await house.visit()
            guests.enter_context(closing(sock))
            assert greeting == expected
        assert house.admission.total == len(house.present) == 3
    await until(lambda: house.admission.total == 0)
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == ["all connections are taken"]
    house.listener.stop()


@expecting_bugs(1)
async def test_the_count_survives_every_way_to_go() -> None:
    house = await House().start()
    socks = [(await house.visit())[0] for _ in range(6)]
    socks[0].close()
    socks[1].shutdown(socket.SHUT_WR)
    socks[2].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    socks[2].close()
    await asyncio.get_running_loop().sock_sendall(socks[3], b"bug")
    house.present[4].close()
    house.present[5].abort()
    await until(lambda: house.admission.total == 0)
    assert house.present == []
    for sock in socks:
        sock.close()
    house.listener.stop()


@expecting_bugs(1)
async def test_the_count_survives_a_bug_when_a_connection_is_made() -> None:
    def broken() -> Greeter:
        raise ValueError("a bug")

    admission = Admission(Share(10, 10))
    limits = ConnectionLimits(linger=0.1)
    listener = Listener(LOOPBACK, lambda: Connection(broken, limits, gate=admission))
    await listener.start()
    with closing(socket.create_connection(("127.0.0.1", listener.address.port))):
        await asyncio.sleep(0.02)
    await until(lambda: admission.total == 0)
    listener.stop()


# What the system has no room for


@contextmanager
def no_more_files() -> Iterator[None]:
    """The next file that is opened would be one too many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def knock(sock: socket.socket, house: House) -> bytes:
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", house.listener.address.port))
    return await said(sock)


@in_loop
async def test_without_files_whoever_comes_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    house = await House().start()
    old, _ = await house.visit()
    with ExitStack() as guests:
        socks = [guests.enter_context(closing(socket.socket())) for _ in range(3)]
        with no_more_files():
            assert [await knock(sock, house) for sock in socks] == [b"", b"", b""]
            house.present[0].write("still here")
            assert await said(old) == b"still here"
    new, greeting = await house.visit()
    assert greeting == b"hello"
    warned = [vars(record) for record in caplog.records if record.levelno == logging.WARNING]
    assert [(each["message"], each["reason"]) for each in warned] == [
        ("connections cannot be accepted", "too many open files")
    ]
    new.close()
    old.close()
    house.listener.stop()


@in_loop
async def test_without_even_the_spare_file_they_wait_and_the_loop_does_not_spin() -> None:
    house = await House().start()
    house.listener._give_spare()
    with closing(socket.socket()) as sock:
        with no_more_files():
            greeting = asyncio.ensure_future(knock(sock, house))
            await asyncio.sleep(0.02)
            listening = house.listener._socket
            assert listening is not None
            assert not asyncio.get_running_loop().remove_reader(listening)
        assert await greeting == b"hello"
    assert house.listener._spare is not None
    house.listener.stop()


@in_loop
async def test_who_stops_while_it_waits_is_not_woken() -> None:
    house = await House().start()
    house.listener._give_spare()
    with closing(socket.socket()) as sock, no_more_files():
        greeting = asyncio.ensure_future(knock(sock, house))
        await asyncio.sleep(0.02)
        house.listener.stop()
        assert await greeting == b""
    await asyncio.sleep(RECOVERY)


def test_the_same_customer_counts_once() -> None:
    assert origin_of("2001:db8:1:2::1") == origin_of("2001:db8:1:2:ffff::9") != origin_of("2001:db8:1:3::1")
    assert origin_of("fe80::1%eth0") == origin_of("fe80::2")
    assert origin_of("192.0.2.1") != origin_of("192.0.2.2")
    admission = Admission(Share(10, 2))
    assert [admission.enter(f"2001:db8::{number}") for number in (1, 2, 3)] == [True, True, False]
    admission.leave("2001:db8::1")
    assert admission.enter("2001:db8::3")
    for number in (2, 3):
        admission.leave(f"2001:db8::{number}")
    assert (admission.total, admission._counts) == (0, {})


def test_being_full_is_said_again_when_it_was_over(caplog: pytest.LogCaptureFixture) -> None:
    admission = Admission(Share(10, 100))
    for _ in range(2):
        for _ in range(10):
            assert admission.enter("192.0.2.1")
        assert not admission.enter("192.0.2.1")
        assert not admission.enter("192.0.2.2")
        for _ in range(10):
            admission.leave("192.0.2.1")
    assert len(caplog.records) == 2


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def entered(admission: Admission, host: str, times: int) -> int:
    """How many got in; all of them leave at once."""
    count = 0
    for _ in range(times):
        if admission.enter(host):
            admission.leave(host)
            count += 1
    return count


def test_rfc6120_13_12_an_address_that_connects_too_fast_is_turned_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    admission = Admission(Share(10, 10, rate=2, burst=5), clock)
    assert entered(admission, "192.0.2.1", 20) == 5
    assert entered(admission, "192.0.2.2", 3) == 3
    clock.now += 1
    assert entered(admission, "192.0.2.1", 20) == 2
    clock.now += 100
    assert entered(admission, "192.0.2.1", 20) == 5
    told = [(r.message, r.__dict__["address"]) for r in caplog.records]
    assert told == [("connections come too fast", "192.0.2.1")] * 2  # once a minute


def test_those_of_one_network_count_together() -> None:
    admission = Admission(Share(10, 10, rate=1, burst=2), Clock())
    assert [entered(admission, f"2001:db8::{n}", 1) for n in range(3)] == [1, 1, 0]


def test_who_is_turned_away_for_another_reason_is_not_charged() -> None:
    admission = Admission(Share(10, 1, rate=1, burst=3), Clock())
    assert admission.enter("192.0.2.1")
    assert not any(admission.enter("192.0.2.1") for _ in range(10))
    admission.leave("192.0.2.1")
    assert entered(admission, "192.0.2.1", 10) == 2


def test_a_thousand_behind_one_address_come_back_at_once_by_default() -> None:
    c2s = C2s()
    admission = Admission(
        Share(5000, 5000, c2s.new_connections_per_second, c2s.new_connection_burst), Clock()
    )
    assert sum(admission.enter("192.0.2.1") for _ in range(1500)) == 1500


def test_what_is_remembered_of_addresses_is_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonroom.net.listener.RECENT", 100)
    clock = Clock()
    admission = Admission(Share(10, 10, rate=1, burst=5), clock)
    for number in range(1000):
        entered(admission, f"10.0.{number // 250}.{number % 250}", 1)
    assert len(admission._recent) == 100
    clock.now += WARN_EVERY + 1
    entered(admission, "192.0.2.1", 1)
    assert len(admission._recent) == 1


def test_a_changed_rate_counts_at_once() -> None:
    clock = Clock()
    admission = Admission(Share(10, 10, rate=1, burst=1), clock)
    assert entered(admission, "192.0.2.1", 3) == 1
    admission.change(Share(10, 10))
    assert entered(admission, "192.0.2.1", 30) == 30
