"""What becomes of accounts when the files that list them change: sessions end, data wait, and go."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from commonroom.accounts.chain import Decide, Standing
from commonroom.audit.log import AuditLog
from commonroom.audit.tags import Tag
from commonroom.core.account_arrivals import Arrivals
from commonroom.core.erasure import Erasure
from commonroom.core.followers import Followers
from commonroom.core.renaming import Movers
from commonroom.core.users import Users
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import Renaming
from commonroom.storage.stamps import to_stamp

log = logging.getLogger(__name__)

# Clients take not-authorized as a hint to ask for the password again (RFC 6120 §4.9.3.12).
DEPARTED = StreamError(StreamCondition.NOT_AUTHORIZED, "the account was removed")
LOCKED = StreamError(StreamCondition.NOT_AUTHORIZED, "the account is disabled")
CHANGED = StreamError(StreamCondition.NOT_AUTHORIZED, "the account was changed; please log in again")
RENAMED = StreamError(StreamCondition.RESET, "the account has another address now; please log in again")

# Accounts that are erased in one step.
STEP = 20


class Lifecycle:
    """Each method may be repeated after a crash. `keep` is how long an account that left is kept.

    `stored_first`: where an account is kept here as well, the files do not matter.
    """

    def __init__(
        self,
        users: Users,
        stores: Stores,
        arrivals: Arrivals,
        movers: Movers,
        erasure: Erasure,
        now: Callable[[], datetime],
        keep: timedelta,
        stored_first: bool,
        audit: AuditLog,
        followers: Followers,
    ) -> None:
        self._users = users
        self._stores = stores
        self._arrivals = arrivals
        self._decide: Decide = arrivals.decide
        self._movers = movers
        self._erase = erasure.erase
        self._now = now
        self._keep = keep
        self._stored_first = stored_first
        self._audit = audit
        self._followers = followers

    async def logins(self, accounts: Iterable[JID]) -> dict[JID, str]:
        """Whose accounts these are now, by the names in the files, as far as anything is kept for them."""
        found = {jid: await self._stores.accounts.get(jid) for jid in accounts}
        return {jid: kept.login for jid, kept in found.items() if kept is not None}

    async def make_way(self, owners: Mapping[JID, str]) -> None:
        """These addresses go to accounts with these names in the files: who had one before is erased."""
        for address, login in owners.items():
            kept = await self._stores.accounts.get(address)
            if kept is not None and kept.origin and kept.login != login:
                self._users.drop(address, DEPARTED)
                await self._erase(kept)

    def rename(self, renamings: Sequence[Renaming]) -> None:
        """Give accounts their new addresses; in the same turn of the loop as the files' word changes."""
        for one in renamings:
            self._users.drop(one.former, RENAMED)
            self._users.drop(one.new, RENAMED)
            self._audit.record(Tag.ACCOUNT_RENAMED, one.new, one.former)
        if renamings:
            self._stores.listed.rename(renamings)
            self._audit.flush()

    async def follow(self, renamings: Sequence[Renaming]) -> None:
        """Let rooms know people by their new addresses."""
        await self._followers.readdress(renamings)

    async def tell_contacts(self, renamings: Sequence[Renaming]) -> None:
        """That is slower, and nobody waits for it."""
        for one in renamings:
            await self._movers.tell(one)
        for one in renamings:
            await self._movers.carry_archive(one)

    async def appear(self, accounts: Sequence[JID]) -> None:
        """They are in the files now; what is kept for them is made when it is needed, or restored."""
        self._note(Tag.ACCOUNT_APPEARED, accounts)

    async def depart(self, accounts: Sequence[JID]) -> None:
        """They left the files: their sessions end, and for others it is as if they had never been there."""
        await self._end(accounts, DEPARTED)
        self._stores.listed.depart(accounts, to_stamp(self._now()))
        self._note(Tag.ACCOUNT_DEPARTED, accounts)
        for account in accounts:
            log.info("account departed", extra={"jid": account})

    async def lock(self, accounts: Sequence[JID]) -> None:
        """Nobody can log in with them any more."""
        await self._end(accounts, LOCKED)
        self._stores.listed.outdate(accounts)
        self._note(Tag.ACCOUNT_LOCKED, accounts)
        for account in accounts:
            log.info("account locked", extra={"jid": account})

    async def unlock(self, accounts: Sequence[JID]) -> None:
        """They can be used again."""
        await self._change(accounts, Tag.ACCOUNT_UNLOCKED)

    async def change(self, accounts: Sequence[JID]) -> None:
        """They have other passwords; what was derived of the old ones is void."""
        await self._change(accounts, Tag.HASH_CHANGED)

    async def _change(self, accounts: Sequence[JID], tag: Tag) -> None:
        await self._end(accounts, CHANGED)
        self._stores.listed.outdate(accounts)
        self._note(tag, accounts)
        for account in accounts:
            log.info("account changed", extra={"jid": account})

    def _note(self, tag: Tag, accounts: Sequence[JID]) -> None:
        """On disk with what was done to them."""
        for account in accounts:
            self._audit.record(tag, account)
        self._audit.flush()

    async def _end(self, accounts: Sequence[JID], error: StreamError) -> None:
        """Of those in memory; one that is kept here, where that decides, does not care about files."""
        for account in accounts:
            if self._users.find(account) is None:
                continue
            kept = await self._stores.accounts.get(account)
            if kept is None or kept.origin or not self._stored_first:
                self._users.drop(account, error)

    async def erase_some(self) -> int:
        """Erase accounts whose time is over, one step; returns how many there were to look at."""
        before = to_stamp(self._now() - self._keep)
        due = await self._stores.listed.departed(before, STEP)
        for account in due:
            if self._decide(account.jid, account).standing is Standing.ARRIVES:
                await self._arrivals.arrive(account.jid)
            else:
                await self._erase(account)
        return len(due)

    async def reconcile(self, page: int = 500) -> list[JID]:
        """Accounts that are kept as listed, and are not: what changed while nobody compared."""
        missing: list[JID] = []
        after: JID | None = None
        while found := await self._stores.listed.page(after, page):
            after = found[-1].jid
            missing += [
                each.jid
                for each in found
                if each.departed is None and self._decide(each.jid, each).standing is Standing.GONE
            ]
        return missing
