"""The accounts in memory: loaded on first need, kept while they have sessions and a little longer."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from commonroom.accounts.chain import Standing
from commonroom.core.account_arrivals import Arrivals
from commonroom.core.roster import Roster
from commonroom.core.user import ARCHIVE, PUSH, User
from commonroom.protocol.errors import StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import AccountStore, UserLoader, Writes
from commonroom.storage.records import Account

# Users without sessions that stay in memory, for the messages that come in bursts; about 2 KiB each.
IDLE_USERS = 1000


# The revision of a user who was dropped while somebody waited for it: no login fits it.
DROPPED = -1


class Read(NamedTuple):
    """What one look at the disk found: nothing, or both; an account that `arrives` has no user yet."""

    user: User | None = None
    account: Account | None = None
    arrives: bool = False


class _Loading:
    """A look at the disk that many may wait for, and what was heard of the account meanwhile."""

    __slots__ = ("changed", "mail_comes", "read")
    read: Awaitable[Read]

    def __init__(self) -> None:
        self.mail_comes = False
        self.changed = 0


class Users:
    """`start` runs a coroutine at once and gives something that many can await. `wants` are what users want
    who have said nothing. Without `arrivals`, there are only the accounts that are kept here."""

    def __init__(
        self,
        loader: UserLoader,
        accounts: AccountStore,
        writes: Writes,
        start: Callable[[Coroutine[Any, Any, Read]], Awaitable[Read]],
        wants: frozenset[str] = frozenset(),
        arrivals: Arrivals | None = None,
    ) -> None:
        self._loader = loader
        self._accounts = accounts
        self._writes = writes
        self._start = start
        self._wants = wants
        self._arrivals = arrivals
        self._loaded: dict[JID, User] = {}
        self._idle: OrderedDict[JID, None] = OrderedDict()
        self._loading: dict[JID, _Loading] = {}

    def find(self, account: JID) -> User | None:
        """The user, if in memory."""
        return self._loaded.get(account)

    def online(self) -> list[User]:
        """Those who have sessions."""
        return [user for user in self._loaded.values() if user.sessions]

    async def load(self, account: JID) -> User | None:
        """The user, read from the disk if need be; None if there is no such account."""
        user = self._loaded.get(account)
        if user is not None:
            return user
        read = await self._load(account)
        if read.arrives and self._arrivals is not None:
            await self._arrivals.arrive(account)
            read = await self._load(account)
        return read.user

    async def account(self, account: JID) -> Account | None:
        """What the disk says of an account now, with its keys, which are not kept in memory.

        Who asks will often log in next: what that needs is read at once, if it is not here already.
        """
        if account in self._loaded:
            return await self._accounts.get(account)
        return (await self._load(account)).account

    async def _load(self, account: JID) -> Read:
        loading = self._loading.get(account)
        try:
            if loading is None:
                loading = self._loading[account] = _Loading()
                loading.read = self._start(self._read(account, loading))
            return await loading.read
        finally:
            if self._loading.get(account) is loading:
                del self._loading[account]

    async def _read(self, account: JID, loading: _Loading) -> Read:
        if self._writes.behind:
            await self._written()
        stored = await self._loader.load_user(account)
        if stored.account is not None and stored.account.changed < loading.changed:
            stored = await self._loader.load_user(account)  # it was changed just then
        found = stored.account
        disabled = found is not None and found.disabled
        if self._arrivals is not None:
            standing = self._arrivals.decide(account, found).standing
            disabled = standing is Standing.LOCKED
            if standing is Standing.GONE or standing is Standing.ARRIVES:
                return Read(None, found, standing is Standing.ARRIVES)
        if found is None:
            return Read()
        epoch = f"{found.created.timestamp():.6f}".replace(".", "")
        mail_waits = stored.offline.count > 0 or loading.mail_comes
        user = User(account, Roster(stored.roster, epoch), disabled, found.changed, mail_waits)
        user.mail_count, user.mail_size = stored.offline.count, stored.offline.size
        user.archiving = stored.preferences
        user.wants = self._wants
        if stored.preferences is not None:
            user.wants |= {ARCHIVE}
        if stored.pushes:
            user.wants |= {PUSH}
        self._loaded[account] = user
        self._rest(user)
        return Read(user, found)

    async def _written(self) -> None:
        """A read sees what is on disk; a user who left memory a moment ago may have changes on their way."""
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()

    def mail_comes(self, account: JID) -> None:
        """An offline message is about to be stored: whoever is in memory then, or about to be, must know."""
        user = self._loaded.get(account)
        loading = self._loading.get(account)
        if user is not None:
            user.mail_waits = True
        if loading is not None:
            loading.mail_comes = True

    def _rest(self, user: User) -> None:
        self._idle[user.jid] = None
        while len(self._idle) > IDLE_USERS:
            oldest, _ = self._idle.popitem(last=False)
            del self._loaded[oldest]

    def keep(self, user: User) -> None:
        """The user has a session now and stays in memory."""
        self._loaded[user.jid] = user
        self._idle.pop(user.jid, None)

    def release(self, user: User) -> None:
        """A user without sessions may leave memory."""
        if not user.sessions and self._loaded.get(user.jid) is user:
            self._rest(user)

    def outdate(self, account: JID, revision: int, error: StreamError) -> None:
        """The account was changed: drop what was loaded before, with the sessions that began before."""
        loading = self._loading.get(account)
        if loading is not None:
            loading.changed = revision
        user = self._loaded.get(account)
        if user is not None and user.changed < revision:
            self.drop(account, error)

    def drop(self, account: JID, error: StreamError) -> None:
        """The account is gone or closed: end its sessions and forget what was loaded."""
        user = self._loaded.pop(account, None)
        self._idle.pop(account, None)
        if user is not None:
            user.changed = DROPPED
            for resource in tuple(user.sessions.values()):
                resource.end(error)
