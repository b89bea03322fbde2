"""Notices what became of accounts, whoever changed them: this process, or another one (the command line)."""

import asyncio
from contextlib import suppress

from commonroom.core.users import Users
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import AccountStore
from commonroom.storage.records import AccountState

# Seconds between two looks.
WATCH_EVERY = 2.0


class AccountWatch:
    """Ends the sessions of accounts that were removed, disabled or given another password.

    It begins with the changes behind `revision`.
    """

    def __init__(self, users: Users, accounts: AccountStore, revision: int) -> None:
        self._users = users
        self._accounts = accounts
        self._revision = revision

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            with suppress(
                StorageError
            ):  # the database is out of reach: the writer tells, and it will be back
                await self.look()

    async def look(self) -> None:
        """Look now; raises StorageError."""
        for change in await self._accounts.changed_since(self._revision):
            self._revision = max(self._revision, change.revision)
            self._users.outdate(change.jid, change.revision, _ended(change.state))


def _ended(state: AccountState) -> StreamError:
    """Clients take not-authorized as a hint to ask for the password again (RFC 6120 §4.9.3.12)."""
    words = {
        AccountState.ACTIVE: "the account was changed; please log in again",
        AccountState.DISABLED: "the account is disabled",
        AccountState.REMOVED: "the account was removed",
    }
    return StreamError(StreamCondition.NOT_AUTHORIZED, words[state])
