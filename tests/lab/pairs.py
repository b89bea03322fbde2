"""Our server and another one: what is the same for every kind of peer and of proof."""

from collections.abc import Callable
from pathlib import Path

from tests.interop.people import Person

from .cutting import Wire
from .jabberd2 import Jabberd2Peer
from .peers import EjabberdPeer, Ours, Peer, ProsodyPeer
from .proofs import DIALBACK, EXTERNAL, FAULTS, certificate
from .site import Site

Start = Callable[[Peer], Peer]
Make = Callable[[Peer, str], Person]
KINDS: dict[str, type[Peer]] = {
    "prosody": ProsodyPeer,
    "ejabberd": EjabberdPeer,
    "jabberd2": Jabberd2Peer,
    "ours": Ours,
}


class Pairing:
    """Ours and a peer that run, each behind a wire, which the other one is told of."""

    def __init__(self, ours: Ours, peer: Peer, kind: str, proof: str) -> None:
        self.ours = ours
        self.peer = peer
        self.kind = kind
        self.proof = proof
        self.wires = [Wire(each.s2s_port, each.host) for each in self.peers]
        for each, wire in zip(self.peers, self.wires, strict=True):
            ours.site.publish(each.domain, wire.port, each.host)

    @property
    def peers(self) -> list[Peer]:
        return [self.ours, self.peer]

    def cut(self) -> None:
        """Every connection between the two is reset."""
        for wire in self.wires:
            wire.cut()

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        for wire in self.wires:
            wire.close()


def pairing(site: Site, folder: Path, kind: str, proof: str) -> Pairing:
    """A running pair. Where the proof is a fault it is the peer's, which itself takes any certificate."""
    ours_domain, peer_domain = f"ours-{proof}-{kind}.lab", f"{proof}-{kind}.lab"
    ours_proof = EXTERNAL if proof in FAULTS else proof
    ours = Ours(folder / "ours", site, ours_domain, certificate(site, ours_proof, ours_domain))
    peer = KINDS[kind](folder / "peer", site, peer_domain, certificate(site, proof, peer_domain))
    if proof == DIALBACK:
        ours.accept_any_certificate()
    if proof == DIALBACK or proof in FAULTS:
        peer.accept_any_certificate()
    pair = Pairing(ours, peer, kind, proof)
    try:
        for each in pair.peers:
            each.prepare()
            each.start()
    except BaseException:
        pair.close()
        raise
    return pair
