"""RFC 6120 §3.2: from one server of a domain to the next."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from commonroom.app.dialogue import Listener
from commonroom.config.federation import Federation, Security
from commonroom.federation.dialing import Dialer, UnreachableError
from commonroom.federation.journal import Journal
from commonroom.federation.policy import Policies
from commonroom.federation.resolver import Resolver
from commonroom.protocol.dialback import Pair
from tests.federation.test_resolver import PLAIN, Zone
from tests.net.test_peer import OURS, THEIRS, World


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


def test_rfc6120_3_2_1_a_server_that_says_nothing_leaves_time_for_the_next(silent: int, closed: int):
    zone = Zone().put(f"{PLAIN}{THEIRS}", "SRV", f"1 0 {silent} a.example.", f"2 0 {closed} b.example.")
    for host in ("a.example", "b.example"):
        zone.put(host, "A", "127.0.0.1")

    async def dial() -> None:
        policies = Policies(Federation(security=Security.UNENCRYPTED))
        dialer = Dialer(World().service, Resolver(zone, lambda: 0.5), policies, lambda _: None, 0.2)  # type: ignore[arg-type,return-value]
        async with asyncio.timeout(0.2):
            await dialer.dial(Pair(OURS, THEIRS), Listener(), Journal(asyncio.get_running_loop().time))

    with pytest.raises(UnreachableError) as caught:
        asyncio.run(dial())
    assert caught.value.is_passing
    assert caught.value.reason == (
        f"a.example:{silent}: it does not answer; b.example:{closed}: it refuses connections"
    )
