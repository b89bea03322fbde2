"""RFC 5802 §3: the keys a server keeps instead of a password, and what is computed from them."""

import hashlib
import hmac
import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from precis_i18n import get_profile

DIGESTS = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
"""Hash names as mechanism names spell them (RFC 5802 §4), and as hashlib does."""

DEFAULT_ITERATIONS = 4096
"""The least (RFC 5802 §5.1, RFC 7677 §3). The client pays at each login; the server for PLAIN only."""

LARGEST_ITERATIONS = 2_000_000
"""Stored text that asks for more is refused: each check would cost seconds (RFC 5803 §3)."""

SALT_BYTES = 16
"""The length of every salt we make, invented ones included: a different length would give those away."""

# The iteration count has at most nine digits, so that no huge number is ever converted.
_STORED = re.compile(
    rf"SCRAM-(?P<hash>{'|'.join(DIGESTS)})\$(?P<iterations>[1-9][0-9]{{0,8}}):(?P<salt>[A-Za-z0-9+/=]+)"
    r"\$(?P<stored>[A-Za-z0-9+/=]+):(?P<server>[A-Za-z0-9+/=]+)"
)
_ALGORITHMS = {"SHA-1": hashes.SHA1(), "SHA-256": hashes.SHA256(), "SHA-512": hashes.SHA512()}
_OPAQUE_STRING = get_profile("OpaqueString")


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What is kept of a password for one hash; `hash_name` is one of `DIGESTS`."""

    hash_name: str
    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


def derive_keys(password: str, hash_name: str, salt: bytes, iterations: int) -> ScramKeys:
    """Make the keys of a password; milliseconds of CPU (RFC 5802 §3).

    Raises ValueError for a password that RFC 8265 §4.2 forbids.
    """
    algorithm = _ALGORITHMS[hash_name]
    # hashlib's takes 1.5 times as long for the three hashes of an account: its OpenSSL is the system's.
    kdf = PBKDF2HMAC(algorithm, algorithm.digest_size, salt, iterations)
    return keys_of_salted(kdf.derive(prepare_password(password).encode()), hash_name, salt, iterations)


def keys_of_salted(salted: bytes, hash_name: str, salt: bytes, iterations: int) -> ScramKeys:
    """Make the keys of a SaltedPassword (RFC 5802 §3); raises ValueError for one that has not its length."""
    if len(salted) != _ALGORITHMS[hash_name].digest_size:
        raise ValueError(f"a password that was salted with {hash_name} has another length")
    digest = DIGESTS[hash_name]
    stored_key = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
    server_key = hmac.digest(salted, b"Server Key", digest)
    return ScramKeys(hash_name, salt, iterations, stored_key, server_key)


def check_password(keys: ScramKeys, password: str) -> bool:
    """Whether these are the keys of this password; costs as much as `derive_keys`.

    A password that cannot be prepared fails, whatever is stored (RFC 4616 §2).
    """
    try:
        derived = derive_keys(password, keys.hash_name, keys.salt, keys.iterations)
    except ValueError:
        return False
    return hmac.compare_digest(derived.stored_key, keys.stored_key)


def prepare_password(password: str) -> str:
    """Enforce the OpaqueString profile (RFC 8265 §4.2.2), or raise ValueError."""
    # Deviation: RFC 5802 §2.2 names SASLprep here, because it is older than the profile that replaces it.
    try:
        return _OPAQUE_STRING.enforce(password)
    except UnicodeEncodeError as error:
        reason = error.reason
    # Raised here and not above: the library's error carries the password, and would be chained to ours.
    raise ValueError(f"not a password (RFC 8265 §4.2): {reason}")


def fake_keys(secret: bytes, username: str, hash_name: str, iterations: int) -> ScramKeys:
    """Invent keys for an account that does not exist: always the same, and nobody's (RFC 6120 §6.5.10).

    They pass for real ones as long as those have a salt of `SALT_BYTES` of their own for each hash, and
    the same iteration count. Only the salt is ever shown; a key of zeros is one that no password has.
    """
    salt = hmac.digest(secret, f"{hash_name}\0{username}".encode(), "sha256")[:SALT_BYTES]
    nobodys = bytes(hashlib.new(DIGESTS[hash_name]).digest_size)
    return ScramKeys(hash_name, salt, iterations, nobodys, nobodys)


def is_proof(keys: ScramKeys, message: bytes, proof: bytes) -> bool:
    """Whether a ClientProof over an AuthMessage shows that its sender has the password (RFC 5802 §3)."""
    digest = DIGESTS[keys.hash_name]
    signature = hmac.digest(keys.stored_key, message, digest)
    if len(proof) != len(signature):
        return False
    client_key = int.from_bytes(proof, "big") ^ int.from_bytes(signature, "big")
    recovered = hashlib.new(digest, client_key.to_bytes(len(proof), "big")).digest()
    return hmac.compare_digest(recovered, keys.stored_key)


def sign(keys: ScramKeys, message: bytes) -> bytes:
    """Make the ServerSignature over an AuthMessage (RFC 5802 §3)."""
    return hmac.digest(keys.server_key, message, DIGESTS[keys.hash_name])


def format_keys(keys: ScramKeys) -> str:
    """Write keys as one line of text: scheme, authInfo and authValue of RFC 5803 §1 with `$` between them."""
    return (
        f"SCRAM-{keys.hash_name}${keys.iterations}:{to_base64(keys.salt)}"
        f"${to_base64(keys.stored_key)}:{to_base64(keys.server_key)}"
    )


def parse_keys(text: str) -> ScramKeys:
    """Read what `format_keys` wrote; raises ValueError for anything else, without repeating it.

    Stored text is checked before it is used (RFC 5803 §3).
    """
    match = _STORED.fullmatch(text)
    if match is None:
        raise ValueError("not SCRAM keys as RFC 5803 §1 writes them")
    iterations = int(match["iterations"])
    if iterations > LARGEST_ITERATIONS:
        raise ValueError(f"SCRAM keys with {iterations} iterations, more than {LARGEST_ITERATIONS}")
    salt, stored, server = (_from_base64(match[name]) for name in ("salt", "stored", "server"))
    size = hashlib.new(DIGESTS[match["hash"]]).digest_size
    if len(stored) != size or len(server) != size:
        raise ValueError(f"SCRAM-{match['hash']} keys are {size} octets long")
    return ScramKeys(match["hash"], salt, iterations, stored, server)


def to_base64(data: bytes) -> str:
    """Encode in the canonical form, which is the only one in SCRAM (RFC 5802 §2.1)."""
    return b2a_base64(data, newline=False).decode()


def _from_base64(text: str) -> bytes:
    """Decode the canonical form, or raise ValueError."""
    data = a2b_base64(text, strict_mode=True)
    if to_base64(data) != text:
        raise ValueError("not canonical base 64")
    return data
