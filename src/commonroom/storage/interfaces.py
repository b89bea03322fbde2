"""What the rest of the service sees of storage: one narrow Protocol per need.

Reads are `async`. Writes return at once: they join what is written next, in the order in which they were
made, and are on disk after `await writes.flushed()`. A read sees what is on disk, not what still waits.

Every read and write is scoped by an account. A write for an account that does not exist is dropped, as
if the account had been removed just after it. An account that is removed and made again starts empty.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.storage.audit_interfaces import AuditStore, StatisticStore, TokenStore
from commonroom.storage.errors import StorageError
from commonroom.storage.records import (
    Account,
    AccountChange,
    ArchiveAge,
    ArchiveBounds,
    ArchivedMessage,
    ArchiveFilter,
    ArchivePage,
    ArchivePreferences,
    Conversation,
    Device,
    LastActivity,
    OfflineMessage,
    OfflineUsage,
    OutboundStanza,
    PushService,
    Renaming,
    RosterItem,
    StoredRoster,
    StoredUser,
)
from commonroom.storage.room_records import (
    RoomAffiliation,
    RoomGrave,
    RoomHead,
    RoomRequest,
    StoredRoom,
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

    def call_soon(self, callback: Callable[..., object], *args: Any) -> object:
        """Call after this turn of the loop."""

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

    def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """Add the keys of the same password for one more hash (XEP-0480 §3).

        Only while the last change of the account is this one, if it has keys, and none for this hash. It is
        no change: sessions and tokens of the account stay good.
        """

    def remove(self, account: JID) -> None:
        """Remove an account with all that is kept for it, also from the lists of rooms on disk."""

    async def revision(self) -> int:
        """The number of the last change to any account, by whichever process."""

    async def changed_since(self, revision: int, limit: int = 1000) -> tuple[AccountChange, ...]:
        """List the accounts that changed later, each with its last change, in the order of the changes.

        An account that was removed and made again is there twice. Ask again from the last one's revision.
        """


class ListedStore(Protocol):
    """What is kept for accounts that files elsewhere list (`Account.origin`). Moments are stamps.

    Each change counts as one of the account, so that its sessions and tokens are good no more.
    """

    def depart(self, accounts: Sequence[JID], at: int) -> None:
        """They left the files; those that left before, or are not of files, stay as they are."""

    def restore(self, accounts: Sequence[JID]) -> None:
        """They are back."""

    def outdate(self, accounts: Sequence[JID]) -> None:
        """They have other hashes: keys that were derived are forgotten."""

    def rename(self, renamings: Sequence[Renaming]) -> None:
        """Give accounts other addresses, with all that is kept for them, all at once: two may change places.

        What is kept at the new address of one that departed goes. Where it is another's, nothing happens.
        """

    def keep_keys(self, account: JID, keys: Sequence[ScramKeys], verifier: str) -> None:
        """Keep keys that were derived of its password; this is no change of the account."""

    async def departed(self, before: int, limit: int) -> tuple[Account, ...]:
        """List accounts that left before a moment, those that left first."""

    async def page(self, after: JID | None, limit: int) -> tuple[Account, ...]:
        """List all that are or were in files, by address (code points), behind `after`."""


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

    def add(self, account: JID, id: int, stamp: datetime, xml: str) -> None:
        """Store a stanza; ids rise in the order in which stanzas came, and are never used twice."""

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        """Read the oldest ones, in order; those behind the id `after`."""

    async def usage(self, account: JID) -> OfflineUsage:
        """How much waits, for quotas."""

    async def last_id(self) -> int:
        """The greatest id of what waits for anybody; 0, if nothing does."""

    def remove(self, account: JID, id: int) -> None:
        """Forget one."""

    def remove_all(self, account: JID) -> None:
        """Forget all that waits."""


class OutboundStore(Protocol):
    """Stanzas that another server may not have yet, and that somebody here counts on (XEP-0198)."""

    def add(self, id: int, xml: str) -> None:
        """Keep a stanza; ids rise, and are never used twice."""

    async def load(self, limit: int, after: int = 0) -> tuple[OutboundStanza, ...]:
        """Read the oldest ones, in order; those behind the id `after`."""

    async def last_id(self) -> int:
        """The greatest id of what is kept; 0, if nothing is."""

    def remove(self, *ids: int) -> None:
        """Forget some."""


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

    async def times(self, accounts: Sequence[JID]) -> dict[JID, datetime]:
        """Read when these were last online, as far as they ever were."""


class SecretStore(Protocol):
    """Secrets of the service itself, which must outlive a restart."""

    async def get_or_create(self, name: str, factory: Callable[[], bytes]) -> bytes:
        """Read a secret; the first to ask makes it, and all get the same one."""

    def remove(self, name: str) -> None:
        """Forget one."""


class UserLoader(Protocol):
    """All that a login needs, at once."""

    async def load_user(self, account: JID) -> StoredUser:
        """Read account, roster, offline usage and preferences as they were at one moment."""


class ArchiveStore(Protocol):
    """Archives of messages (XEP-0313), each with one owner, whom every read and write is scoped by.

    An account has an archive from its making to its removal; `add_owner` makes one for what is no account.
    Made again, it is empty, whatever the predecessor's kept.
    """

    def append(self, owner: JID, message: ArchivedMessage) -> None:
        """Archive a message; dropped if there is no such owner.

        Ids of one archive come in rising order, and never twice in the service: if a message goes into two
        archives, it has two ids.
        """

    async def page(
        self, owner: JID, wanted: ArchiveFilter, limit: int, backwards: bool = False
    ) -> ArchivePage:
        """Read the first messages that are wanted, or, backwards, the last ones; the oldest first always.

        What it costs depends on the limit, not on the place in the archive nor on the archive's size.
        """

    async def get(self, owner: JID, ids: Sequence[int]) -> tuple[ArchivedMessage, ...]:
        """Read single messages, the oldest first; those that are not there are left out."""

    async def bounds(self, owner: JID) -> ArchiveBounds | None:
        """Tell where an archive begins and ends; None if it is empty (XEP-0313 §5)."""

    async def count(self, owner: JID, wanted: ArchiveFilter, limit: int) -> int:
        """Count what is wanted, but not beyond `limit`: the cost grows with the count."""

    async def recent(self, owner: JID, after: int, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages behind the id `after` that have an origin, without their XML and body.

        Oldest first. It tells messages that are sent again (XEP-0359 §2.2) after a restart.
        """

    async def named(self, owner: JID, peer: JID, origin: str, limit: int) -> tuple[ArchivedMessage, ...]:
        """Read the last messages with this peer (and any of its resources) that have this origin.

        Oldest first. It finds what a retraction is of (XEP-0424 §5.1).
        """

    def replace(self, owner: JID, id: int, xml: str) -> None:
        """Put a tombstone in a message's place (XEP-0424 §4); no search finds it any more."""

    def erase(self, owner: JID, peer: JID | None = None) -> None:
        """Forget all messages, or those with one peer (all of its resources).

        After the commit nobody sees them; `ArchiveUpkeep.purge` takes them off the disk, step by step.
        """

    def add_owner(self, owner: JID) -> None:
        """Make an archive, unless there is one, for an owner that is no account: a room."""

    def remove_owner(self, owner: JID) -> None:
        """Forget such an owner with all messages, as `erase` does."""

    async def last_id(self) -> int:
        """The greatest id in all archives, 0 if there is none: from where `Ids` goes on."""


class ArchiveUpkeep(Protocol):
    """Work that is done for archives in the background. Each call is one step, bounded by its `limit`."""

    async def ages(self, after: JID | None, limit: int) -> tuple[ArchiveAge, ...]:
        """List the owners of archives that are not empty, by address (code points), behind `after`.

        Looks at `limit` owners that have messages, and at those between them.
        """

    async def expire(self, owner: JID, before: int, limit: int) -> int:
        """Remove up to `limit` messages whose id is below `before`; returns how many went."""

    async def peers(self, owner: JID) -> tuple[JID, ...]:
        """List with whom an archive has messages, by bare address."""

    async def having(self, owner: JID, were: Sequence[Conversation]) -> tuple[Conversation, ...]:
        """Those of these former conversations that an archive still has messages of."""

    async def readdress(self, was: Conversation, now: Conversation, limit: int) -> int:
        """Make up to `limit` messages those of what a conversation is `now`; returns how many there were."""

    async def purge(self, limit: int) -> int:
        """Take up to `limit` messages off the disk that were erased or have lost their owner.

        Returns how much was done; 0 if nothing is left to do.
        """

    async def index(self, limit: int) -> int:
        """Make up to `limit` messages ready to be searched for; 0 if nothing is left to do.

        A search does it for its own archive first, so this is only to make searches quicker.
        """


class PreferenceStore(Protocol):
    """What accounts want archived (XEP-0441); it is read with the user (`UserLoader`)."""

    def put(self, account: JID, preferences: ArchivePreferences) -> None:
        """Keep an account's preferences."""


class PushStore(Protocol):
    """Where accounts want notifications sent (XEP-0357)."""

    async def load(self, account: JID) -> tuple[PushService, ...]:
        """List them, by service and node."""

    def put(self, account: JID, push: PushService) -> None:
        """Add one, or replace the options of that service and node."""

    def remove(self, account: JID, service: JID, node: str | None = None) -> None:
        """Forget one node of a service, or all of its nodes."""


class DeviceStore(Protocol):
    """The clients of accounts, and their tokens (XEP-0388 §2.3, XEP-0484)."""

    async def load(self, account: JID) -> tuple[Device, ...]:
        """List them, by the client's id."""

    async def get(self, account: JID, client: str) -> Device | None:
        """Read one."""

    def put(self, account: JID, device: Device) -> None:
        """Add one, or replace all that is kept of it."""

    def remove(self, account: JID, client: str) -> None:
        """Forget one, with its tokens."""


class RoomStore(Protocol):
    """Rooms that outlive their occupants (XEP-0045 §4.2), by address.

    Each has an archive from its making to its removal. Made again, it starts empty.
    """

    async def load(self, room: JID) -> StoredRoom | RoomGrave | None:
        """Read a room, or that it was destroyed; None if there is neither."""

    async def page(
        self, domain: str, after: JID | None, limit: int, public: bool = False, words: str = ""
    ) -> tuple[RoomHead, ...]:
        """List the rooms of a domain by address (code points), behind `after`.

        Only those that strangers may find; and only those whose words have this text in them.
        """

    async def count(self, domain: str, public: bool = False, words: str = "") -> int:
        """Count them."""

    async def alike(self, domain: str, skeleton: str, limit: int) -> tuple[JID, ...]:
        """List the rooms whose names look like that."""

    async def of(self, person: JID, affiliation: str, limit: int) -> tuple[JID, ...]:
        """List the rooms in which somebody has this affiliation."""

    async def mentioning(self, domain: str, person: JID) -> tuple[JID, ...]:
        """List the rooms of a domain whose lists have somebody, or whose configuration names the address.

        It looks at all rooms; some may be listed for another address that has this one in it.
        """

    async def unused(
        self, domain: str, before: datetime, limit: int, after: datetime | None = None
    ) -> tuple[RoomHead, ...]:
        """List those where somebody was last between these moments, not included, the longest ago first."""

    def put(self, room: RoomHead, lists: Sequence[RoomAffiliation] = ()) -> None:
        """Make a room, also where one was destroyed, or replace what is kept of it, and these entries.

        Its lists stay but for these; all of it or nothing is kept."""

    async def vcard(self, room: JID) -> str | None:
        """Read what a room shows of itself (XEP-0486), as XML; None if that is nothing."""

    def put_vcard(self, room: JID, xml: str | None) -> None:
        """Keep it, as long as the room is kept."""

    def put_affiliation(self, room: JID, affiliation: RoomAffiliation) -> None:
        """Add somebody to a room's lists, or replace what they say."""

    def remove_affiliation(self, room: JID, jid: JID) -> None:
        """Keep nothing of somebody."""

    def remove(self, room: JID) -> None:
        """Remove a room with its lists and its archive."""

    def bury(self, grave: RoomGrave) -> None:
        """Remove a room, and keep in mind that it was destroyed."""

    def forget_graves(self, before: datetime) -> None:
        """Forget who was destroyed before: somebody else may have the name."""

    def request(self, request: RoomRequest) -> None:
        """Note that somebody would like a room; the first one who asked for it."""

    async def requests(self, domain: str) -> tuple[RoomRequest, ...]:
        """List those, by address."""

    def settle(self, room: JID) -> None:
        """Such a request was answered."""


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
    archive: ArchiveStore
    upkeep: ArchiveUpkeep
    preferences: PreferenceStore
    pushes: PushStore
    devices: DeviceStore
    rooms: RoomStore
    tokens: TokenStore
    audit: AuditStore
    statistics: StatisticStore
    listed: ListedStore
    outbound: OutboundStore
