"""What others need of sources of accounts."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys


def always() -> bool:
    """Whatever happens."""
    return True


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

    async def check_password(
        self, account: JID, password: str, is_wanted: Callable[[], bool] = always
    ) -> tuple[bool, int]:
        """Whether this is the password of an account that may log in.

        It is not looked at if nobody wants to know any more when its turn comes; StorageError says that too
        many wait, or that it was not wanted.
        """


class Listed(NamedTuple):
    """An account in the files; `hash` is empty if nobody can log in. `login` tells whose it is."""

    address: JID
    login: str
    hash: str
    source: str

    def __repr__(self) -> str:
        """Without the hash."""
        return f"Listed({self.address}, {self.source})"


class Alias(NamedTuple):
    """Another address of an account; `until`, in seconds since 1970, if it was its address before."""

    address: JID
    until: int | None


class Listing(Protocol):
    """The accounts that files list now."""

    def serves(self, domain: str) -> bool:
        """Whether there are files for this domain."""

    def find(self, account: JID) -> Listed | None:
        """The account that has this address."""

    def page(self, domain: str | None, after: JID | None, limit: int) -> list[Listed]:
        """The accounts of a domain, or all, by address (code points), behind `after`."""

    def stand_in(self, account: JID) -> str | None:
        """A hash that takes as long as that of an account might, always the same for one address."""


class NoListing:
    """Where there are no files."""

    def serves(self, _: str) -> bool:
        """None."""
        return False

    def find(self, _: JID) -> Listed | None:
        """Nobody."""
        return None

    def page(self, domain: str | None, after: JID | None, limit: int) -> list[Listed]:
        """Nobody."""
        return []

    def stand_in(self, _: JID) -> str | None:
        """Nothing."""
        return None
