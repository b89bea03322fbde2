"""Revocation lists, made by openssl: what is no list, or not the authority's, does not count."""

import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from commonroom.net.certificates import CertificateError
from commonroom.net.revocations import read_revocations

CONFIGURATION = """
[ca]
default_ca = it
[it]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 1
serial = serial
new_certs_dir = .
policy = any
[any]
commonName = supplied
"""


class Office:
    """An authority as an institution has one: `openssl ca`, in a folder."""

    def __init__(self, folder: Path, name: str = "people") -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "ca.cnf").write_text(CONFIGURATION)
        (folder / "index.txt").touch()
        (folder / "crlnumber").write_text("01\n")
        (folder / "serial").write_text("1000\n")
        self.openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"),
        )

    def openssl(self, *words: str) -> None:
        done = subprocess.run(("openssl", *words), cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _ca(self, *words: str) -> None:
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", *words)

    def certify(self, name: str) -> x509.Certificate:
        self.openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        self._ca("-in", f"{name}.csr", "-out", f"{name}.pem", "-notext", "-days", "1")
        return self.certificate(name)

    def certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())

    def revoke(self, *names: str) -> Path:
        """The list, with these added."""
        for name in names:
            self._ca("-revoke", f"{name}.pem")
        self._ca("-gencrl", "-out", "list.crl")
        return self.folder / "list.crl"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    made = Office(tmp_path_factory.mktemp("office") / "people")
    for name in ("alice", "bob", "carol"):
        made.certify(name)
    return made


def test_what_is_no_list_is_refused(office: Office, tmp_path: Path) -> None:
    authorities = [office.certificate("ca")]
    good = office.revoke().read_bytes()
    path = tmp_path / "list"
    with pytest.raises(CertificateError, match="cannot be read"):
        read_revocations([path], authorities)
    for broken in (
        b"",
        b"\0\xff" * 50,
        good[: len(good) // 2],
        good + good[: len(good) // 2],
        b"x" + good[1:],
    ):
        path.write_bytes(broken)
        with pytest.raises(CertificateError, match=r"revocation list"):
            read_revocations([path], authorities)


def test_a_list_that_somebody_else_signed_is_refused(office: Office, tmp_path: Path) -> None:
    forger = Office(tmp_path / "forger", "people")
    forger.certify("alice")
    with pytest.raises(CertificateError, match="not signed by that authority"):
        read_revocations([forger.revoke("alice")], [office.certificate("ca")])


def test_the_list_of_an_unknown_authority_is_left_out_and_told(office: Office, tmp_path: Path) -> None:
    other = Office(tmp_path / "other", "other")
    told: list[str] = []
    found = read_revocations([other.revoke(), office.revoke()], [office.certificate("ca")], told.append)
    assert "CN=other" in told[0]
    assert found.count == 0


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_who_is_on_the_list_is_revoked_and_nobody_else(office: Office, form: str) -> None:
    path = office.revoke("alice") if form == "PEM" else office.folder / "list.der"
    if form == "DER":
        office.openssl("crl", "-in", "list.crl", "-outform", "DER", "-out", "list.der")
    found = read_revocations([path], [office.certificate("ca")])
    assert found.is_revoked([office.certificate("alice"), office.certificate("ca")])
    assert not found.is_revoked([office.certificate("bob"), office.certificate("ca")])
    assert found.count == 1


def test_of_two_lists_the_newer_one_counts(office: Office, tmp_path: Path) -> None:
    old = tmp_path / "old.crl"
    old.write_bytes(office.revoke().read_bytes())
    before = read_revocations([old], [office.certificate("ca")])
    assert not before.is_revoked([office.certificate("carol")])
    _wait_a_second()
    new = office.revoke("carol")
    for order in ([old, new], [new, old]):
        assert read_revocations(order, [office.certificate("ca")]).is_revoked([office.certificate("carol")])
    both = tmp_path / "both.crl"
    both.write_bytes(new.read_bytes() + old.read_bytes())
    assert read_revocations([both], [office.certificate("ca")]).is_revoked([office.certificate("carol")])


def _wait_a_second() -> None:
    """Lists are told apart by the second."""
    time.sleep(1.1)


def test_a_list_whose_successor_is_due_is_told_and_counts(office: Office) -> None:
    found = read_revocations([office.revoke()], [office.certificate("ca")])
    assert not found.stale()
    assert found.stale(datetime.now(UTC) + timedelta(days=2))


def test_a_certificate_of_the_same_number_by_another_authority_is_not_revoked(
    office: Office, tmp_path: Path
) -> None:
    other = Office(tmp_path / "other", "other")
    twin = other.certify("alice")
    assert twin.serial_number == office.certificate("alice").serial_number
    assert not read_revocations([office.revoke()], [office.certificate("ca")]).is_revoked([twin])
