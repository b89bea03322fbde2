"""XEP-0484: the SASL mechanisms HT-SHA-256-*, which prove in one message that the client has a token."""

import hmac
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from commonroom.protocol.sasl.mechanism import (
    LONGEST_RESPONSE,
    Candidate,
    Exchange,
    Failure,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
    Token,
    WantsTokens,
)

# The end of each mechanism's name, and the channel binding that it stands for.
BINDINGS: Mapping[str, str] = {
    "HT-SHA-256-EXPR": "tls-exporter",
    "HT-SHA-256-UNIQ": "tls-unique",
    "HT-SHA-256-ENDP": "tls-server-end-point",
}
UNBOUND = "HT-SHA-256-NONE"

_INITIATOR = b"Initiator"
_RESPONDER = b"Responder"
_HASH = "sha256"


class _Stage(Enum):
    MESSAGE = auto()
    TOKENS = auto()
    OVER = auto()


class HashedToken(Exchange):
    """Who has the token can sign the channel with it; so can we, and so the client knows who we are."""

    __slots__ = ("_bound_to", "_digest", "_mechanism", "_stage", "_username")

    def __init__(self, mechanism: str, context: SaslContext) -> None:
        self._mechanism = mechanism
        binding = BINDINGS.get(mechanism)
        self._bound_to = b"" if binding is None else context.channel_bindings[binding]()
        if binding is not None and not self._bound_to:
            raise ValueError(f"no data for the channel binding {binding}: it would bind to nothing")
        self._stage = _Stage.MESSAGE
        self._username = ""
        self._digest = b""

    def receive(self, data: bytes | None) -> Outcome:
        """Take the only message: a user name, a zero octet, and the token's signature."""
        username, zero, digest = (data or b"").partition(b"\0")
        is_first, self._stage = self._stage is _Stage.MESSAGE, _Stage.OVER
        if not (is_first and username and zero and digest) or len(data or b"") > LONGEST_RESPONSE:
            return Failure(SaslCondition.MALFORMED_REQUEST)
        try:
            self._username = username.decode()
        except UnicodeDecodeError:
            return Failure(SaslCondition.MALFORMED_REQUEST)
        self._digest = digest
        self._stage = _Stage.TOKENS
        return WantsTokens(self._username)

    def tokens(self, found: Sequence[Candidate]) -> Outcome:
        """Compare in constant time (XEP-0484 §6); a token is good for its mechanism only (§3.4)."""
        if self._stage is not _Stage.TOKENS:
            return super().tokens(found)
        self._stage = _Stage.OVER
        matching = [candidate for candidate in found if self._signs(candidate.token)]
        if not matching:
            return Failure(SaslCondition.NOT_AUTHORIZED, self._username)
        token, is_expired = matching[0]
        if is_expired:
            return Failure(SaslCondition.CREDENTIALS_EXPIRED, self._username)  # XEP-0484 §4.2
        return Success(self._username, hmac.digest(token.key, _RESPONDER + self._bound_to, _HASH), token)

    def _signs(self, token: Token) -> bool:
        digest = hmac.digest(token.key, _INITIATOR + self._bound_to, _HASH)
        return hmac.compare_digest(digest, self._digest) and token.mechanism == self._mechanism


def mechanisms(channel_bindings: Mapping[str, object] | Sequence[str]) -> tuple[str, ...]:
    """Those that a connection with these channel bindings can have, strongest first."""
    return (*(name for name, binding in BINDINGS.items() if binding in channel_bindings), UNBOUND)
