"""What the rest of the service sees of storage: one narrow Protocol per need.

Reads are `async`. Writes return at once: they join what is written next, in the order in which they were
made, and are on disk after `await writes.flushed()`. A read sees what is on disk, not what still waits.

Every read and write is scoped by an account. A write for an account that does not exist is dropped, as
if the account had been removed just after it. An account that is removed and made again starts empty.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.records import (
    Account,
    AccountChange,
    LastActivity,
    OfflineMessage,
    OfflineUsage,
    RosterItem,
    StoredRoster,
    StoredUser,
)

Told = Callable[[StorageError | None], object]
"""Hears how writes went: None when they are on disk, or the first error."""


class Waiter(Protocol):
    """A future, as an event loop makes it."""

    def done(self) -> bool:
        """Whether it has a result, or nobody waits any more."""

    def set_result(self, result: Any, /) -> None:
        """Wake who waits."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Wake who waits, with an error."""

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait."""


class Loop(Protocol):
    """What storage needs of an event loop: a way back from its threads."""

    def create_future(self) -> Waiter:
        """Make a future that belongs to this loop."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> object:
        """Call on the loop's thread."""


class Writes(Protocol):
    """What was written and is not yet on disk.

    Who handles a stanza keeps `appended` from before: if it has not moved since, nothing was written and
    there is nothing to wait for; if it has, `since` limits the errors to those of the stanza's own writes.
    """

    @property
    def appended(self) -> int:
        """How many writes there were so far."""

    @property
    def behind(self) -> int:
        """How many of them still wait for the disk."""

    def when_flushed(self, told: Told, since: int | None = None) -> None:
        """Call back when all that was written so far is on disk; at once, if it is already.

        Without `since`, errors count of whatever still waited when this was called. So call it in the
        same turn of the loop as the writes, or give what `appended` was before them.
        """

    async def flushed(self, since: int | None = None) -> None:
        """Wait as `when_flushed` does; raises StorageError if a write failed."""


class AccountStore(Protocol):
    """Local accounts, by bare address."""

    async def get(self, account: JID) -> Account | None:
        """Look up one account."""

    async def exists(self, account: JID) -> bool:
        """Whether there is such an account, disabled or not."""

    async def page(self, domain: str | None, after: JID | None, limit: int) -> tuple[Account, ...]:
        """List accounts by address (code points), of one domain or all, behind `after`."""

    def put(self, account: Account) -> None:
        """Make an account, or replace what is kept of it; the rest of its data stays."""

    async def put_many(self, accounts: Iterable[Account]) -> int:
        """Import: as `put`, but waits whenever enough has gathered, and for the last; returns how many."""

    def disable(self, account: JID, disabled: bool) -> None:
        """Lock an account, or unlock it."""

    def remove(self, account: JID) -> None:
        """Remove an account with all that is kept for it."""

    async def revision(self) -> int:
        """The number of the last change to any account, by whichever process."""

    async def changed_since(self, revision: int, limit: int = 1000) -> tuple[AccountChange, ...]:
        """List the accounts that changed later, each with its last change, in the order of the changes.

        An account that was removed and made again is there twice. Ask again from the last one's revision.
        """


class RosterStore(Protocol):
    """Rosters and subscription states (RFC 6121 §2, §3)."""

    async def load(self, account: JID) -> StoredRoster:
        """Read a roster; an empty one, if nothing is kept."""

    def put(self, account: JID, item: RosterItem) -> None:
        """Add or replace a contact; `item.version` is the roster's new version."""

    def remove(self, account: JID, contact: JID, version: int) -> None:
        """Remove a contact; `version` is the roster's new version."""


class OfflineStore(Protocol):
    """Stanzas that wait for their recipient (XEP-0160)."""

    def add(self, account: JID, stamp: datetime, xml: str) -> None:
        """Store a stanza behind those that already wait."""

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        """Read the oldest ones, in order; those behind the id `after`."""

    async def usage(self, account: JID) -> OfflineUsage:
        """How much waits, for quotas."""

    def remove(self, account: JID, through: int) -> None:
        """Forget all up to and including the id `through`; what came later stays."""

    def remove_all(self, account: JID) -> None:
        """Forget all that waits."""


class PrivateStore(Protocol):
    """XML that clients keep on the server for themselves (XEP-0049)."""

    async def get(self, account: JID, namespace: str, name: str) -> str | None:
        """Read what was stored under an element's namespace and name."""

    def put(self, account: JID, namespace: str, name: str, xml: str) -> None:
        """Store an element, in place of the one of that name."""

    async def size(self, account: JID) -> int:
        """How many bytes of XML the account keeps, for quotas."""


class LastActivityStore(Protocol):
    """When accounts were last online (XEP-0012)."""

    def put(self, account: JID, activity: LastActivity) -> None:
        """Note that the account's last resource left."""

    async def get(self, account: JID) -> LastActivity | None:
        """Read it; None if the account was never online."""


class SecretStore(Protocol):
    """Secrets of the service itself, which must outlive a restart."""

    async def get_or_create(self, name: str, factory: Callable[[], bytes]) -> bytes:
        """Read a secret; the first to ask makes it, and all get the same one."""


class UserLoader(Protocol):
    """All that a login needs, at once."""

    async def load_user(self, account: JID) -> StoredUser:
        """Read account, roster and offline usage as they were at one moment."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Hand each part of the service the one it needs, never this."""

    accounts: AccountStore
    rosters: RosterStore
    offline: OfflineStore
    private: PrivateStore
    last_activity: LastActivityStore
    secrets: SecretStore
    users: UserLoader
    writes: Writes
