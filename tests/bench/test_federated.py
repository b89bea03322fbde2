"""Servers of the bench that find each other: each in its own words, and nobody else is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from bench.network import Network
from bench.servers import commonroom
from bench.servers.commonroom import CommonRoom, Installation, usual_python
from bench.servers.couple import Together
from bench.servers.ejabberd import Ejabberd
from bench.servers.prosody import Prosody
from bench.servers.server import Server
from bench.site import FAR_DOMAIN, Population, Site, make_site

PEOPLE = Population(1, domain=FAR_DOMAIN)


class UnfilledEjabberd(Ejabberd):
    """Writes its files only: filling it starts it."""

    def _load(self, terms: Path) -> None:
        assert terms.exists()


class Ours(CommonRoom):
    def __init__(self, name: str, folder: Path, site: Site, core: int) -> None:
        installation = Installation(commonroom.CHECKOUT / "src", usual_python())
        super().__init__(name, folder, site, core, installation)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.close()


def configuration(server: Server) -> str:
    server.prepare()
    [path] = [*server.folder.glob("*.lua"), *server.folder.glob("*.yml"), *server.folder.glob("*.toml")]
    return path.read_text()


KINDS = {"commonroom": Ours, "prosody": Prosody, "ejabberd": UnfilledEjabberd}


@pytest.mark.parametrize("kind", KINDS)
def test_only_who_is_in_a_network_talks_with_others(kind, tmp_path):
    server = KINDS[kind](kind, tmp_path, make_site(tmp_path, Population(1)), 0)
    text = configuration(server)
    assert str(server.ports["s2s"]) not in text
    assert "authorities" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_told_where_to_listen_whom_to_ask_and_whom_to_trust(kind, tmp_path, network):
    site = network.site(tmp_path, PEOPLE)
    server = KINDS[kind](kind, tmp_path, site, 0)
    text = configuration(server)
    assert site.federation is not None
    assert str(server.ports["s2s"]) in text
    assert str(site.federation.authorities) in text
    asks = text if kind != "ejabberd" else (tmp_path / "inetrc").read_text()
    assert str(site.federation.nameserver[1]) in asks
    assert FAR_DOMAIN in text


def test_a_certificate_names_the_domain_and_those_below(tmp_path, network):
    site = network.site(tmp_path, PEOPLE)
    read = x509.load_pem_x509_certificate(site.certificate.read_bytes())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [FAR_DOMAIN, "*.far.example"]


def test_what_both_of_a_couple_use_counts():
    class Uses:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def cpu(self) -> float:
            return self.seconds

    assert Together(Uses(1.5), Uses(2.0)).cpu() == 3.5
