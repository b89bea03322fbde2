"""How servers prove to each other who they are, and certificates that prove nothing, as data."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from .authority import BOTH, SERVER, Issued, self_signed
from .site import Site

EXTERNAL = "external"  # certificates for both uses
SERVER_ONLY = "server-only"  # for servers alone, as public authorities issue them now
DIALBACK = "dialback"  # by an authority that nobody knows; both are content with dialback over TLS


class Fault(NamedTuple):
    """A certificate that does not do, and the words that tell people why."""

    issue: Callable[[Site, tuple[str, ...]], Issued]
    words: str


FAULTS: Mapping[str, Fault] = {
    "self-signed": Fault(lambda _, names: self_signed(*names), "self-signed"),
    "expired": Fault(lambda site, names: site.authority.issue(*names, end=timedelta(hours=-1)), "expired on"),
    "wrong-name": Fault(
        lambda site, _: site.authority.issue("elsewhere.lab"), "it is for elsewhere.lab, not for"
    ),
    "unknown-authority": Fault(
        lambda site, names: site.stranger.issue(*names), "not among the trusted authorities"
    ),
}


def names(domain: str) -> tuple[str, ...]:
    """What a certificate of the domain's server should name."""
    return domain, f"rooms.{domain}", f"group.{domain}"


def certificate(site: Site, proof: str, domain: str) -> Issued:
    """What the domain's server shows, where the proof is this one, or the fault is."""
    if proof in FAULTS:
        return FAULTS[proof].issue(site, names(domain))
    authority = site.stranger if proof == DIALBACK else site.authority
    return authority.issue(*names(domain), uses=BOTH if proof == EXTERNAL else SERVER)
