"""DANE: certificates that a domain publishes in DNS, where DNSSEC vouches for that (RFC 6698, RFC 7671)."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonroom.federation.certificates import Authorities, Presented, names

_PKIX_TA, _PKIX_EE, _DANE_TA, _DANE_EE = range(4)  # certificate usage (RFC 7218)
_HASHES = {1: hashlib.sha256, 2: hashlib.sha512}  # matching type; 0 is the thing itself


class Tlsa(Protocol):
    """A TLSA record, as dnspython has it."""

    usage: int
    selector: int
    mtype: int
    cert: bytes


class Published(NamedTuple):
    """What DNS says of the server at `host`, and what counts beside it."""

    records: tuple[Tlsa, ...]
    host: str


class DaneIdentity:
    """What a peer presented, seen with what its domain publishes."""

    def __init__(self, presented: Presented, published: Published) -> None:
        self._presented = presented
        self._published = published

    def distrust(self, domain: str) -> str | None:
        """Why it does not prove to be the domain. Records that nobody could use count for nothing."""
        usable = [record for record in self._published.records if _is_usable(record)]
        if not usable:
            return self._presented.distrust(domain)
        if not self._presented.chain:
            return "it presented none"
        reasons = [self._by(record, domain) for record in usable]
        return None if None in reasons else next(reason for reason in reversed(reasons) if reason)

    def _by(self, record: Tlsa, domain: str) -> str | None:
        chain = self._presented.chain
        if record.usage in (_DANE_EE, _PKIX_EE):
            if not _matches(record, chain[0]):
                return "it is not the one that the domain publishes in DNS (TLSA)"
            return None if record.usage == _DANE_EE else self._presented.distrust(domain)
        anchors = [each for each in chain[1:] if _matches(record, each)]
        if not anchors:
            return "it does not come from the authority that the domain publishes in DNS (TLSA)"
        if record.usage == _PKIX_TA:
            return self._presented.distrust(domain)
        return self._from_anchor(anchors[0], domain)

    def _from_anchor(self, anchor: x509.Certificate, domain: str) -> str | None:
        fault = Authorities.of(anchor).fault(self._presented.chain)
        if fault is not None:
            return fault
        found = names(self._presented.chain[0])
        if found.cover(domain) or found.cover(self._published.host):  # RFC 7673
            return None
        return f"it is for {found}, not for {domain}"

    def __str__(self) -> str:
        return f"{self._presented} (the domain publishes in DNS which one it is: DANE)"


def published(records: Sequence[Tlsa], host: str) -> Published | None:
    """What counts of a server, if anything."""
    return Published(tuple(records), host) if records else None


def _is_usable(record: Tlsa) -> bool:
    return record.usage in range(4) and record.selector in (0, 1) and record.mtype in (0, 1, 2)


def _matches(record: Tlsa, certificate: x509.Certificate) -> bool:
    if record.selector == 0:
        data = certificate.public_bytes(Encoding.DER)
    else:
        key = certificate.public_key()
        data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if record.mtype in _HASHES:
        data = _HASHES[record.mtype](data).digest()
    return data == record.cert
