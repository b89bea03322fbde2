"""What a login needs of a source of accounts."""

from typing import NamedTuple, Protocol

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys


class Credentials(NamedTuple):
    """An account's SCRAM keys, none if it may not log in by them, and the revision of which that is true."""

    keys: tuple[ScramKeys, ...]
    revision: int

    def of(self, hash_name: str) -> ScramKeys | None:
        """The keys for a hash (`SHA-1`, `SHA-256`, `SHA-512`)."""
        return next((keys for keys in self.keys if keys.hash_name == hash_name), None)


class Accounts(Protocol):
    """Answers the same, and takes as long, for an account that does not exist as for a wrong password.

    Each answer comes with the revision of the account that it is true of: a session begins only while the
    account is still as it was when its client logged in.
    """

    async def credentials(self, account: JID) -> Credentials:
        """The account's SCRAM keys, if it may log in."""

    async def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """Keep the keys for a hash that it lacks, if it is as it was; returns once they are on disk."""

    async def revision(self, account: JID) -> int | None:
        """That of an account that may log in, without a password being looked at: by a token."""

    async def check_password(self, account: JID, password: str) -> tuple[bool, int]:
        """Whether this is the password of an account that may log in."""
