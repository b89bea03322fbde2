"""RFC 4616: PLAIN, the password itself, under encryption only."""

from enum import Enum, auto

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
    WantsPasswordCheck,
    is_own_address,
)


class _Stage(Enum):
    MESSAGE = auto()
    CHECK = auto()
    OVER = auto()


class Plain(Exchange):
    """A PLAIN exchange: one message, checked by whoever keeps the passwords (RFC 4616 §2)."""

    __slots__ = ("_context", "_stage", "_username")

    def __init__(self, context: SaslContext) -> None:
        self._context = context
        self._stage = _Stage.MESSAGE
        self._username: str | None = None

    def receive(self, data: bytes | None) -> Outcome:
        """Take the message; without an initial response, ask for it by an empty challenge (RFC 4422 §5)."""
        if data is None and self._stage is _Stage.MESSAGE:
            return Challenge(b"")
        credentials = _parse(data) if data is not None and self._stage is _Stage.MESSAGE else None
        self._stage = _Stage.OVER
        if credentials is None:
            return Failure(SaslCondition.MALFORMED_REQUEST, self._username)
        authzid, self._username, password = credentials
        if not is_own_address(authzid, self._username, self._context):
            return Failure(SaslCondition.INVALID_AUTHZID, self._username)
        self._stage = _Stage.CHECK
        return WantsPasswordCheck(self._username, password)

    def checked(self, ok: bool) -> Outcome:
        """Conclude: a wrong password and an unknown account look the same (RFC 6120 §6.5.10)."""
        if self._stage is not _Stage.CHECK or self._username is None:
            return super().checked(ok)
        self._stage = _Stage.OVER
        if not ok:
            return Failure(SaslCondition.NOT_AUTHORIZED, self._username)
        return Success(self._username, None)


def _parse(data: bytes) -> tuple[str, str, str] | None:
    """Split into authzid, authcid and password; None for what the grammar of RFC 4616 §2 forbids."""
    if len(data) > LONGEST_RESPONSE:
        return None
    try:
        parts = data.decode().split("\0")
    except UnicodeDecodeError:
        return None
    if len(parts) != 3 or not parts[1] or not parts[2]:
        return None
    return parts[0], parts[1], parts[2]


PLAIN = Mechanism("PLAIN", Plain, needs_encryption=True)
