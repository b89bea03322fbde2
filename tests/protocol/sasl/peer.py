"""A server's surroundings, and a SCRAM client made by hand that can send what no library would."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import Challenge, Exchange, Outcome, SaslContext, WantsKeys
from commonroom.protocol.sasl.scram_keys import DIGESTS, ScramKeys, derive_keys

SCRAM_MECHANISMS = (
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
)
UNBOUND_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")
BINDINGS: Mapping[str, Callable[[], bytes]] = {
    "tls-exporter": lambda: b"\x01exported keying material, 32 oct",
    "tls-server-end-point": lambda: b"\x02hash of a certificate",
}
SALT = bytes(range(16))
ITERATIONS = 2


def make_context(
    *,
    encrypted: bool = True,
    offered: tuple[str, ...] = (*SCRAM_MECHANISMS, "PLAIN"),
    channel_bindings: Mapping[str, Callable[[], bytes]] = BINDINGS,
    iterations: int = ITERATIONS,
) -> SaslContext:
    return SaslContext(
        domain="example.com",
        encrypted=encrypted,
        offered=offered,
        channel_bindings=channel_bindings,
        normalise=JID.parse,
        random=lambda size: bytes(range(size)),
        fake_secret=b"a secret of the server",
        iterations=iterations,
    )


def keys_of(password: str = "pencil", hash_name: str = "SHA-256") -> ScramKeys:
    return derive_keys(password, hash_name, SALT, ITERATIONS)


def challenged(exchange: Exchange, client_first: bytes, keys: ScramKeys | None) -> str:
    """Bring an exchange to the server-first-message, and return that."""
    assert isinstance(exchange.receive(client_first), WantsKeys)
    challenge = exchange.keys(keys)
    assert isinstance(challenge, Challenge)
    return challenge.data.decode()


def attributes(message: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in message.split(","))


def client_final(
    client_first: bytes,
    server_first: str,
    *,
    password: str = "pencil",
    hash_name: str = "SHA-256",
    binding: bytes = b"n,,",
    nonce: str | None = None,
    extensions: str = "",
) -> bytes:
    """Answer a server-first-message; the proof fits whatever is sent, so that nothing else is wrong."""
    asked = attributes(server_first)
    bare = client_first.split(b",", 2)[2].decode()
    without_proof = f"c={b64encode(binding).decode()},r={nonce or asked['r']}{extensions}"
    message = f"{bare},{server_first},{without_proof}".encode()
    proof = make_proof(message, password, hash_name, int(asked["i"]))
    return f"{without_proof},p={b64encode(proof).decode()}".encode()


def make_proof(message: bytes, password: str, hash_name: str, iterations: int) -> bytes:
    """The client's half of the algorithm (RFC 5802 §3), written as the document has it."""
    digest = DIGESTS[hash_name]
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), SALT, iterations)
    client_key = hmac.new(salted, b"Client Key", digest).digest()
    stored_key = hashlib.new(digest, client_key).digest()
    signature = hmac.new(stored_key, message, digest).digest()
    return bytes(key ^ mask for key, mask in zip(client_key, signature, strict=True))


def logged_in(
    exchange: Exchange, client_first: bytes, keys: ScramKeys | None, **final: str | bytes
) -> Outcome:
    """Run a whole exchange, with the named parts of the client-final-message altered."""
    server_first = challenged(exchange, client_first, keys)
    return exchange.receive(client_final(client_first, server_first, **final))  # type: ignore[arg-type]
