"""What all servers of a run serve: the same domain, certificate, accounts, rosters."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOMAIN = "bench.example"
FAR_DOMAIN = "far.example"  # of the other one, where a scenario is about two servers
ROOMS = f"group.{DOMAIN}"
PASSWORD = "secret"
# Text, because Prosody's salts are; one for all, so that the generator hashes the password once.
SALT = b"5a0be5d8-8c28-4a3e"
ITERATIONS = 4096


class Keys(NamedTuple):
    """What a server keeps of a password (RFC 5802 §3)."""

    stored: bytes
    server: bytes

    @property
    def stored_base64(self) -> str:
        return b64encode(self.stored).decode()

    @property
    def server_base64(self) -> str:
        return b64encode(self.server).decode()


def keys(hash_name: str = "sha1") -> Keys:
    """The keys of everybody's password."""
    salted = hashlib.pbkdf2_hmac(hash_name, PASSWORD.encode(), SALT, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", hash_name)
    return Keys(hashlib.new(hash_name, client).digest(), hmac.digest(salted, b"Server Key", hash_name))


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts u0, u1 and so on; `friends` lists the contacts of some, subscribed both ways on both sides.

    A contact may have a number beyond the accounts: somebody who is never online.
    """

    accounts: int
    friends: dict[int, tuple[int, ...]] = field(default_factory=dict)
    domain: str = DOMAIN

    @staticmethod
    def around(center: int, others: int) -> "Population":
        """One with so many contacts, each of whom has only that one."""
        contacts = tuple(range(center + 1, center + 1 + others))
        return Population(center + 1 + others, {center: contacts, **dict.fromkeys(contacts, (center,))})

    def address(self, number: int) -> str:
        """The bare address."""
        return f"u{number}@{self.domain}"


class Extras(NamedTuple):
    """What is off unless a scenario is about it."""

    managed: bool = False  # clients may turn on stream management (XEP-0198)
    archived: bool = False  # every message is archived for both sides (XEP-0313)
    hash: str = ""  # everybody's, in a password file; and what is made of passwords
    keys: str = "kept"
    rooms: bool = False  # there is a room service (XEP-0045), at ROOMS


NO_EXTRAS = Extras()


class Federation(NamedTuple):
    """How a server finds others, and whose word on who they are it takes; of ours also how long a connection
    may carry nothing."""

    nameserver: tuple[str, int]
    authorities: Path
    idle_timeout: str = "10m"


@dataclass(frozen=True, slots=True)
class Site:
    """The files and people of a run."""

    certificate: Path
    key: Path
    population: Population
    extras: Extras = NO_EXTRAS
    federation: Federation | None = None

    @property
    def domain(self) -> str:
        """The one that is served."""
        return self.population.domain


def make_site(folder: Path, population: Population, extras: Extras = NO_EXTRAS) -> Site:
    """With a self-signed certificate (ECDSA P-256) for the domain."""
    site = Site(folder / "certificate.pem", folder / "key.pem", population, extras)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    site.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    site.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return site
