"""Lists of certificates that their authorities have revoked (RFC 5280)."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from commonroom.net.certificates import CertificateError

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)

# A list in parts has one of each: whose it is, and which part.
Part = tuple[bytes, bytes]


class Revocations:
    """What the lists say: looked up in microseconds. `stale` tells of lists whose successors are due.

    Such a list counts all the same: what it revokes stays revoked.
    """

    def __init__(self, lists: Iterable[x509.CertificateRevocationList] = ()) -> None:
        newest: dict[Part, x509.CertificateRevocationList] = {}
        for each in lists:
            part = _part(each)
            known = newest.get(part)
            if known is None or known.last_update_utc < each.last_update_utc:
                newest[part] = each
        self._serials: dict[bytes, set[int]] = {}
        for (issuer, _), each in newest.items():
            self._serials.setdefault(issuer, set()).update(revoked.serial_number for revoked in each)
        self._due = [each.next_update_utc for each in newest.values() if each.next_update_utc is not None]

    @property
    def count(self) -> int:
        """How many certificates are revoked."""
        return sum(map(len, self._serials.values()))

    def is_revoked(self, chain: Iterable[x509.Certificate]) -> bool:
        """Whether any of these is."""
        return any(each.serial_number in self._serials.get(each.issuer.public_bytes(), ()) for each in chain)

    def stale(self, now: datetime | None = None) -> bool:
        """Whether a list should have been replaced by now."""
        return any(due < (now or datetime.now(UTC)) for due in self._due)


NOTHING_REVOKED = Revocations()


def read_revocations(
    paths: Sequence[Path],
    authorities: Sequence[x509.Certificate],
    told: Callable[[str], None] = lambda _: None,
) -> Revocations:
    """What these files say, PEM or DER; raises CertificateError. `told` hears of lists that are left out.

    Only what the authorities themselves have signed counts.
    """
    found = []
    for path in paths:
        lists = _load(path)
        if not lists:
            raise CertificateError(f"{path}: there is no revocation list in it")
        for each in lists:
            issuers = [one for one in authorities if one.subject == each.issuer]
            if not issuers:
                told(f"{path}: no authority in accounts.authorities has the name {_name(each)}")
            elif not any(_has_signed(one, each) for one in issuers):
                raise CertificateError(f"{path}: the list of {_name(each)} is not signed by that authority")
            else:
                found.append(each)
    try:
        return Revocations(found)
    except ValueError as error:
        raise CertificateError(
            f"a revocation list has something in it that is no extension: {error}"
        ) from None


def _load(path: Path) -> list[x509.CertificateRevocationList]:
    try:
        data = path.read_bytes()
        if b"-----BEGIN" not in data:
            return [x509.load_der_x509_crl(data)] if data else []
        if data.count(b"-----BEGIN") != len(_PEM.findall(data)):
            raise ValueError("it ends early, or has something else in it")
        return [x509.load_pem_x509_crl(text) for text in _PEM.findall(data)]
    except OSError as error:
        reason = f"it cannot be read ({error.strerror}); let the server's account read it"
    except ValueError as error:
        reason = f"this is not a revocation list ({error})"
    raise CertificateError(f"{path}: {reason}")


def _has_signed(authority: x509.Certificate, each: x509.CertificateRevocationList) -> bool:
    try:
        return each.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except TypeError:  # a key of a kind that signs no certificates
        return False


def _part(each: x509.CertificateRevocationList) -> Part:
    """Raises CertificateError for what is only the difference from another list."""
    try:
        each.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    except x509.ExtensionNotFound:
        pass
    else:
        raise CertificateError(f"the list of {_name(each)} is a delta; give the whole list")
    try:
        found = each.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return each.issuer.public_bytes(), b""
    return each.issuer.public_bytes(), found.public_bytes()


def _name(each: x509.CertificateRevocationList) -> str:
    return each.issuer.rfc4514_string()
