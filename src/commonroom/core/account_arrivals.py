"""Accounts that a file lists come into being here when they are first needed, or come back."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from commonroom.accounts.chain import Decide, Standing
from commonroom.audit.log import AuditLog
from commonroom.audit.tags import Tag
from commonroom.core.erasure import Erasure
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import AccountStore, ListedStore, Writes
from commonroom.storage.records import Account

log = logging.getLogger(__name__)


class Arrivals:
    """`decide` is the chain's word about an address; `start` gives something that many can await."""

    def __init__(
        self,
        accounts: AccountStore,
        listed: ListedStore,
        writes: Writes,
        decide: Decide,
        erasure: Erasure,
        start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]],
        now: Callable[[], datetime],
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._listed = listed
        self._writes = writes
        self.decide = decide
        self._erasure = erasure
        self._start = start
        self._now = now
        self._audit = audit
        self._arriving: dict[JID, Awaitable[Account | None]] = {}

    async def arrive(self, account: JID, why: str = "message") -> Account | None:
        """Make what is kept for an account, or restore it; None if no file lists it. Raises StorageError.

        `why` goes into the record: a first login, or something that came for it. Once, however many ask at
        the same time: each time would be a change, and end what began before.
        """
        arriving = self._arriving.get(account)
        if arriving is None:
            arriving = self._arriving[account] = self._start(self._arrive(account, why))
        try:
            return await arriving
        finally:
            if self._arriving.get(account) is arriving:
                del self._arriving[account]

    async def _arrive(self, account: JID, why: str) -> Account | None:
        await self._writes.flushed()
        kept = await self._accounts.get(account)
        standing, listed = self.decide(account, kept)
        if standing is not Standing.ARRIVES or listed is None:
            return kept
        if kept is not None and kept.login != listed.login:
            await self._erasure.erase(kept)  # the address belongs to somebody else now
            kept = None
        if kept is None:
            made = Account(account, (), self._now(), origin=listed.source, login=listed.login)
            self._accounts.put(made)
            tag = Tag.STATE_MADE
        else:
            self._listed.restore([account])
            tag = Tag.STATE_RESTORED
        self._audit.record(tag, account, facts={"source": listed.source, "why": why})
        self._audit.flush()
        await self._writes.flushed()
        event = "account made" if kept is None else "account restored"
        log.info(event, extra={"jid": account, "source": listed.source})
        return await self._accounts.get(account)
