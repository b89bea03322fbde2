"""The stores in memory, for tests of everything above them: what is written is there at once."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import coroutine

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.storage.errors import StorageBusy, StorageError
from commonroom.storage.interfaces import Stores, Told
from commonroom.storage.memory_archive import MemoryArchiveStore
from commonroom.storage.memory_audit import MemoryAuditStore, MemoryStatisticStore, MemoryTokenStore
from commonroom.storage.memory_listed import MemoryListedStore
from commonroom.storage.memory_outbound import MemoryOutboundStore
from commonroom.storage.memory_rooms import MemoryRoomStore
from commonroom.storage.records import (
    Account,
    AccountChange,
    AccountState,
    ArchivePreferences,
    Device,
    LastActivity,
    OfflineMessage,
    OfflineUsage,
    PushService,
    RosterItem,
    StoredRoster,
    StoredUser,
)
from commonroom.storage.stamps import from_stamp, to_stamp


@coroutine
def _next_turn() -> Generator[None, None, None]:
    """Let the event loop, whichever it is, go round once."""
    yield


class MemoryWrites:
    """See `interfaces.Writes`. `hold` plays a slow disk, `release` lets it catch up or fail.

    While it `is_full`, it takes nothing.
    """

    def __init__(self) -> None:
        self.appended = 0
        self.is_full = False
        self._settled = 0
        self._held = False
        self._waiting: list[tuple[int, int, Told]] = []
        self._failed: list[tuple[range, StorageError]] = []

    @property
    def behind(self) -> int:
        """How many came since `hold`."""
        return self.appended - self._settled

    def note(self) -> None:
        """Count a write; raises StorageBusy."""
        if self.is_full:
            raise StorageBusy("too much waits for the disk")
        self.appended += 1
        if not self._held:
            self._settled = self.appended

    def when_flushed(self, told: Told, since: int | None = None) -> None:
        """Call back at once, or when what is held is released."""
        since = self._settled if since is None else since
        if self.behind:
            self._waiting.append((since, self.appended, told))
        else:
            told(self._failure(since, self.appended))

    async def flushed(self, since: int | None = None) -> None:
        """Wait for `release`, if writes are held."""
        outcome: list[StorageError | None] = []
        self.when_flushed(outcome.append, since)
        while not outcome:
            await _next_turn()
        if outcome[0] is not None:
            raise outcome[0]

    def hold(self) -> None:
        """From now on, nothing reaches the disk."""
        self._held = True

    def release(self, failure: StorageError | None = None) -> None:
        """What was held is on disk, or has failed."""
        self._held = False
        if failure is not None:
            self._failed.append((range(self._settled + 1, self.appended + 1), failure))
        self._settled = self.appended
        waiting, self._waiting = self._waiting, []
        for since, through, told in waiting:
            told(self._failure(since, through))

    def _failure(self, since: int, through: int) -> StorageError | None:
        asked = range(since + 1, through + 1)
        return next((failure for numbers, failure in self._failed if _overlap(numbers, asked)), None)


def _overlap(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


@dataclass(slots=True)
class _Kept:
    """What is kept for one account."""

    account: Account
    items: dict[JID, RosterItem] = field(default_factory=dict)
    complete_from: int = 0
    offline: list[OfflineMessage] = field(default_factory=list)
    private: dict[tuple[str, str], str] = field(default_factory=dict)
    last_activity: LastActivity | None = None
    preferences: ArchivePreferences | None = None
    pushes: dict[tuple[JID, str], PushService] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)


class Memory:
    """What the stores share; `writes` is the one to wait for."""

    def __init__(self) -> None:
        self.writes = MemoryWrites()
        self.kept: dict[JID, _Kept] = {}
        self.removed: list[AccountChange] = []
        self.revision = 0
        self.secrets: dict[str, bytes] = {}
        self.archive = MemoryArchiveStore(self.writes.note)
        self.rooms = MemoryRoomStore(self.writes.note, self.archive)

    def write(self, account: JID) -> _Kept | None:
        """Begin a write; None, if there is no such account."""
        self.writes.note()
        return self.kept.get(account)

    def next_revision(self) -> int:
        """Count a change of an account."""
        self.revision += 1
        return self.revision


class MemoryAccountStore:
    """See `interfaces.AccountStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, account: JID) -> Account | None:
        """Look up one account."""
        kept = self._memory.kept.get(account)
        return kept.account if kept else None

    async def exists(self, account: JID) -> bool:
        """Whether there is such an account."""
        return account in self._memory.kept

    async def page(self, domain: str | None, after: JID | None, limit: int) -> tuple[Account, ...]:
        """List accounts by address."""
        found = sorted(
            jid
            for jid in self._memory.kept
            if (domain is None or jid.domain == domain) and (after is None or jid > after)
        )
        return tuple(self._memory.kept[jid].account for jid in found[:limit])

    def put(self, account: Account) -> None:
        """Make or replace an account."""
        created = _kept_moment(account.created)
        kept = self._memory.write(account.jid)
        account = replace(account, created=created, changed=self._memory.next_revision())
        if kept is None:
            self._memory.kept[account.jid] = _Kept(account)
            self._memory.archive.kept.setdefault(account.jid, [])
        else:
            kept.account = account

    async def put_many(self, accounts: Iterable[Account]) -> int:
        """Import accounts."""
        imported = 0
        for imported, account in enumerate(accounts, 1):  # noqa: B007
            self.put(account)
        return imported

    def disable(self, account: JID, disabled: bool) -> None:
        """Lock or unlock an account."""
        kept = self._memory.write(account)
        revision = self._memory.next_revision()
        if kept is not None:
            kept.account = replace(kept.account, disabled=disabled, changed=revision)

    def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """Add keys for one more hash."""
        kept = self._memory.write(account)
        if kept is None or kept.account.changed != revision:
            return
        known = kept.account.keys
        if known and keys.hash_name not in [each.hash_name for each in known]:
            kept.account = replace(kept.account, keys=(*known, keys))

    def remove(self, account: JID) -> None:
        """Remove an account and what is kept for it."""
        kept = self._memory.write(account)
        revision = self._memory.next_revision()
        if kept is not None:
            del self._memory.kept[account]
            self._memory.archive.kept.pop(account, None)
            self._memory.removed.append(AccountChange(account, AccountState.REMOVED, revision))
            for entries in self._memory.rooms.lists.values():
                entries.pop(account, None)

    async def revision(self) -> int:
        """The number of the last change."""
        return self._memory.revision

    async def changed_since(self, revision: int, limit: int = 1000) -> tuple[AccountChange, ...]:
        """List changed and removed accounts."""
        accounts = (kept.account for kept in self._memory.kept.values())
        changes = [_to_change(account) for account in accounts] + self._memory.removed
        changes.sort(key=lambda change: change.revision)
        return tuple(change for change in changes if change.revision > revision)[:limit]


class MemoryRosterStore:
    """See `interfaces.RosterStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def load(self, account: JID) -> StoredRoster:
        """Read a roster."""
        kept = self._memory.kept.get(account)
        return _roster(kept) if kept else StoredRoster()

    def put(self, account: JID, item: RosterItem) -> None:
        """Add or replace a contact."""
        if (kept := self._memory.write(account)) is not None:
            kept.items[item.jid] = item

    def remove(self, account: JID, contact: JID, version: int) -> None:
        """Remove a contact."""
        if (kept := self._memory.write(account)) is not None:
            kept.items.pop(contact, None)
            kept.complete_from = version


class MemoryOfflineStore:
    """See `interfaces.OfflineStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def add(self, account: JID, id: int, stamp: datetime, xml: str) -> None:
        """Store a stanza."""
        stamp = _kept_moment(stamp)
        if (kept := self._memory.write(account)) is not None:
            kept.offline.append(OfflineMessage(id, stamp, xml))
            kept.offline.sort(key=lambda message: message.id)

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        """Read the oldest ones."""
        kept = self._memory.kept.get(account)
        return tuple(message for message in kept.offline if message.id > after)[:limit] if kept else ()

    async def usage(self, account: JID) -> OfflineUsage:
        """How much waits."""
        kept = self._memory.kept.get(account)
        return _usage(kept) if kept else OfflineUsage()

    async def last_id(self) -> int:
        """The greatest id that waits."""
        return max((message.id for kept in self._memory.kept.values() for message in kept.offline), default=0)

    def remove(self, account: JID, id: int) -> None:
        """Forget one."""
        if (kept := self._memory.write(account)) is not None:
            kept.offline = [message for message in kept.offline if message.id != id]

    def remove_all(self, account: JID) -> None:
        """Forget all."""
        if (kept := self._memory.write(account)) is not None:
            kept.offline = []


class MemoryPrivateStore:
    """See `interfaces.PrivateStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, account: JID, namespace: str, name: str) -> str | None:
        """Read what was stored under an element's name."""
        kept = self._memory.kept.get(account)
        return kept.private.get((namespace, name)) if kept else None

    def put(self, account: JID, namespace: str, name: str, xml: str) -> None:
        """Store an element."""
        if (kept := self._memory.write(account)) is not None:
            kept.private[namespace, name] = xml

    async def size(self, account: JID) -> int:
        """How many bytes of XML the account keeps."""
        kept = self._memory.kept.get(account)
        return sum(len(xml.encode()) for xml in kept.private.values()) if kept else 0


class MemoryLastActivityStore:
    """See `interfaces.LastActivityStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def put(self, account: JID, activity: LastActivity) -> None:
        """Note that the account's last resource left."""
        at = _kept_moment(activity.at)
        if (kept := self._memory.write(account)) is not None:
            kept.last_activity = replace(activity, at=at)

    async def get(self, account: JID) -> LastActivity | None:
        """Read it."""
        kept = self._memory.kept.get(account)
        return kept.last_activity if kept else None

    async def times(self, accounts: Sequence[JID]) -> dict[JID, datetime]:
        """Read when these were last online."""
        found = {jid: await self.get(jid) for jid in accounts}
        return {jid: activity.at for jid, activity in found.items() if activity is not None}


class MemorySecretStore:
    """See `interfaces.SecretStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get_or_create(self, name: str, factory: Callable[[], bytes]) -> bytes:
        """Read a secret, or make it."""
        if name not in self._memory.secrets:
            self._memory.secrets[name] = factory()
        return self._memory.secrets[name]

    def remove(self, name: str) -> None:
        """Forget one."""
        self._memory.writes.note()
        self._memory.secrets.pop(name, None)


class MemoryUserLoader:
    """See `interfaces.UserLoader`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def load_user(self, account: JID) -> StoredUser:
        """Read all that a login needs."""
        kept = self._memory.kept.get(account)
        if kept is None:
            return StoredUser()
        return StoredUser(kept.account, _roster(kept), _usage(kept), kept.preferences, bool(kept.pushes))


class MemoryPreferenceStore:
    """See `interfaces.PreferenceStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def put(self, account: JID, preferences: ArchivePreferences) -> None:
        """Keep an account's preferences."""
        if (kept := self._memory.write(account)) is not None:
            kept.preferences = preferences


class MemoryPushStore:
    """See `interfaces.PushStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def load(self, account: JID) -> tuple[PushService, ...]:
        """List them."""
        kept = self._memory.kept.get(account)
        return tuple(kept.pushes[key] for key in sorted(kept.pushes)) if kept else ()

    def put(self, account: JID, push: PushService) -> None:
        """Add or replace one."""
        if (kept := self._memory.write(account)) is not None:
            kept.pushes[push.service, push.node] = push

    def remove(self, account: JID, service: JID, node: str | None = None) -> None:
        """Forget one node or all."""
        if (kept := self._memory.write(account)) is not None:
            gone = [key for key in kept.pushes if key[0] == service and node in (None, key[1])]
            for key in gone:
                del kept.pushes[key]


class MemoryDeviceStore:
    """See `interfaces.DeviceStore`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def load(self, account: JID) -> tuple[Device, ...]:
        """List them."""
        kept = self._memory.kept.get(account)
        return tuple(kept.devices[client] for client in sorted(kept.devices)) if kept else ()

    async def get(self, account: JID, client: str) -> Device | None:
        """Read one."""
        kept = self._memory.kept.get(account)
        return kept.devices.get(client) if kept else None

    def put(self, account: JID, device: Device) -> None:
        """Add or replace one."""
        if (kept := self._memory.write(account)) is not None:
            first, last = _kept_moment(device.first_seen), _kept_moment(device.last_seen)
            kept.devices[device.client] = replace(device, first_seen=first, last_seen=last)

    def remove(self, account: JID, client: str) -> None:
        """Forget one."""
        if (kept := self._memory.write(account)) is not None:
            kept.devices.pop(client, None)


def memory_stores(memory: Memory) -> Stores:
    """All of them; `memory` is what they share."""
    return Stores(
        MemoryAccountStore(memory),
        MemoryRosterStore(memory),
        MemoryOfflineStore(memory),
        MemoryPrivateStore(memory),
        MemoryLastActivityStore(memory),
        MemorySecretStore(memory),
        MemoryUserLoader(memory),
        memory.writes,
        memory.archive,
        memory.archive,
        MemoryPreferenceStore(memory),
        MemoryPushStore(memory),
        MemoryDeviceStore(memory),
        memory.rooms,
        MemoryTokenStore(memory.writes.note),
        MemoryAuditStore(memory.writes.note),
        MemoryStatisticStore(memory.writes.note),
        MemoryListedStore(memory),
        MemoryOutboundStore(memory.writes.note),
    )


def _kept_moment(moment: datetime) -> datetime:
    """What the tables would make of it: UTC; TypeError for a naive one."""
    return from_stamp(to_stamp(moment))


def _roster(kept: _Kept) -> StoredRoster:
    items = tuple(kept.items[jid] for jid in sorted(kept.items))
    version = max((item.version for item in items), default=0)
    return StoredRoster(items, max(version, kept.complete_from), kept.complete_from)


def _usage(kept: _Kept) -> OfflineUsage:
    return OfflineUsage(len(kept.offline), sum(len(message.xml.encode()) for message in kept.offline))


def _to_change(account: Account) -> AccountChange:
    state = AccountState.DISABLED if account.disabled else AccountState.ACTIVE
    return AccountChange(account.jid, state, account.changed)
