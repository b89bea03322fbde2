"""Reading, checking and making certificates; `openssl` reads what we make."""

import os
import stat
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from commonroom.net.certificates import (
    CertificateError,
    PrivateKey,
    Problem,
    Severity,
    create_self_signed,
    inspect,
    load_pair,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Files:
    """A certificate and a key in a folder."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"

    def inspect(self, *domains: str, now: datetime = NOW) -> list[Problem]:
        return inspect(self.certificate, self.key, domains or ["example.org"], now)

    def only_problem(self, *domains: str, now: datetime = NOW) -> tuple[Severity, str]:
        (problem,) = self.inspect(*domains, now=now)
        return problem.severity, str(problem)

    def error(self) -> str:
        with pytest.raises(CertificateError) as error:
            load_pair(self.certificate, self.key)
        assert self.only_problem() == (Severity.ERROR, str(error.value))
        return str(error.value)

    def write_key(self, key: PrivateKey | x25519.X25519PrivateKey, passphrase: bytes = b"") -> None:
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        self.key.chmod(0o600)

    def write_chain(self, *certificates: x509.Certificate) -> None:
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        self.certificate.write_bytes(pem)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def made(files: Files) -> Files:
    create_self_signed(files.certificate, files.key, ["example.org"], NOW)
    return files


class Authority:
    """Signs certificates for example.org."""

    def __init__(self, name: str) -> None:
        self.name = x509.Name.from_rfc4514_string(f"CN={name}")
        self.key = ec.generate_private_key(ec.SECP256R1())

    def sign(
        self, key: PrivateKey, subject: x509.Name | None = None, names: Sequence[str] = ("example.org",)
    ) -> x509.Certificate:
        name = subject or x509.Name.from_rfc4514_string("CN=example.org")
        builder = x509.CertificateBuilder(self.name, name, key.public_key(), 1, NOW - DAY, NOW + 90 * DAY)
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self.key, hashes.SHA256())


# What cannot be used at all


def test_a_missing_certificate_is_named(files: Files) -> None:
    assert files.error() == f"{files.certificate}: there is no such file"


def test_a_missing_key_is_named(made: Files) -> None:
    made.key.unlink()
    assert made.error() == f"{made.key}: there is no such file"


def test_what_cannot_be_read_is_named(made: Files) -> None:
    made.key.unlink()
    made.key.mkdir()
    assert made.error() == f"{made.key}: cannot be read (Is a directory); let the server's account read it"


@pytest.mark.parametrize(
    "content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_not_a_certificate_is_named(made: Files, content: str) -> None:
    made.certificate.write_text(content)
    assert made.error().startswith(f"{made.certificate}: this is not a certificate in PEM form (")


def test_a_certificate_in_the_place_of_the_key_is_named(made: Files) -> None:
    made.key.write_bytes(made.certificate.read_bytes())
    assert made.error().startswith(f"{made.key}: this is not a key in PEM form (")


def test_a_key_that_cannot_sign_is_named(made: Files) -> None:
    made.write_key(x25519.X25519PrivateKey.generate())
    assert (
        made.error() == f"{made.key}: this is not a key in PEM form (TLS has no use for a X25519PrivateKey)"
    )


def test_a_key_with_a_passphrase_is_named(made: Files) -> None:
    made.write_key(ec.generate_private_key(ec.SECP256R1()), b"secret")
    assert made.error().startswith(f"{made.key}: the key has a passphrase; remove it")


def test_the_key_of_another_certificate_is_named(made: Files) -> None:
    made.write_key(ec.generate_private_key(ec.SECP256R1()))
    assert (
        made.error()
        == f"{made.key}: this is not the key of {made.certificate}; give two that were made together"
    )


# What clients refuse, or soon will


def test_an_expired_certificate_is_an_error(made: Files) -> None:
    problem, note = made.inspect(now=NOW + 370 * DAY)
    expected = f"{made.certificate}: the certificate expired on 2027-03-01, 5 days ago; renew it"
    assert problem == (Severity.ERROR, expected)
    assert note.severity is Severity.NOTE


@pytest.mark.parametrize(("left", "words"), [(20, "20 days"), (1, "1 day"), (0, "0 days")])
def test_a_certificate_that_expires_soon_is_a_warning(made: Files, left: int, words: str) -> None:
    problem, _ = made.inspect(now=NOW + (365 - left) * DAY)
    expected = f"{made.certificate}: the certificate expires in {words}, on 2027-03-01; renew it"
    assert problem == (Severity.WARNING, expected)


def test_a_certificate_from_the_future_is_an_error(made: Files) -> None:
    problem, _ = made.inspect(now=NOW - DAY)
    expected = (
        f"{made.certificate}: the certificate is valid only from 2026-03-01 11:00 UTC; is the clock right?"
    )
    assert problem == (Severity.ERROR, expected)


def test_each_domain_that_is_not_covered_is_an_error(made: Files) -> None:
    found = made.inspect("example.org", "rooms.example.org", "EXAMPLE.org", "bücher.example")
    start = f"{made.certificate}: the certificate is for example.org, not for"
    assert [str(problem) for problem in found if problem.severity is Severity.ERROR] == [
        f"{start} rooms.example.org; get one that names it",
        f"{start} bücher.example; get one that names it",
    ]


def test_rfc6120_13_7_1_2_1_a_wildcard_is_one_label(files: Files) -> None:
    authority, key = Authority("Authority"), ec.generate_private_key(ec.SECP256R1())
    files.write_key(key)
    leaf = authority.sign(key, names=["*.example.org"])
    files.write_chain(leaf, authority.sign(authority.key, authority.name))
    assert files.inspect("rooms.example.org") == []
    for domain in ("example.org", "a.b.example.org", "org"):
        severity, text = files.only_problem(domain)
        assert severity is Severity.ERROR
        assert f"is for *.example.org, not for {domain};" in text


def test_rfc6120_13_7_1_2_1_a_common_name_does_not_count(files: Files) -> None:
    authority, key = Authority("Authority"), ec.generate_private_key(ec.SECP256R1())
    files.write_key(key)
    files.write_chain(authority.sign(key, names=[]), authority.sign(authority.key, authority.name))
    severity, text = files.only_problem()
    assert (severity, "is for nothing, not for example.org" in text) == (Severity.ERROR, True)


def test_a_short_key_is_an_error(files: Files) -> None:
    authority = Authority("Authority")
    key = rsa.generate_private_key(65537, 1024)
    files.write_key(key)
    files.write_chain(authority.sign(key), authority.sign(authority.key, authority.name))
    expected = f"{files.key}: the key has 1024 bits, not 2048 or more; make a new one"
    assert files.only_problem() == (Severity.ERROR, expected)


def test_a_key_that_everybody_can_read_is_a_warning(made: Files) -> None:
    made.key.chmod(0o644)
    problem, _ = made.inspect()
    assert problem == (
        Severity.WARNING,
        f"{made.key}: every account of this machine may use the key; chmod 600 it",
    )
    made.key.chmod(0o640)  # a group for those that may is usual
    assert len(made.inspect()) == 1


def test_a_chain_without_its_authority_is_a_warning(files: Files) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    files.write_key(key)
    files.write_chain(Authority("Authority").sign(key))
    reason = "only the server's certificate is in it; add those that lead to the authority"
    assert files.only_problem() == (Severity.WARNING, f"{files.certificate}: {reason}")


def test_a_chain_out_of_order_is_a_warning(files: Files) -> None:
    root, middle, key = Authority("Root"), Authority("Middle"), ec.generate_private_key(ec.SECP256R1())
    files.write_key(key)
    leaf, issuer, top = middle.sign(key), root.sign(middle.key, middle.name), root.sign(root.key, root.name)
    files.write_chain(leaf, top, issuer)
    reason = "the certificates are out of order; each must be followed by the one that signed it"
    assert files.only_problem() == (Severity.WARNING, f"{files.certificate}: {reason}")
    files.write_chain(leaf, issuer, top)
    assert files.inspect() == []
    assert list(load_pair(files.certificate, files.key).chain) == [leaf, issuer, top]


# Making


def test_what_we_make_is_only_worth_a_note(made: Files) -> None:
    reason = "the certificate is self-signed; clients will ask whether to trust it"
    assert made.only_problem() == (Severity.NOTE, f"{made.certificate}: {reason}")


def test_rfc6120_13_7_1_2_1_all_forms_of_all_domains_are_named(files: Files) -> None:
    create_self_signed(files.certificate, files.key, ["example.org", "bücher.example"], NOW)
    command = ["openssl", "x509", "-in", str(files.certificate), "-noout", "-ext", "subjectAltName"]
    output = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    names = output.splitlines()[1].strip().split(", ")
    assert names == [
        "DNS:example.org",
        "othername: SRVName::_xmpp-client.example.org",
        "othername: SRVName::_xmpp-server.example.org",
        "othername: XmppAddr::example.org",
        "DNS:xn--bcher-kva.example",
        "othername: SRVName::_xmpp-client.xn--bcher-kva.example",
        "othername: SRVName::_xmpp-server.xn--bcher-kva.example",
        "othername: XmppAddr::bücher.example",
    ]
    assert len(files.inspect("example.org", "bücher.example")) == 1


def test_rfc6120_13_7_1_1_the_rules_for_server_certificates_are_kept(made: Files) -> None:
    certificate = load_pair(made.certificate, made.key).certificate
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.subject.rfc4514_string() == "CN=example.org"
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert certificate.not_valid_after_utc == NOW + 365 * DAY


def test_a_domain_longer_than_a_common_name_is_possible(files: Files) -> None:
    domain = ".".join(["a" * 60] * 4)
    create_self_signed(files.certificate, files.key, [domain], NOW)
    assert len(files.inspect(domain)) == 1


def test_the_key_is_ours_alone_whatever_the_umask(files: Files) -> None:
    before = os.umask(0)
    try:
        create_self_signed(files.certificate, files.key, ["example.org"], NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.certificate.stat().st_mode) == 0o644
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["certificate.pem", "key.pem"]


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_nothing_is_replaced(files: Files, which: str) -> None:
    path: Path = getattr(files, which)
    path.write_text("precious")
    with pytest.raises(CertificateError, match=f"{which}.pem: exists already"):
        create_self_signed(files.certificate, files.key, ["example.org"], NOW)
    assert [(each.name, each.read_text()) for each in path.parent.iterdir()] == [(path.name, "precious")]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = Files(tmp_path / "nowhere")
    with pytest.raises(CertificateError, match=r"nowhere/key\.pem: cannot be written"):
        create_self_signed(files.certificate, files.key, ["example.org"], NOW)
