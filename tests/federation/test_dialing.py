"""RFC 6120 §3.2: from one server of a domain to the next."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from commonroom.app.dialogue import Listener
from commonroom.config.federation import Federation, Security
from commonroom.federation import dialing
from commonroom.federation.dane import Published
from commonroom.federation.dialing import Dialer, UnreachableError, first_connected
from commonroom.federation.journal import Journal
from commonroom.federation.policy import Policies
from commonroom.federation.resolver import Resolver
from commonroom.net.peer import Present
from commonroom.protocol.dialback import Pair
from tests.federation.test_resolver import PLAIN, Zone
from tests.net.test_peer import HEADER, OURS, THEIRS, World


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port with nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def dialer(zone: Zone) -> Dialer:
    policies = Policies(Federation(security=Security.UNENCRYPTED))
    return Dialer(World().service, Resolver(zone, lambda: 0.5), policies, never, 0.2)


def never(found: Published) -> Present:
    raise AssertionError("nothing is published")


def test_rfc6120_3_2_1_a_server_that_says_nothing_leaves_time_for_the_next(silent: int, closed: int):
    zone = Zone().put(f"{PLAIN}{THEIRS}", "SRV", f"1 0 {silent} a.example.", f"2 0 {closed} b.example.")
    for host in ("a.example", "b.example"):
        zone.put(host, "A", "127.0.0.1")

    async def dial() -> None:
        async with asyncio.timeout(0.2):
            await dialer(zone).dial(Pair(OURS, THEIRS), Listener(), Journal(asyncio.get_running_loop().time))

    with pytest.raises(UnreachableError) as caught:
        asyncio.run(dial())
    assert caught.value.is_passing
    assert caught.value.reason == (
        f"a.example:{silent}: it does not answer; b.example:{closed}: it refuses connections"
    )


def test_xep0220_2_5_a_server_that_does_not_know_the_domain_is_not_it():
    zone = Zone().put("a.example", "A", "127.0.0.1")
    error = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"version='1.0'")
        writer.write(f"{HEADER}{error}</stream:stream>".encode())
        writer.close()
        await writer.wait_closed()

    async def dial() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            zone.put(f"{PLAIN}{THEIRS}", "SRV", f"1 0 {port} a.example.")
            await dialer(zone).dial(Pair(OURS, THEIRS), Listener(), Journal(lambda: 0.0))

    with pytest.raises(UnreachableError, match="host-unknown") as caught:
        asyncio.run(dial())
    assert caught.value.is_not_found


# Addresses


class Network:
    """Each address answers after so many seconds, or refuses."""

    def __init__(self, **answers: float | OSError) -> None:
        self.answers = answers
        self.tried: list[str] = []
        self.sockets: dict[str, socket.socket] = {}
        self.closed: list[str] = []

    async def connect(self, address: str, port: int) -> socket.socket:
        self.tried.append(address)
        answer = self.answers[address]
        if isinstance(answer, OSError):
            raise answer
        await asyncio.sleep(answer)
        self.sockets[address] = socket.socket()
        return self.sockets[address]

    def first(self, monkeypatch: pytest.MonkeyPatch, head_start: float = 0.01) -> str:
        monkeypatch.setattr(dialing, "HEAD_START", head_start)

        async def run() -> str:
            sock, address = await first_connected(list(self.answers), 5269, self.connect)
            assert sock is self.sockets[address]
            await asyncio.sleep(0)
            self.closed = [each for each, sock in self.sockets.items() if sock.fileno() == -1]
            sock.close()
            return address

        return asyncio.run(run())


def test_rfc8305_the_first_that_answers_is_taken_and_the_others_are_let_go(monkeypatch: pytest.MonkeyPatch):
    network = Network(silent=3600, slow=3600, quick=0)
    assert network.first(monkeypatch) == "quick"
    assert network.tried == ["silent", "slow", "quick"]


def test_rfc8305_one_that_refuses_costs_no_time(monkeypatch: pytest.MonkeyPatch):
    assert Network(refusing=ConnectionRefusedError(), well=0).first(monkeypatch, 3600) == "well"


def test_rfc8305_one_that_answers_in_its_head_start_is_alone(monkeypatch: pytest.MonkeyPatch):
    network = Network(well=0, other=0)
    assert (network.first(monkeypatch, 3600), network.tried) == ("well", ["well"])


def test_rfc8305_of_two_that_answer_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch):
    network = Network(one=0.02, other=0.01)
    taken = network.first(monkeypatch, 0.01)
    assert network.closed == [address for address in network.sockets if address != taken]


def test_when_all_refuse_it_is_said_why(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConnectionRefusedError):
        Network(refusing=ConnectionRefusedError(), away=OSError()).first(monkeypatch)
    with pytest.raises(OSError, match="no address"):
        Network().first(monkeypatch)
