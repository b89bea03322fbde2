"""What `trace s2s` and `check dns|certs|connectivity` say of what is wrong: the verdict, and what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run

from .peers import Ours
from .proofs import EXTERNAL, FAULTS, certificate
from .site import Site

SRV = "_xmpp-server._tcp."
Prepare = Callable[[str, str], Ours]


@pytest.fixture
def prepare(site: Site, tmp_path: Path) -> Iterator[Prepare]:
    """Makes servers without people: of a domain, with a proof or a fault."""
    made: list[Ours] = []

    def server(domain: str, proof: str) -> Ours:
        one = Ours(tmp_path / domain, site, domain, certificate(site, proof, domain))
        one.accounts.clear()
        one.prepare()
        made.append(one)
        return one

    yield server
    for each in made:
        each.close()


def told(server: Ours, *command: str) -> str:
    """What a command says that finds something wrong."""
    result = run(*command, "-c", server.configuration)
    assert result.exit_code == 1, result.output
    return result.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_certificate_that_does_not_do(prepare: Prepare, fault: str) -> None:
    good, bad = prepare("asking.lab", EXTERNAL), prepare(f"{fault}.lab", fault)
    words = FAULTS[fault].words
    bad.start()

    trace = told(good, "trace", "s2s", bad.domain).splitlines()
    assert trace[-2].startswith("No: ")
    assert ": its certificate is not accepted: " in trace[-2]
    assert words in trace[-2]
    assert "get a certificate that names the domain, from an authority that others trust" in trace[-1]

    certs = told(bad, "check", "certs").splitlines()[0]
    assert certs.startswith(f"error: {bad.domain}: {bad.certificate}: others will refuse it: ")
    assert words in certs
    assert certs.endswith(f"; get one for {bad.domain} from an authority that others trust")

    connectivity = told(bad, "check", "connectivity").splitlines()[1]
    assert connectivity.startswith(f"error: {bad.domain}: other servers will not get in: ")
    assert words in connectivity
    assert connectivity.endswith("; see `commonroom check certs`")


def test_of_a_domain_that_dns_does_not_know(prepare: Prepare, site: Site) -> None:
    server = prepare("unpublished.lab", EXTERNAL)
    site.nameserver.remove(f"{SRV}{server.domain}", "SRV")
    verdict = "DNS has no address for unpublished.lab"
    assert told(server, "trace", "s2s", server.domain).splitlines()[-2:] == [
        f"No: {verdict}",
        "See whether the domain is spelled right. If it is, its operator has to publish SRV records.",
    ]
    dns = told(server, "check", "dns")
    assert "there are no SRV records for servers" in dns
    assert "`commonroom dns records` prints some" in dns
    assert f"error: {server.domain}: {verdict}; publish an A or AAAA record for it" in dns
    found = told(server, "check", "connectivity")
    assert f"error: {server.domain}: {verdict}; see `commonroom check dns`" in found


def test_of_a_domain_that_has_no_service(prepare: Prepare, site: Site) -> None:
    """SRV record "." (RFC 2782)."""
    server = prepare("dot.lab", EXTERNAL)
    site.nameserver.put(f"{SRV}{server.domain}", "SRV", "0 0 5269 .")
    verdict = "DNS says that dot.lab has no XMPP server (SRV record '.')"
    assert told(server, "trace", "s2s", server.domain).splitlines()[-2:] == [
        f"No: {verdict}",
        "See whether the domain is spelled right. If it is, its operator has to publish SRV records.",
    ]
    assert f"error: {server.domain}: {verdict}; publish what `commonroom dns records` prints" in told(
        server, "check", "dns"
    )
    found = told(server, "check", "connectivity")
    assert f"error: {server.domain}: {verdict}; see `commonroom check dns`" in found


def test_of_a_port_where_nobody_listens(prepare: Prepare, site: Site) -> None:
    server = prepare("dead.lab", EXTERNAL)
    site.publish(server.domain, 1, server.host)
    place = f"{server.host}:1"
    assert told(server, "trace", "s2s", server.domain).splitlines()[-2:] == [
        f"No: {place}: it refuses connections",
        "See whether a firewall on your side lets connections out to that port; else its operator has to.",
    ]
    dns = run("check", "dns", "-c", server.configuration).stdout
    assert f"warning: {server.domain}: DNS says {place}, but nothing listens there (federation.listen)" in dns
    found = told(server, "check", "connectivity")
    assert f"error: {server.domain}: {place} cannot be reached from here" in found
    assert "is the service running, and a firewall open?" in found
