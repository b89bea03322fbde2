"""DANE: what a domain publishes in DNS about its certificate (RFC 6698, RFC 7671, RFC 7673)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonroom.federation.certificates import Authorities, Presented
from commonroom.federation.dane import DaneIdentity, Published
from tests.lab.authority import Authority, Issued, self_signed

DOMAIN, HOST = "example.net", "xmpp.hoster.example"


@dataclass
class Record:
    usage: int
    selector: int
    mtype: int
    cert: bytes


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authorities]:
    authority = Authority()
    return authority, Authorities(authority.write(tmp_path_factory.mktemp("ca") / "ca.pem"))


def record(usage: int, certificate: x509.Certificate, selector: int = 1, mtype: int = 1) -> Record:
    data = certificate.public_bytes(Encoding.DER)
    if selector == 1:
        data = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if mtype:
        data = hashlib.new({1: "sha256", 2: "sha512"}[mtype], data).digest()
    return Record(usage, selector, mtype, data)


def why(trusted: tuple[Authority, Authorities], issued: Issued, *records: Record) -> str | None:
    return DaneIdentity(Presented(trusted[1], issued.chain), Published(records, HOST)).distrust(DOMAIN)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("mtype", [0, 1, 2])
def test_a_published_certificate_needs_no_authority_and_no_name(
    trusted: tuple[Authority, Authorities], selector: int, mtype: int
):
    issued = self_signed("anything.example")
    assert why(trusted, issued, record(3, issued.certificate, selector, mtype)) is None


def test_another_one_than_the_published_is_refused_whoever_vouches_for_it(
    trusted: tuple[Authority, Authorities],
):
    other = record(3, self_signed(DOMAIN).certificate)
    assert "publishes in DNS" in (why(trusted, trusted[0].issue(DOMAIN), other) or "")


def test_one_of_several_records_is_enough(trusted: tuple[Authority, Authorities]):
    issued = self_signed(DOMAIN)
    other = record(3, self_signed(DOMAIN).certificate)
    assert why(trusted, issued, other, record(3, issued.certificate)) is None


def test_records_that_nobody_can_use_do_not_count(trusted: tuple[Authority, Authorities]):
    issued = trusted[0].issue(DOMAIN)
    assert why(trusted, issued, Record(9, 1, 1, b""), Record(3, 7, 1, b""), Record(3, 1, 9, b"")) is None
    assert why(trusted, self_signed(DOMAIN), Record(9, 1, 1, b"")) is not None


def test_a_published_authority_vouches_for_the_domain_or_the_server(trusted: tuple[Authority, Authorities]):
    hoster = Authority("Hoster")
    for name, expected in ((DOMAIN, True), (HOST, True), ("other.example", False)):
        issued = hoster.issue(name)
        assert (why(trusted, issued, record(2, issued.chain[1])) is None) is expected


def test_the_published_authority_must_have_signed_it(trusted: tuple[Authority, Authorities]):
    hoster, issued = Authority("Hoster").issue(DOMAIN), self_signed(DOMAIN)
    mixed = Issued((*issued.chain, hoster.chain[1]), issued.key)
    assert why(trusted, mixed, record(2, hoster.chain[1])) is not None


@pytest.mark.parametrize("usage", [0, 1])
def test_some_records_only_narrow_down_what_is_trusted(
    trusted: tuple[Authority, Authorities], usage: int, tmp_path: Path
):
    good, strange = trusted[0].issue(DOMAIN), Authority("Others").issue(DOMAIN)
    for issued, expected in ((good, True), (strange, False)):
        found = record(usage, issued.chain[0 if usage else 1])
        assert (why(trusted, issued, found) is None) is expected
