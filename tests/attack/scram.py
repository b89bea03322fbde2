"""RFC 5802: a SCRAM client that can be told to do each step wrongly."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass, field

from tests.attack.client import SASL, Client, auth, condition, sasl
from tests.attack.server import PASSWORD

SUCCESS = "success"


def to_base64(data: bytes) -> str:
    """As SCRAM writes bytes."""
    return base64.b64encode(data).decode()


def text_of(client: Client) -> str:
    """The server's next challenge, decoded; or the condition of its failure, or `success`."""
    element = client.next()
    if element.tag == SASL + "challenge":
        return base64.b64decode(element.text or "").decode()
    return condition(element) or SUCCESS


@dataclass
class Scram:
    """One login. `header` is the gs2-header, `binding` what `c=` carries behind it."""

    username: str
    password: str = PASSWORD
    hash_name: str = "sha1"
    mechanism: str = "SCRAM-SHA-1"
    header: str = "n,,"
    binding: bytes = b""
    nonce: str = field(default_factory=lambda: to_base64(os.urandom(12)))

    @property
    def bare(self) -> str:
        """The client-first-message without its header."""
        return f"n={self.username},r={self.nonce}"

    def first(self, client: Client) -> str:
        """Begin; gives the server-first-message, or the condition of the failure."""
        client.send(auth(self.mechanism, self.header + self.bare))
        return text_of(client)

    def final(self, server_first: str, c: str | None = None, r: str | None = None, more: str = "") -> str:
        """The client-final-message; `c` and `r` replace what is right, `more` stands before the proof."""
        given = dict(part.split("=", 1) for part in server_first.split(","))
        right = to_base64(self.header.encode() + self.binding)
        without_proof = f"c={right if c is None else c},r={given['r'] if r is None else r}{more}"
        salted = hashlib.pbkdf2_hmac(
            self.hash_name, self.password.encode(), base64.b64decode(given["s"]), int(given["i"])
        )
        client_key = hmac.digest(salted, b"Client Key", self.hash_name)
        stored_key = hashlib.new(self.hash_name, client_key).digest()
        signed = f"{self.bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(stored_key, signed, self.hash_name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without_proof},p={to_base64(proof)}"

    def log_in(self, client: Client) -> str:
        """All of it; gives `success` or the condition of the failure."""
        server_first = self.first(client)
        if not server_first.startswith("r="):
            return server_first
        return answer(client, self.final(server_first))


def answer(client: Client, message: str) -> str:
    """Send a response; gives what the server says to it."""
    client.send(sasl("response", message))
    return text_of(client)
