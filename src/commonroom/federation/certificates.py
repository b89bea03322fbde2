"""RFC 6120 §13.7, RFC 6125, XEP-0178: whether a certificate proves that a server is a domain, and why not.

Only names in subjectAltName count, read as ASN.1. A certificate that is good for a TLS server alone is taken
from the side that connects, too: public authorities give no other.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from commonroom.net.certificates import (
    IA5_STRING,
    SMALLEST_RSA_KEY,
    SRV_NAME,
    UTF8_STRING,
    XMPP_ADDRESS,
    CertificateError,
    ascii_domain,
)
from commonroom.protocol.jid import JID, InvalidJID

SERVICE = "_xmpp-server."
# Where systems keep the authorities that they trust: Debian, Fedora, openSUSE, Alpine and BSD.
SYSTEM_AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
USES = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)
BROKEN_HASHES = ("md5", "sha1")
_PRESENTED = 10  # certificates that are looked at; a chain has three

# OpenSSL's codes of what can be said better.
_EXPIRED, _NOT_YET, _SELF_SIGNED, _SELF_SIGNED_ABOVE = 10, 9, 18, 19
_UNKNOWN_ISSUER = (2, 20, 21)
_DNS_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Names(NamedTuple):
    """The domains that a certificate names, by the kind of the name; without other people's."""

    dns: frozenset[str]
    services: frozenset[str]  # SRV-ID, without the service
    addresses: frozenset[str]  # XmppAddr
    ips: frozenset[str]

    def cover(self, domain: str) -> bool:
        """Whether one of them is the domain (RFC 6125 §6.4); a wildcard is the whole first label."""
        ascii_name = ascii_domain(domain)
        wild = "*." + ascii_name.partition(".")[2]
        return (
            ascii_name in self.dns
            or (wild in self.dns and not _is_ip(domain))
            or ascii_name in self.services
            or domain in self.addresses
            or domain.strip("[]") in self.ips
        )

    def __str__(self) -> str:
        found = sorted(self.dns | self.services | self.addresses | self.ips)
        shown = ", ".join(found[:5]) or "no domain at all"
        return f"{shown} and {len(found) - 5} more" if len(found) > 5 else shown


class Authorities:
    """Whom the operator trusts to vouch for servers."""

    def __init__(self, file: Path | None) -> None:
        """A file of certificates (PEM), or those of the operating system. Raises CertificateError."""
        self._path = authorities_file(file)
        self._content = b""
        self.reload()

    def reload(self) -> bool:
        """Trust those that the file has now; whether they are others. Raises CertificateError."""
        store = crypto.X509Store()
        try:
            store.load_locations(str(self._path))
            content = sha256(self._path.read_bytes()).digest()
        except (crypto.Error, OSError):
            raise CertificateError(
                f"{self._path}: there are no certificates of authorities in it (PEM); name another file in "
                "federation.authorities"
            ) from None
        before, self._content, self._store = self._content, content, store
        return content != before

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """This one alone, wherever it stands in a chain."""
        made = cls.__new__(cls)
        made._store = crypto.X509Store()
        made._store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        made._store.add_cert(crypto.X509.from_cryptography(certificate))
        return made

    def fault(self, chain: Sequence[x509.Certificate]) -> str | None:
        """Why nobody that is trusted vouches for the first of these; None if somebody does."""
        weak = next((fault for each in chain for fault in _weaknesses(each)), None)
        if weak is not None:
            return weak
        leaf, *others = (crypto.X509.from_cryptography(each) for each in chain)
        # No purpose: OpenSSL would want clientAuth of the side that connects. See `_is_for_tls`.
        context = crypto.X509StoreContext(self._store, leaf, others)
        try:
            context.verify_certificate()
        except crypto.X509StoreContextError as error:
            return _words(error, chain)
        return None if _is_for_tls(chain[0]) else "it was not issued for TLS (extendedKeyUsage)"


def authorities_file(file: Path | None) -> Path:
    """Where they are: in this file, or where the operating system keeps them."""
    return file or next((path for path in SYSTEM_AUTHORITIES if path.exists()), SYSTEM_AUTHORITIES[0])


class Presented:
    """What one peer presented. Who signed it is looked at once, and only if it is asked for."""

    __slots__ = ("_authorities", "_fault", "_is_checked", "_names", "chain")

    def __init__(self, authorities: Authorities, chain: Sequence[x509.Certificate]) -> None:
        """Its own certificate first; empty if it presented none."""
        self._authorities = authorities
        self.chain = tuple(chain[:_PRESENTED])
        self._is_checked = False
        self._fault: str | None = None
        self._names: Names | None = None

    def distrust(self, domain: str) -> str | None:
        """Why this does not prove that the peer is the domain (RFC 6120 §13.7.2.1); None if it does."""
        if not self.chain:
            return "it presented none"
        if not self._is_checked:
            self._is_checked = True
            self._fault = self._authorities.fault(self.chain)
        if self._names is None:
            self._names = names(self.chain[0])
        if self._fault is not None:
            return self._fault
        return None if self._names.cover(domain) else f"it is for {self._names}, not for {domain}"

    def __str__(self) -> str:
        return describe(self.chain[0]) if self.chain else "none"


def names(certificate: x509.Certificate) -> Names:
    """What stands in its subjectAltName (RFC 6120 §13.7.1.2.1, RFC 6125 §6.2.1)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return Names(frozenset(), frozenset(), frozenset(), frozenset())
    dns = {name.lower() for name in found.get_values_for_type(x509.DNSName)}
    others = found.get_values_for_type(x509.OtherName)
    services = (asn_1_string(each.value, IA5_STRING).lower() for each in others if each.type_id == SRV_NAME)
    addresses = (asn_1_string(each.value, UTF8_STRING) for each in others if each.type_id == XMPP_ADDRESS)
    return Names(
        frozenset(name for name in dns if _DNS_NAME.fullmatch(name)),
        frozenset(name.removeprefix(SERVICE) for name in services if name.startswith(SERVICE)),
        frozenset(domain for address in addresses if (domain := _domain(address)) is not None),
        frozenset(str(each) for each in found.get_values_for_type(x509.IPAddress)),
    )


def describe(certificate: x509.Certificate) -> str:
    """For people: for whom, by whom, until when."""
    end = certificate.not_valid_after_utc
    return f"for {names(certificate)}, by {_common_name(certificate.issuer)}, until {end:%Y-%m-%d %H:%M} UTC"


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Whole days until it expires."""
    return (certificate.not_valid_after_utc - now).days


def _domain(address: str) -> str | None:
    """The domain of an XmppAddr that is a server's, not a user's."""
    try:
        jid = JID.parse(address)
    except InvalidJID:
        return None
    return jid.domain if jid == jid.domain else None


def _is_ip(domain: str) -> bool:
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True


def asn_1_string(der: bytes, tag: int) -> str:
    """An ASN.1 string of this kind in its distinguished encoding; empty for all else."""
    if len(der) < 2 or der[0] != tag:
        return ""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    content = der[start:]
    try:
        text = content.decode("ascii" if tag == IA5_STRING else "utf-8")
    except UnicodeDecodeError:
        return ""
    return text if len(content) == length and "\0" not in text else ""


def _is_for_tls(certificate: x509.Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (x509.DuplicateExtension, ValueError):
        return False
    return any(use in USES for use in uses)


def _weaknesses(certificate: x509.Certificate) -> Iterator[str]:
    """What anybody could have forged, whoever vouches for it."""
    try:
        algorithm = certificate.signature_hash_algorithm
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        yield "its signature or key is of an unknown kind"
        return
    is_root = certificate.issuer == certificate.subject
    if algorithm is not None and algorithm.name in BROKEN_HASHES and not is_root:
        yield f"it is signed with {algorithm.name.upper()}, which can be forged"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA_KEY:
        yield f"its key has {key.key_size} bits, not {SMALLEST_RSA_KEY} or more"


def _words(error: crypto.X509StoreContextError, chain: Sequence[x509.Certificate]) -> str:
    code, depth, text = int(error.errors[0]), int(error.errors[1]), str(error.errors[2])
    culprit = error.certificate.to_cryptography()
    whose = "it" if depth == 0 else f"the certificate of {_common_name(culprit.subject)}, above it,"
    if code == _EXPIRED:
        return f"{whose} expired on {culprit.not_valid_after_utc:%Y-%m-%d}"
    if code == _NOT_YET:
        return f"{whose} is valid only from {culprit.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if code == _SELF_SIGNED:
        return "it is self-signed: nobody vouches for it"
    if code == _SELF_SIGNED_ABOVE:
        return f"it leads to {_common_name(culprit.subject)}, which is not among the trusted authorities"
    if code in _UNKNOWN_ISSUER:
        issuer = _common_name(culprit.issuer)
        hint = "" if len(chain) > 1 else "; perhaps the server does not send the certificates above its own"
        return f"{whose} was issued by {issuer}, which is not among the trusted authorities{hint}"
    return f"{whose} is refused: {text}"


def _common_name(name: x509.Name) -> str:
    """A name for people; nobody is recognised by it."""
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    text = str(found[0].value) if found else name.rfc4514_string()
    return "".join(char if char.isprintable() else "?" for char in text[:80]) or "nobody"
