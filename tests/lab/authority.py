"""A certificate authority of the tests' own, and the certificates that servers should and should not have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with those that lead to its authority, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    def chain_pem(self) -> bytes:
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, certificate: Path, key: Path) -> Self:
        certificate.write_bytes(self.chain_pem())
        key.write_bytes(self.key_pem())
        key.chmod(0o600)
        return self


class Authority:
    """Signs, by an authority of its own below it if `depth` is 1."""

    def __init__(self, name: str = "Test Authority", depth: int = 1) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.root = _builder(self._name, self._name, self._key, is_ca=True).sign(self._key, hashes.SHA256())
        self._signer, self._signer_name = self._key, self._name
        self._above: tuple[x509.Certificate, ...] = ()
        if depth:
            key = ec.generate_private_key(ec.SECP256R1())
            below = _name(f"{name} below")
            signed = _builder(below, self._name, key, is_ca=True).sign(self._key, hashes.SHA256())
            self._signer, self._signer_name, self._above = key, below, (signed,)

    def write(self, path: Path) -> Path:
        """The root, as an operator would name it in a configuration."""
        path.write_bytes(self.root.public_bytes(Encoding.PEM))
        return path

    def issue(
        self,
        *names: str | x509.GeneralName,
        uses: Sequence[ObjectIdentifier] | None = BOTH,
        begin: timedelta = -DAY,
        end: timedelta = DAY,
        common_name: str = "Server",
    ) -> Issued:
        """A certificate for these names: domains if they are texts; times are from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._signer_name, key, False, begin, end)
        signed = _named(builder, names, uses).sign(self._signer, hashes.SHA256())
        return Issued((signed, *self._above), key)


def self_signed(*names: str, end: timedelta = DAY) -> Issued:
    """A certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name("Server"), _name("Server"), key, False, -2 * DAY, end)
    return Issued((_named(builder, names, BOTH).sign(key, hashes.SHA256()),), key)


def other_name(oid: str, tag: int, text: str) -> x509.OtherName:
    """An otherName with a string of this ASN.1 kind; short ones only."""
    content = text.encode()
    return x509.OtherName(ObjectIdentifier(oid), bytes((tag, len(content))) + content)


def _named(
    builder: x509.CertificateBuilder,
    names: Iterable[str | x509.GeneralName],
    uses: Sequence[ObjectIdentifier] | None,
) -> x509.CertificateBuilder:
    found = [x509.DNSName(name) if isinstance(name, str) else name for name in names]
    if found:
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    if uses is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    is_ca: bool,
    begin: timedelta = -DAY,
    end: timedelta = 30 * DAY,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + begin if begin < end else now + end - DAY)
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
