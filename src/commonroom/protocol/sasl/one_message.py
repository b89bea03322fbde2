"""RFC 4422 §5: what the mechanisms have in common whose client says all in one message."""

from enum import Enum, auto

from commonroom.protocol.sasl.mechanism import (
    LONGEST_RESPONSE,
    Challenge,
    Exchange,
    Failure,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
)


class _Stage(Enum):
    MESSAGE = auto()
    ASKED = auto()
    OVER = auto()


class OneMessage(Exchange):
    """`_read` reads the message, and asks somebody whether it is right; `_conclude` hears the answer."""

    __slots__ = ("_context", "_stage", "_username")

    def __init__(self, context: SaslContext) -> None:
        self._context = context
        self._stage = _Stage.MESSAGE
        self._username: str | None = None

    def _read(self, message: str) -> Outcome:
        """Set `_username`, and ask; or a Failure."""
        raise NotImplementedError

    def receive(self, data: bytes | None) -> Outcome:
        """Take the message; without an initial response, ask for it by an empty challenge (RFC 4422 §5)."""
        if data is None and self._stage is _Stage.MESSAGE:
            return Challenge(b"")
        is_first, self._stage = self._stage is _Stage.MESSAGE, _Stage.OVER
        if not is_first or data is None or len(data) > LONGEST_RESPONSE:
            return self._failure(SaslCondition.MALFORMED_REQUEST)
        try:
            outcome = self._read(data.decode())
        except UnicodeDecodeError:
            return self._failure(SaslCondition.MALFORMED_REQUEST)
        if not isinstance(outcome, Failure):
            self._stage = _Stage.ASKED
        return outcome

    @property
    def _has_asked(self) -> bool:
        return self._stage is _Stage.ASKED

    def _conclude(self, is_right: bool) -> Outcome:
        """Whatever is wrong looks the same (RFC 6120 §6.5.10)."""
        self._stage = _Stage.OVER
        if not is_right or self._username is None:
            return self._failure(SaslCondition.NOT_AUTHORIZED)
        return Success(self._username, None)

    def _failure(self, condition: SaslCondition) -> Failure:
        return Failure(condition, self._username)
