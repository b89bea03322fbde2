"""RFC 6120 §13.7.1: what a certificate says, what clients make of it, and asking an authority for one."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from commonroom.net.certificates import (
    SRV_NAME,
    XMPP_ADDRESS,
    CertificateError,
    PrivateKey,
    ascii_domain,
    identifiers,
    load_chain,
    load_key,
    names_of,
    write_new,
)

# Where Linux distributions keep the authorities that their programs trust.
AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
)
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file of certificates says; `names` are grouped by kind, `chain` names the issuers in order."""

    subject: str
    issuer: str
    dns: tuple[str, ...]
    srv: tuple[str, ...]
    xmpp: tuple[str, ...]
    key: str
    signature: str
    serial: str
    sha256: str
    begins: datetime
    ends: datetime
    chain: tuple[str, ...]


def facts(path: Path) -> Facts:
    """Of a file in PEM form; raises `CertificateError`."""
    first, *issuers = load_chain(path)
    return Facts(
        subject=first.subject.rfc4514_string(),
        issuer=first.issuer.rfc4514_string(),
        dns=tuple(sorted(names_of(first))),
        srv=tuple(_others(first, SRV_NAME)),
        xmpp=tuple(_others(first, XMPP_ADDRESS)),
        key=_kind(first),
        signature=str(getattr(first.signature_algorithm_oid, "_name", first.signature_algorithm_oid)),
        serial=f"{first.serial_number:x}",
        sha256=first.fingerprint(hashes.SHA256()).hex(":"),
        begins=first.not_valid_before_utc,
        ends=first.not_valid_after_utc,
        chain=tuple(each.subject.rfc4514_string() for each in issuers),
    )


def ends(path: Path) -> datetime | None:
    """When the certificate in the file ends; None, if there is none that can be read."""
    try:
        return load_chain(path)[0].not_valid_after_utc
    except CertificateError:
        return None


def verdict(path: Path, domain: str, now: datetime, authorities: Sequence[Path] = AUTHORITIES) -> str:
    """What a client with this machine's authorities says of it for a domain: empty, if it is content."""
    bundle = next((each for each in authorities if each.is_file()), None)
    if bundle is None:
        return "this machine has no list of authorities, so that this cannot be tried"
    store = verification.Store(_authorities(bundle))
    first, *issuers = load_chain(path)
    verifier = (
        verification.PolicyBuilder()
        .store(store)
        .time(now)
        .build_server_verifier(x509.DNSName(ascii_domain(domain)))
    )
    try:
        verifier.verify(first, issuers)
    except verification.VerificationError as error:
        return str(error)
    return ""


def _authorities(bundle: Path) -> list[x509.Certificate]:
    """Some are older than today's rules, which is not our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_pem_x509_certificates(bundle.read_bytes())


def make_request(key: Path, domains: Sequence[str]) -> bytes:
    """A request for a certificate (RFC 2986), in PEM form; the key is made if there is none.

    It asks for the three forms of names that XMPP knows. Raises `CertificateError`.
    """
    if not key.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_new(key, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    private = load_key(key)
    name = domains[0] if len(domains[0]) <= LONGEST_COMMON_NAME else "Common Room"
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(
            x509.SubjectAlternativeName([form for domain in domains for form in identifiers(domain)]),
            critical=False,
        )
        .sign(private, _digest(private))
    )
    return request.public_bytes(Encoding.PEM)


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()


def _others(certificate: x509.Certificate, kind: x509.ObjectIdentifier) -> Iterator[str]:
    """The names of a form that X.509 does not know, as text."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for name in names.get_values_for_type(x509.OtherName):
        if name.type_id == kind:
            yield _text(name.value)


def _text(der: bytes) -> str:
    """The content of an ASN.1 string."""
    if len(der) < 2:
        return ""
    skipped = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    return der[skipped:].decode("utf-8", "replace")


def _kind(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA, {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC, {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")
