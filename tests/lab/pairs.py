"""Our server and another one: what is the same for every kind of peer and of proof."""

from collections.abc import Callable
from pathlib import Path

from .authority import BOTH, SERVER, Issued
from .peers import EjabberdPeer, Jabberd2Peer, Ours, Peer, ProsodyPeer
from .site import Site

Start = Callable[[Peer], Peer]
KINDS: dict[str, type[Peer]] = {
    "prosody": ProsodyPeer,
    "ejabberd": EjabberdPeer,
    "jabberd2": Jabberd2Peer,
    "ours": Ours,
}


class Pairing:
    """Ours and a peer that run and can reach each other, if their certificates please both."""

    def __init__(self, ours: Ours, peer: Peer, proof: str) -> None:
        self.ours = ours
        self.peer = peer
        self.proof = proof

    @property
    def peers(self) -> list[Peer]:
        return [self.ours, self.peer]


def names(domain: str) -> tuple[str, ...]:
    """What a certificate of the domain's server should name."""
    return domain, f"rooms.{domain}", f"group.{domain}"


def pairing(site: Site, folder: Path, start: Start, kind: str, proof: str) -> Pairing:
    """A running pair: `external` by certificates for both uses, `server only` by such as public authorities
    issue now, `dialback` where neither shows the other a certificate that would do."""
    label = f"{kind}{proof[:3]}"
    uses = BOTH if proof == "external" else SERVER
    ours_domain, peer_domain = f"ours-{label}.lab", f"{label}.lab"
    issue: Callable[..., Issued] = site.stranger.issue if proof == "dialback" else site.authority.issue
    ours = Ours(folder / "ours", site, ours_domain, issue(*names(ours_domain), uses=uses))
    peer = KINDS[kind](folder / "peer", site, peer_domain, issue(*names(peer_domain), uses=uses))
    for each in (ours, peer) if proof == "dialback" else ():
        each.accept_any_certificate()
    start(ours)
    start(peer)
    return Pairing(ours, peer, proof)
