"""What servers share that find each other: DNS, and an authority that vouches for them."""

from pathlib import Path

from bench.site import NO_EXTRAS, Federation, Population, Site
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

    def site(self, folder: Path, population: Population, idle_timeout: str = "10m") -> Site:
        """With a certificate for the domain, and all names one level below, that all here accept."""
        federation = self._federation._replace(idle_timeout=idle_timeout)
        site = Site(folder / "certificate.pem", folder / "key.pem", population, NO_EXTRAS, federation)
        self._authority.issue(population.domain, f"*.{population.domain}").write(site.certificate, site.key)
        return site

    def publish(self, domain: str, port: int) -> None:
        """Its server is there."""
        self._nameserver.service(domain, port)
