"""Accounts that are kept in the service's own database: SCRAM keys, never a password (RFC 5803)."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from commonroom.accounts.interfaces import Credentials
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import SALT_BYTES, ScramKeys, check_password, derive_keys, fake_keys
from commonroom.storage.interfaces import AccountStore, Writes
from commonroom.storage.records import Account

# The hash that accounts have first, as a rule.
FIRST_HASH = "SHA-1"

NOTHING = Credentials((), 0)


def new_account(
    jid: JID,
    password: str,
    hash_names: Iterable[str],
    iterations: int,
    random: Callable[[int], bytes],
    now: datetime,
) -> Account:
    """Derive the keys of a new account; milliseconds of CPU for each hash.

    Raises ValueError for a password that RFC 8265 §4.2 forbids.
    """
    keys = tuple(derive_keys(password, name, random(SALT_BYTES), iterations) for name in hash_names)
    return Account(jid, keys, now)


class StoredAccounts:
    """`find` reads an account; `off_loop` runs a function in a thread of a bounded pool: checking a password
    costs milliseconds.
    """

    def __init__(
        self,
        find: Callable[[JID], Awaitable[Account | None]],
        store: AccountStore,
        writes: Writes,
        off_loop: Callable[[Callable[[], bool]], Awaitable[bool]],
        fake_secret: bytes,
        iterations: int,
    ) -> None:
        self._find = find
        self._store = store
        self._writes = writes
        self._off_loop = off_loop
        self._fake_secret = fake_secret
        self._iterations = iterations

    async def credentials(self, account: JID) -> Credentials:
        """See `interfaces.Accounts`."""
        found = await self._enabled(account)
        return NOTHING if found is None else Credentials(found.keys, found.changed)

    async def add_keys(self, account: JID, keys: ScramKeys, revision: int) -> None:
        """See `interfaces.Accounts`."""
        before = self._writes.appended
        self._store.add_keys(account, keys, revision)
        await self._writes.flushed(before)

    async def revision(self, account: JID) -> int | None:
        """See `interfaces.Accounts`."""
        found = await self._enabled(account)
        return None if found is None else found.changed

    async def check_password(self, account: JID, password: str) -> tuple[bool, int]:
        """Check against the first keys: those that were added later are a client's word (XEP-0480 §3).

        Against invented ones if there are none, so that it takes as long (RFC 6120 §6.5.10).
        """
        found = await self._enabled(account)
        keys = None if found is None or not found.keys else found.keys[0]
        against = keys or fake_keys(self._fake_secret, account, FIRST_HASH, self._iterations)
        matches = await self._off_loop(lambda: check_password(against, password))
        return matches and keys is not None, 0 if found is None else found.changed

    async def _enabled(self, account: JID) -> Account | None:
        found = await self._find(account)
        return None if found is None or found.disabled else found
