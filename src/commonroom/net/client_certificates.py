"""RFC 6120 §13.7.2, XEP-0178: certificates with which clients say who they are."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from commonroom.net.certificates import UTF8_STRING, XMPP_ADDRESS, CertificateError
from commonroom.net.revocations import NOTHING_REVOKED
from commonroom.net.tls import TlsEngine
from commonroom.protocol.jid import JID, InvalidJID

# More is no certificate of a person, and each costs a look-up.
MOST_ADDRESSES = 20


class Authorities:
    """Those whose signature counts: each certificate of a PEM file, whether or not it signed itself.

    `own_account` gives the account that an address in a certificate stands for, if any.
    """

    def __init__(self, path: Path, own_account: Callable[[JID], JID | None]) -> None:
        """Raises CertificateError."""
        self._own_account = own_account
        self.revocations = NOTHING_REVOKED
        self.certificates = load_authorities(path)
        self._store = crypto.X509Store()
        self._store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for certificate in self.certificates:
            self._store.add_cert(crypto.X509.from_cryptography(certificate))

    def certified(self, tls: TlsEngine | None, domain: str) -> tuple[JID, ...]:
        """The accounts of a domain that the peer's certificate names, if it can be trusted now.

        A resumed TLS session has the certificate that it began with; it is checked again each time.
        """
        certificate = None if tls is None else tls.peer_certificate
        if tls is None or certificate is None or not self._is_trusted(certificate, tls.peer_chain):
            return ()
        found: dict[JID, None] = {}
        for address in addresses(certificate):
            account = self._own_account(address)
            if account is not None and account.domain == domain:
                found[account] = None
        return tuple(found)

    def _is_trusted(self, certificate: x509.Certificate, chain: list[x509.Certificate]) -> bool:
        if not _is_for_clients(certificate):
            return False
        leaf = crypto.X509.from_cryptography(certificate)
        between = [crypto.X509.from_cryptography(each) for each in chain]
        try:
            verified = crypto.X509StoreContext(self._store, leaf, between).get_verified_chain()
        except crypto.X509StoreContextError:
            return False
        return not self.revocations.is_revoked(each.to_cryptography() for each in verified)

    def is_revoked(self, tls: TlsEngine) -> bool:
        """Whether the peer presented a certificate that would count, were it not revoked."""
        return self.revocations.is_revoked(tls.peer_chain)


def addresses(certificate: x509.Certificate) -> Iterator[JID]:
    """Each XmppAddr that is a bare address (RFC 6120 §13.7.1.4); what is none says nothing."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for name in names.get_values_for_type(x509.OtherName)[:MOST_ADDRESSES]:
        address = _address(name.value) if name.type_id == XMPP_ADDRESS else None
        if address is not None:
            yield address


def _address(der: bytes) -> JID | None:
    """A UTF8String of ASN.1, to the letter: its length is in one octet, or behind 0x81 or 0x82."""
    if len(der) < 2 or der[0] != UTF8_STRING:
        return None
    skipped = {0x81: 3, 0x82: 4}.get(der[1], 2)
    length = int.from_bytes(der[2:skipped], "big") if skipped > 2 else der[1]
    if len(der) != skipped + length:
        return None
    try:
        jid = JID.parse(der[skipped:].decode())
    except (UnicodeDecodeError, InvalidJID):
        return None
    return jid if jid.is_bare and jid.local is not None else None


def _is_for_clients(certificate: x509.Certificate) -> bool:
    """What says what it is for must say this; an authority is nobody (RFC 5280)."""
    try:
        extensions = certificate.extensions
        usage = _found(extensions, x509.ExtendedKeyUsage)
        constraints = _found(extensions, x509.BasicConstraints)
    except ValueError:
        return False
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        return False
    return not isinstance(usage, x509.ExtendedKeyUsage) or ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _found(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    return next((each.value for each in extensions if isinstance(each.value, kind)), None)


def load_authorities(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file; raises CertificateError."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        reason = f"it cannot be read ({error.strerror}); let the server's account read it"
    except ValueError as error:
        reason = f"these are not certificates in PEM form ({error})"
    raise CertificateError(f"{path}: {reason}")
