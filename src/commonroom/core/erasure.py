"""Accounts that are erased for good: nothing is left here, and contacts see that nobody is there any more."""

import logging
from collections.abc import Callable

from commonroom.audit.log import AuditLog
from commonroom.audit.tags import Tag
from commonroom.core.followers import Followers
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza
from commonroom.protocol.subscription import removal
from commonroom.storage.interfaces import AccountStore, RosterStore, Writes
from commonroom.storage.records import Account

log = logging.getLogger(__name__)


class Erasure:
    """`tell` takes stanzas in the name of the account that was."""

    def __init__(
        self,
        accounts: AccountStore,
        rosters: RosterStore,
        writes: Writes,
        tell: Callable[[Stanza], None],
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._rosters = rosters
        self._writes = writes
        self._tell = tell
        self._audit = audit
        self._followers: Followers | None = None
        self._forget: Callable[[JID], None] = lambda _: None

    def connect(self, followers: Followers) -> None:
        """Where else accounts are known."""
        self._followers = followers

    def reach(self, forget: Callable[[JID], None]) -> None:
        """What is on its way to other servers in an account's name."""
        self._forget = forget

    async def erase(self, account: Account) -> None:
        """End all subscriptions as its owner would, or who gets the address next would inherit them."""
        if self._followers is not None:
            await self._followers.forget(account.jid)  # first: after a crash, it is done again
        roster = await self._rosters.load(account.jid)
        self._accounts.remove(account.jid)
        self._forget(account.jid)
        self._audit.record(Tag.STATE_ERASED, account.jid, facts={"source": account.origin})
        self._audit.flush()
        await self._writes.flushed()
        for item in roster.items:
            for action in removal(item.state).send:
                kind = PresenceType(action.value)
                self._tell(Presence(kind, to=item.jid, sender=account.jid))
        log.info("account erased", extra={"jid": account.jid, "departed": str(account.departed)})
