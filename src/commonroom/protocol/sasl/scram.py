"""RFC 5802, XEP-0474: SCRAM with SHA-1, SHA-256 (RFC 7677) and SHA-512, with and without channel binding."""

import re
from binascii import a2b_base64
from enum import Enum, auto
from hmac import compare_digest
from typing import NamedTuple

from commonroom.protocol.sasl.mechanism import (
    LONGEST_RESPONSE,
    Challenge,
    Exchange,
    Failure,
    Mechanism,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
    WantsKeys,
    is_own_address,
    own_address,
)
from commonroom.protocol.sasl.scram_keys import ScramKeys, fake_keys, is_proof, sign, to_base64

NONCE_BYTES = 18

# The grammar of RFC 5802 §7. An extension may not bear a name that the document defines: `m` is to fail
# wherever it is met (§5.1), and the others have their places.
_NONCE = r"[!-+\--~]+"
_EXTENSIONS = r"(?:,(?![acimnprsve])[A-Za-z]=[^,\0]+)*"
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?"
_SASLNAME = r"(?:[^,=\0]++|=2C|=3D)++"
_CLIENT_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=(?P<type>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,\0]+))?,)"
    rf"(?P<bare>n=(?P<username>{_SASLNAME}),r=(?P<nonce>{_NONCE}){_EXTENSIONS})"
)
_CLIENT_FINAL = re.compile(
    rf"(?P<without_proof>c=(?P<binding>{_BASE64}),r=(?P<nonce>{_NONCE}){_EXTENSIONS}),p=(?P<proof>{_BASE64})"
)
_NAME = re.compile(_SASLNAME)


class _Edge(Enum):
    START = auto()
    OVER = auto()


class _Asked(NamedTuple):
    """The client named its user: waiting for the keys."""

    username: str
    bare: str
    nonce: str
    binding: str


class _Challenged(NamedTuple):
    """The client has the server-first-message: waiting for the proof."""

    asked: _Asked
    server_first: str
    keys: ScramKeys
    is_known: bool


class Scram(Exchange):
    """A SCRAM exchange: two messages of the client, between them a look-up of keys (RFC 5802 §5).

    Failures are told by `<failure/>` alone (RFC 6120 §6.4.5): the server-final-message with an `e` attribute
    is optional (RFC 5802 §5.1), and would tell more than a stranger ought to know.
    """

    __slots__ = ("_context", "_hash_name", "_is_bound", "_server_nonce", "_state")

    def __init__(self, hash_name: str, context: SaslContext, server_nonce: str, *, bound: bool) -> None:
        self._hash_name = hash_name
        self._context = context
        self._server_nonce = server_nonce
        self._is_bound = bound
        self._state: _Edge | _Asked | _Challenged = _Edge.START

    def receive(self, data: bytes | None) -> Outcome:
        """Take the client's next message; ask for the first by an empty challenge (RFC 4422 §5)."""
        state = self._state
        if state is _Edge.START:
            return Challenge(b"") if data is None else self._client_first(_decode(data))
        self._state = _Edge.OVER
        if isinstance(state, _Challenged) and data is not None:
            return self._client_final(_decode(data), state)
        return Failure(SaslCondition.MALFORMED_REQUEST, state.username if isinstance(state, _Asked) else None)

    def _client_first(self, message: str) -> Outcome:
        self._state = _Edge.OVER
        match = _CLIENT_FIRST.fullmatch(message)
        if match is None:
            return Failure(SaslCondition.MALFORMED_REQUEST)
        username = _unescape(match["username"])
        refusal = self._binding_refusal(match["flag"], match["type"])
        if refusal is not None:
            return Failure(refusal, username, is_attempt=False)
        if not self._is_own(match["authzid"], username):
            return Failure(SaslCondition.INVALID_AUTHZID, username)
        binding = match["header"].encode() + self._binding_data(match["type"])
        self._state = _Asked(username, match["bare"], match["nonce"] + self._server_nonce, to_base64(binding))
        return WantsKeys(username, self._hash_name)

    def _binding_refusal(self, flag: str, binding_type: str | None) -> SaslCondition | None:
        """Whether the flag suits the mechanism, and shows no downgrade (RFC 5802 §6)."""
        if self._is_bound != (binding_type is not None):
            return SaslCondition.MALFORMED_REQUEST
        if flag == "y" and any(name.endswith("-PLUS") for name in self._context.offered):
            return SaslCondition.NOT_AUTHORIZED
        if binding_type is not None and binding_type not in self._context.channel_bindings:
            return SaslCondition.NOT_AUTHORIZED
        return None

    def _is_own(self, escaped: str | None, username: str) -> bool:
        if escaped is None:
            return True
        return bool(_NAME.fullmatch(escaped)) and is_own_address(_unescape(escaped), username, self._context)

    def _binding_data(self, binding_type: str | None) -> bytes:
        if binding_type is None:
            return b""
        data = self._context.channel_bindings[binding_type]()
        if not data:
            raise ValueError(f"no data for the channel binding {binding_type}: it would bind to nothing")
        return data

    def keys(self, found: ScramKeys | None) -> Outcome:
        """Send salt and iteration count; for an account without keys, invented ones (RFC 6120 §6.5.10)."""
        asked = self._state
        if not isinstance(asked, _Asked):
            return super().keys(found)
        keys = self._fake_keys(asked.username) if found is None else found
        if keys.hash_name != self._hash_name:
            raise ValueError(f"asked for {self._hash_name} keys, was handed {keys.hash_name} keys")
        server_first = f"r={asked.nonce},s={to_base64(keys.salt)},i={keys.iterations}"
        offered = self._context.protection.get(self._hash_name)
        if offered is not None:
            server_first += f",h={offered}"  # XEP-0474 §6.1
        self._state = _Challenged(asked, server_first, keys, found is not None)
        return Challenge(server_first.encode())

    def _fake_keys(self, username: str) -> ScramKeys:
        """Of the address, not of the name as typed: real salts do not change with the spelling either."""
        try:
            account = own_address(username, self._context)
        except ValueError:
            account = username
        return fake_keys(self._context.fake_secret, account, self._hash_name, self._context.iterations)

    def _client_final(self, message: str, state: _Challenged) -> Outcome:
        asked = state.asked
        match = _CLIENT_FINAL.fullmatch(message)
        if match is None:
            return Failure(SaslCondition.MALFORMED_REQUEST, asked.username)
        signed = f"{asked.bare},{state.server_first},{match['without_proof']}".encode()
        # All is computed before anything is decided, so that the time taken says nothing.
        is_genuine = (
            compare_digest(match["nonce"], asked.nonce)
            & compare_digest(match["binding"], asked.binding)
            & is_proof(state.keys, signed, a2b_base64(match["proof"]))
        )
        if not (is_genuine and state.is_known):
            return Failure(SaslCondition.NOT_AUTHORIZED, asked.username)
        return Success(asked.username, b"v=" + to_base64(sign(state.keys, signed)).encode())


def _decode(data: bytes) -> str:
    """The message as text; what is too long or not UTF-8 becomes one that no grammar accepts."""
    if len(data) > LONGEST_RESPONSE:
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _unescape(saslname: str) -> str:
    """Undo `=2C` and `=3D`, in this order: `=3D2C` is the name `=2C` (RFC 5802 §5.1)."""
    return saslname.replace("=2C", ",").replace("=3D", "=") if "=" in saslname else saslname


def _mechanism(hash_name: str, *, bound: bool) -> Mechanism:
    def begin(context: SaslContext) -> Exchange:
        return Scram(hash_name, context, to_base64(context.random(NONCE_BYTES)), bound=bound)

    return Mechanism(f"SCRAM-{hash_name}{'-PLUS' if bound else ''}", begin, needs_channel_binding=bound)


SCRAM = tuple(
    _mechanism(name, bound=bound) for bound in (True, False) for name in ("SHA-512", "SHA-256", "SHA-1")
)
"""Strongest first; a bound variant before any that is not (RFC 6120 §13.9.4)."""
