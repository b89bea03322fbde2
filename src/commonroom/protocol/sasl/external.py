"""RFC 4422 Appendix A, XEP-0178: EXTERNAL, by the certificate that the client presented for TLS."""

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
    WantsAccount,
    account_of,
)


class _Stage(Enum):
    MESSAGE = auto()
    ACCOUNT = auto()
    OVER = auto()


class External(Exchange):
    """One message: which of the certificate's addresses it is to be, or nothing if it has only one."""

    __slots__ = ("_context", "_stage", "_username")

    def __init__(self, context: SaslContext) -> None:
        self._context = context
        self._stage = _Stage.MESSAGE
        self._username = ""

    def receive(self, data: bytes | None) -> Outcome:
        """Take the message; without an initial response, ask for it by an empty challenge (RFC 4422 §5)."""
        if data is None and self._stage is _Stage.MESSAGE:
            return Challenge(b"")
        is_first, self._stage = self._stage is _Stage.MESSAGE, _Stage.OVER
        if not is_first or data is None or len(data) > LONGEST_RESPONSE:
            return Failure(SaslCondition.MALFORMED_REQUEST)
        try:
            wanted = data.decode()
        except UnicodeDecodeError:
            return Failure(SaslCondition.MALFORMED_REQUEST)
        account = self._chosen(wanted)
        if account is None:
            return Failure(SaslCondition.INVALID_AUTHZID)
        self._username = account.partition("@")[0]
        self._stage = _Stage.ACCOUNT
        return WantsAccount(self._username)

    def _chosen(self, wanted: str) -> str | None:
        """One of those in the certificate, and no other one (XEP-0178 §2)."""
        certified = self._context.certified
        if not wanted:
            return certified[0] if len(certified) == 1 else None
        try:
            address = account_of(wanted, self._context)
        except ValueError:
            return None
        return address if address in certified else None

    def found(self, exists: bool) -> Outcome:
        """Conclude: the account is there, and may log in, or not."""
        if self._stage is not _Stage.ACCOUNT:
            return super().found(exists)
        self._stage = _Stage.OVER
        if not exists:
            return Failure(SaslCondition.NOT_AUTHORIZED, self._username)
        return Success(self._username, None)


EXTERNAL = Mechanism("EXTERNAL", External, needs_encryption=True)
