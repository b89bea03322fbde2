"""RFC 4616: PLAIN, the password itself, under encryption only."""

from commonroom.protocol.sasl.mechanism import (
    Mechanism,
    Outcome,
    SaslCondition,
    WantsPasswordCheck,
    is_own_address,
)
from commonroom.protocol.sasl.one_message import OneMessage


class Plain(OneMessage):
    """The message has the password, which is checked by whoever keeps it (RFC 4616 §2)."""

    __slots__ = ()

    def _read(self, message: str) -> Outcome:
        """Authzid, authcid and password, none of the last two empty (RFC 4616 §2)."""
        parts = message.split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return self._failure(SaslCondition.MALFORMED_REQUEST)
        authzid, self._username, password = parts
        if not is_own_address(authzid, self._username, self._context):
            return self._failure(SaslCondition.INVALID_AUTHZID)
        return WantsPasswordCheck(self._username, password)

    def checked(self, ok: bool) -> Outcome:
        """Conclude: a wrong password and an unknown account look the same (RFC 6120 §6.5.10)."""
        return self._conclude(ok) if self._has_asked else super().checked(ok)


PLAIN = Mechanism("PLAIN", Plain, needs_encryption=True)
