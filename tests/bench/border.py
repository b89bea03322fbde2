"""Two services in memory, each with a domain, and a connection that carries both directions."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from commonroom.app.federation import Federation, Inside, build_federation
from commonroom.app.keeping import build_keeping
from commonroom.config import KeyPair, Settings
from commonroom.net.peer import PeerConnection
from commonroom.net.s2s import IncomingConnection, OutgoingConnection
from commonroom.protocol.dialback import Pair
from tests.conversations.world import World
from tests.lab.authority import self_signed


class Trusted:
    """A peer's certificate that proves whatever it claims."""

    def distrust(self, domain: str) -> None:
        """It is who it says."""


class Side:
    """A world with federation, and its end of the connection: what it writes waits until it is carried."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        [self.domain] = world.settings.domains
        issued = self_signed(self.domain)
        files = KeyPair(folder / f"{self.domain}.pem", folder / f"{self.domain}.key")
        issued.write(*files)
        tls = replace(world.settings.tls, certificate=files.certificate, key=files.key)
        self.federation = self._federation(replace(world.settings, tls=tls))
        world.core.router.elsewhere = self.federation.destination
        self.address = ("192.0.2.1", 5270)
        self.tls = SimpleNamespace(version="TLSv1.3", cipher="", peer_chain=[])
        self.unsent = 0
        self.connected_at = self.last_received = world.seconds
        self.written: list[str] = []
        self.handler: PeerConnection

    def _federation(self, settings: Settings) -> Federation:
        world, router = self.world, self.world.core.router
        around = Inside(
            router.domains.__contains__,
            router.enter,
            router.route,
            world.start,
            world.later,
            lambda: world.seconds,
            world.now,
            build_keeping(settings, world.core, world.stores),
            world.stores.writes,
        )
        federation = build_federation(settings, around, b"secret")
        federation.peers.present = lambda _: Trusted()
        return federation

    # The connection that the handler sees

    def write(self, text: str) -> bool:
        self.written.append(text)
        return True

    def start_tls(self, _: object) -> None:
        """TLS is somebody else's business."""

    def pause(self, _: object) -> None: ...

    def resume(self, _: object) -> None: ...


class Border:
    """`near` connected to `far`, by direct TLS as both believe, with certificates."""

    def __init__(self, near: World, far: World, folder: Path) -> None:
        self.near, self.far = Side(near, folder), Side(far, folder)
        pair = Pair(self.near.domain, self.far.domain)
        owner, terms = self.near.federation.outgoing, self.near.federation.policies.of(pair.to).terms()
        peers = self.near.federation.peers
        outgoing = OutgoingConnection(peers, pair, terms, True, owner, lambda *_: None)
        self.far.handler = IncomingConnection(self.far.federation.peers, True)
        self.near.handler = outgoing
        self.far.handler.connected(self.far)  # type: ignore[arg-type]
        outgoing.connected(self.near)  # type: ignore[arg-type]  # a connection without a socket
        outgoing.secured()
        self.carry()

    def carry(self) -> None:
        """Until nobody has anything to say."""
        while self.near.written or self.far.written:
            self.carry_to(self.far)
            self.carry_to(self.near)

    def carry_to(self, side: Side) -> None:
        """What the other one has written."""
        other = self.near if side is self.far else self.far
        data, other.written = "".join(other.written).encode(), []
        if data:
            side.handler.receive(data)
