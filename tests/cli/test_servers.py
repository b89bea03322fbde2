"""`commonroom trace s2s`, `check dns|certs|connectivity` and `dns records`: what operators learn."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.authority import self_signed
from tests.lab.nameserver import free_port
from tests.lab.peers import Ours
from tests.lab.site import Site

from .commands import failed, run, worked

OURS, THEIRS = "ours.lab", "theirs.lab"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def ours(site: Site, tmp_path: Path) -> Ours:
    server = Ours(tmp_path / "ours", site, OURS, site.authority.issue(OURS, f"group.{OURS}"))
    server.accounts.clear()
    server.prepare()
    return server


@pytest.fixture
def theirs(site: Site, tmp_path: Path) -> Iterator[Ours]:
    """Another server, which runs."""
    server = Ours(tmp_path / "theirs", site, THEIRS, site.authority.issue(THEIRS, f"group.{THEIRS}"))
    server.accounts.clear()
    server.prepare()
    server.start()
    yield server
    server.close()


def test_trace_of_a_domain_that_is_not_there(ours: Ours) -> None:
    result = run("trace", "s2s", "nowhere.lab", "-c", ours.configuration)
    assert result.exit_code == 1
    assert "No: DNS has no address for nowhere.lab" in result.stdout
    assert "SRV records" in result.stdout


def test_trace_of_a_server_that_does_not_listen(ours: Ours, site: Site) -> None:
    site.publish("down.lab", free_port())
    result = run("trace", "s2s", "down.lab", "-c", ours.configuration)
    assert result.exit_code == 1
    assert "it refuses connections" in result.stdout
    assert "firewall" in result.stdout


def test_trace_of_a_server_that_works(ours: Ours, theirs: Ours) -> None:
    lines = worked(run("trace", "s2s", THEIRS, "-c", ours.configuration)).splitlines()
    events = [line[12:32].strip() for line in lines if " s  " in line]
    assert events == [
        *("located", "addresses", "connected", "features", "encrypted", "certificate", "features"),
        *("authenticating", "authenticated", "features", "ready"),
    ]
    assert lines[-1] == f"Yes: {THEIRS} takes stanzas from {OURS}"


def test_trace_with_a_certificate_that_dns_vouches_for(site: Site, tmp_path: Path) -> None:
    """DANE, where the operator says that DNSSEC is checked: an unknown authority does not matter."""
    issued = self_signed("elsewhere.lab")
    peer = Ours(tmp_path / "dane", site, "dane.lab", issued)
    ours = Ours(tmp_path / "ours", site, OURS, site.authority.issue(OURS, f"group.{OURS}"), "dnssec = true")
    for each in (peer, ours):
        each.accounts.clear()
        each.prepare()
    digest = hashlib.sha256(issued.certificate.public_bytes(Encoding.DER)).hexdigest()
    site.nameserver.service("dane.lab", peer.s2s_port, peer.host, host="host.dane.lab")
    site.nameserver.put(f"_{peer.s2s_port}._tcp.host.dane.lab", "TLSA", f"3 0 1 {digest}")
    peer.start()
    try:
        assert run("trace", "s2s", "dane.lab", "-c", ours.configuration).exit_code == 1
        site.nameserver.validated = True
        text = worked(run("trace", "s2s", "dane.lab", "-c", ours.configuration))
    finally:
        peer.close()
    assert "DANE" in text
    assert text.splitlines()[-1].startswith("Yes")


def test_trace_for_programs(ours: Ours, theirs: Ours) -> None:
    told = json.loads(worked(run("trace", "s2s", THEIRS, "--json", "-c", ours.configuration)))
    assert told["reached"] is True
    assert told["steps"][0]["event"] == "located"


def test_trace_tells_a_certificate_that_is_refused(ours: Ours, site: Site, tmp_path: Path) -> None:
    bad = Ours(tmp_path / "bad", site, "bad.lab", site.authority.issue("other.lab"))
    bad.accounts.clear()
    bad.prepare()
    bad.start()
    try:
        result = run("trace", "s2s", "bad.lab", "-c", ours.configuration)
    finally:
        bad.close()
    assert result.exit_code == 1
    assert "its certificate is not accepted: it is for other.lab, not for bad.lab" in result.stdout


def test_what_is_no_domain_is_refused(ours: Ours) -> None:
    assert "is not a domain name" in failed(run("trace", "s2s", "a b", "-c", ours.configuration), 2)


def test_check_dns_of_a_domain_that_is_published(ours: Ours) -> None:
    text = worked(run("check", "dns", "-c", ours.configuration))
    assert f"note: {OURS}: servers find {ours.host}:{ours.s2s_port}" in text


def test_check_dns_of_one_that_is_not(ours: Ours, site: Site) -> None:
    site.nameserver.remove(f"_xmpp-server._tcp.{OURS}", "SRV")
    result = run("check", "dns", "-c", ours.configuration)
    assert result.exit_code == 1
    assert "there are no SRV records" in result.stdout
    assert f"error: {OURS}: DNS has no address" in result.stdout


def test_check_dns_of_a_wrong_port(ours: Ours, site: Site) -> None:
    site.publish(OURS, 1)
    assert "nothing listens there (federation.listen)" in worked(
        run("check", "dns", "-c", ours.configuration)
    )


def test_check_certs(ours: Ours, site: Site) -> None:
    text = worked(run("check", "certs", "-c", ours.configuration))
    assert f"for group.{OURS}, {OURS}, by Test Authority below" in text
    site.stranger.issue(OURS).write(ours.folder / "certificate.pem", ours.folder / "key.pem")
    result = run("check", "certs", "-c", ours.configuration)
    assert result.exit_code == 1
    assert "others will refuse it" in result.stdout


def test_check_connectivity_without_the_service(ours: Ours) -> None:
    result = run("check", "connectivity", "-c", ours.configuration)
    assert result.exit_code == 1
    assert "cannot be reached from here" in result.stdout


def test_check_connectivity_with_it(theirs: Ours) -> None:
    text = worked(run("check", "connectivity", "-c", theirs.configuration))
    assert f"note: {THEIRS}: {theirs.host}:{theirs.s2s_port} answers at {theirs.host}" in text
    assert f"it shows a certificate for group.{THEIRS}, {THEIRS}" in text


def test_dns_records(ours: Ours) -> None:
    lines = worked(run("dns", "records", "--target", "host.lab", "-c", ours.configuration)).splitlines()
    ports = {"_xmpp-client": ours.starttls_port, "_xmpps-client": ours.tls_port}
    servers = {"_xmpp-server": ours.s2s_port, "_xmpps-server": ours.s2s_tls_port}
    expected = [*(ports | servers).items(), *servers.items()]  # those of its rooms as well
    assert [(line.split(".")[0], int(line.split()[6])) for line in lines] == expected
    assert all(line.endswith(" host.lab.") for line in lines)
