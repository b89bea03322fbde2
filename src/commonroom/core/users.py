"""The accounts in memory: loaded on first need, kept while they have sessions and a little longer."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from commonroom.core.roster import Roster
from commonroom.core.user import User
from commonroom.protocol.errors import StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import UserLoader, Writes

# Users without sessions that stay in memory, for the messages that come in bursts; about 2 KiB each.
IDLE_USERS = 1000


class Users:
    """`start` runs a coroutine at once and gives something that many can await."""

    def __init__(
        self,
        loader: UserLoader,
        writes: Writes,
        start: Callable[[Coroutine[Any, Any, User | None]], Awaitable[User | None]],
    ) -> None:
        self._loader = loader
        self._writes = writes
        self._start = start
        self._loaded: dict[JID, User] = {}
        self._idle: OrderedDict[JID, None] = OrderedDict()
        self._loading: dict[JID, Awaitable[User | None]] = {}

    def find(self, account: JID) -> User | None:
        """The user, if in memory."""
        return self._loaded.get(account)

    async def load(self, account: JID) -> User | None:
        """The user, read from the disk if need be; None if there is no such account."""
        user = self._loaded.get(account)
        if user is not None:
            return user
        loading = self._loading.get(account)
        if loading is None:
            loading = self._loading[account] = self._start(self._read(account))
        try:
            return await loading
        finally:
            if self._loading.get(account) is loading:
                del self._loading[account]

    async def _read(self, account: JID) -> User | None:
        await self._written()
        stored = await self._loader.load_user(account)
        if stored.account is None:
            return None
        epoch = f"{stored.account.created.timestamp():.6f}".replace(".", "")
        user = self._loaded[account] = User(account, Roster(stored.roster, epoch), stored.account.disabled)
        self._rest(user)
        return user

    async def _written(self) -> None:
        """A read sees what is on disk; a user who left memory a moment ago may have changes on their way."""
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()

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

    def drop(self, account: JID, error: StreamError) -> None:
        """The account is gone or closed: end its sessions and forget what was loaded."""
        user = self._loaded.pop(account, None)
        self._idle.pop(account, None)
        if user is not None:
            for resource in tuple(user.sessions.values()):
                resource.end(error)
