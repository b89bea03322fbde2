"""RFC 6120 §13.7.1: server certificates: read and check a pair of files, or make a self-signed pair."""

import itertools
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeVar

import idna
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SRV_NAME = ObjectIdentifier("1.3.6.1.5.5.7.8.7")  # id-on-dnsSRV
XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")  # id-on-xmppAddr (RFC 6120 §13.7.1.4)
SERVICES = ("_xmpp-client", "_xmpp-server")
IA5_STRING = 0x16
UTF8_STRING = 0x0C

LONGEST_COMMON_NAME = 64  # ub-common-name of X.520
SMALLEST_RSA_KEY = 2048  # OpenSSL's default security level takes no smaller one
CLOCK_SKEW = timedelta(hours=1)
RENEWAL = timedelta(days=21)  # authorities that renew by themselves do so 30 days before the end

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
Loaded = TypeVar("Loaded")


class CertificateError(Exception):
    """A certificate or key cannot be used; the text names the file and says what to do."""


class Severity(Enum):
    """What a problem of a certificate means."""

    ERROR = "error"  # clients cannot connect
    WARNING = "warning"  # some cannot, or soon none can
    NOTE = "note"


class Problem(NamedTuple):
    """One thing about a certificate that the operator should know, in plain words."""

    severity: Severity
    text: str

    def __str__(self) -> str:
        return self.text


class Pair(NamedTuple):
    """A server's certificate, those that lead to its authority, and the private key."""

    chain: Sequence[x509.Certificate]
    key: PrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        """The server's own."""
        return self.chain[0]


def load_pair(certificate: Path, key: Path) -> Pair:
    """Read the two PEM files, which must belong together; raises `CertificateError`."""
    pair = Pair(load_chain(certificate), load_key(key))
    if _public_bytes(pair.key.public_key()) != _public_bytes(pair.certificate.public_key()):
        raise CertificateError(
            f"{key}: this is not the key of {certificate}; give two that were made together"
        )
    return pair


def load_chain(path: Path) -> Sequence[x509.Certificate]:
    """Read a certificate, and those that follow it; raises `CertificateError`."""
    return _load(path, "certificate", x509.load_pem_x509_certificates)


def load_key(path: Path) -> PrivateKey:
    """Read a private key; raises `CertificateError`."""
    return _load(path, "key", _private_key)


def inspect(certificate: Path, key: Path, domains: Iterable[str], now: datetime) -> list[Problem]:
    """Everything an operator should know about the pair, the worst first; `now` is aware of its time zone."""
    try:
        pair = load_pair(certificate, key)
    except CertificateError as error:
        return [Problem(Severity.ERROR, str(error))]
    found = [
        *_key_problems(pair.key, key),
        *_date_problems(pair.certificate, certificate, now),
        *_domain_problems(pair.certificate, certificate, domains),
        *_chain_problems(pair.chain, certificate),
    ]
    return sorted(found, key=lambda problem: list(Severity).index(problem.severity))


def create_self_signed(
    certificate: Path, key: Path, domains: Sequence[str], now: datetime, days: int = 365
) -> None:
    """Write a new key (mode 0600) and its certificate; raises `CertificateError`, also if they exist."""
    for path in (certificate, key):
        if path.exists():
            raise CertificateError(f"{path}: exists already; remove it, or use another name")
    private = ec.generate_private_key(ec.SECP256R1())
    signed = _self_signed(private, domains, now, timedelta(days=days))
    write_new(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    write_new(certificate, signed.public_bytes(Encoding.PEM), 0o644)


def ascii_domain(domain: str) -> str:
    """The domain as DNS and TLS carry it: lower case, A-labels."""
    if domain.isascii():
        return domain.lower()
    return ".".join(idna.alabel(label).decode() for label in domain.split("."))


# Reading


def _load(path: Path, what: str, parse: Callable[[bytes], Loaded]) -> Loaded:
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        fault = "there is no such file"
    except OSError as error:
        fault = f"cannot be read ({error.strerror}); let the server's account read it"
    except TypeError:  # what cryptography raises for a key that needs a passphrase
        fault = "the key has a passphrase; remove it with: openssl pkey -in FILE -out NEWFILE"
    except (ValueError, UnsupportedAlgorithm) as error:
        fault = f"this is not a {what} in PEM form ({error})"
    raise CertificateError(f"{path}: {fault}")


def _private_key(pem: bytes) -> PrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, PrivateKey):
        raise ValueError(f"TLS has no use for a {type(key).__name__}")
    return key


def _public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# Checking


def _key_problems(key: PrivateKey, path: Path) -> Iterator[Problem]:
    if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        yield _warning(path, "every account of this machine may use the key; chmod 600 it")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < SMALLEST_RSA_KEY:
        yield _error(path, f"the key has {key.key_size} bits, not {SMALLEST_RSA_KEY} or more; make a new one")


def _date_problems(certificate: x509.Certificate, path: Path, now: datetime) -> Iterator[Problem]:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        yield _error(
            path, f"the certificate is valid only from {begin:%Y-%m-%d %H:%M} UTC; is the clock right?"
        )
    if now > end:
        yield _error(path, f"the certificate expired on {end:%Y-%m-%d}, {_days(now - end)} ago; renew it")
    elif end - now < RENEWAL:
        yield _warning(path, f"the certificate expires in {_days(end - now)}, on {end:%Y-%m-%d}; renew it")


def _days(span: timedelta) -> str:
    return "1 day" if span.days == 1 else f"{span.days} days"


def _domain_problems(certificate: x509.Certificate, path: Path, domains: Iterable[str]) -> Iterator[Problem]:
    names = names_of(certificate)
    listed = ", ".join(sorted(names)) or "nothing"
    for domain in domains:
        if not _covers(names, ascii_domain(domain)):
            yield _error(path, f"the certificate is for {listed}, not for {domain}; get one that names it")


def names_of(certificate: x509.Certificate) -> set[str]:
    """The domains of the subjectAltName, the only place that counts (RFC 6120 §13.7.1.2.1)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return {name.lower() for name in names.get_values_for_type(x509.DNSName)}


def _covers(names: set[str], domain: str) -> bool:
    """A wildcard stands for the whole first label (RFC 6120 §13.7.1.2.1)."""
    return domain in names or "*." + domain.partition(".")[2] in names


def _chain_problems(chain: Sequence[x509.Certificate], path: Path) -> Iterator[Problem]:
    if _issued(chain[0], chain[0]):
        yield Problem(
            Severity.NOTE, f"{path}: the certificate is self-signed; clients will ask whether to trust it"
        )
    elif len(chain) == 1:
        yield _warning(path, "only the server's certificate is in it; add those that lead to the authority")
    if not all(_issued(issued, issuer) for issued, issuer in itertools.pairwise(chain)):
        yield _warning(
            path, "the certificates are out of order; each must be followed by the one that signed it"
        )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _error(path: Path, text: str) -> Problem:
    return Problem(Severity.ERROR, f"{path}: {text}")


def _warning(path: Path, text: str) -> Problem:
    return Problem(Severity.WARNING, f"{path}: {text}")


# Making


def _self_signed(
    key: ec.EllipticCurvePrivateKey, domains: Sequence[str], now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """A certificate by the rules of RFC 6120 §13.7.1.1 and §13.7.1.2.1."""
    name = domains[0] if len(domains[0]) <= LONGEST_COMMON_NAME else "Common Room"
    alternative = x509.SubjectAlternativeName([form for domain in domains for form in identifiers(domain)])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def identifiers(domain: str) -> Iterator[x509.GeneralName]:
    """The three forms that XMPP knows: DNS-ID, SRV-ID, XmppAddr (RFC 6120 §13.7.1.2.1)."""
    name = ascii_domain(domain)
    yield x509.DNSName(name)
    for service in SERVICES:
        yield x509.OtherName(SRV_NAME, _der(IA5_STRING, f"{service}.{name}"))
    yield x509.OtherName(XMPP_ADDRESS, _der(UTF8_STRING, domain))


def _der(tag: int, text: str) -> bytes:
    """An ASN.1 string in its distinguished encoding."""
    content = text.encode()
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Make the file appear complete or not at all, and never in the place of another."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    except OSError as error:
        raise CertificateError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)
