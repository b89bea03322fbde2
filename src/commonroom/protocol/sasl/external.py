"""RFC 4422 Appendix A, XEP-0178: EXTERNAL, by the certificate that the client presented for TLS."""

from commonroom.protocol.sasl.mechanism import (
    Mechanism,
    Outcome,
    SaslCondition,
    WantsAccount,
    account_of,
)
from commonroom.protocol.sasl.one_message import OneMessage


class External(OneMessage):
    """The message says which of the certificate's addresses it is to be, or nothing if it has only one."""

    __slots__ = ()

    def _read(self, message: str) -> Outcome:
        account = self._chosen(message)
        if account is None:
            return self._failure(SaslCondition.INVALID_AUTHZID)
        self._username = account.partition("@")[0]
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
        return self._conclude(exists) if self._has_asked else super().found(exists)


EXTERNAL = Mechanism("EXTERNAL", External, needs_encryption=True)
