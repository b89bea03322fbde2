"""What servers share that find each other: DNS, and an authority that vouches for them."""

from pathlib import Path

from bench.site import NO_EXTRAS, Extras, Federation, Population, Site
from tests.lab.authority import Authority
from tests.lab.nameserver import Nameserver


class Network:
    """Nobody is in its DNS until it is told."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority("Bench Authority", depth=0)
        authorities = self._authority.write(folder / "authorities.pem")
        self._nameserver = Nameserver().start()
        self._federation = Federation(self._nameserver.address, authorities)

    def close(self) -> None:
        """Nobody is found any more."""
        self._nameserver.close()

    def site(
        self, folder: Path, population: Population, extras: Extras = NO_EXTRAS, names: tuple[str, ...] = ()
    ) -> Site:
        """With a certificate for the domain, and for more names, that all here accept."""
        site = Site(folder / "certificate.pem", folder / "key.pem", population, extras, self._federation)
        self._authority.issue(population.domain, *names).write(site.certificate, site.key)
        return site

    def publish(self, domain: str, port: int) -> None:
        """Its server is there."""
        self._nameserver.service(domain, port)
