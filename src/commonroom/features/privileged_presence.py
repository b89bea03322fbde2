"""XEP-0356: Privileged Entity: whose presence components see that the operator allows to (§7)."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

from commonroom.core.components import Outlet
from commonroom.core.feature import Feature, Xep, on_session
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.jid import JID
from commonroom.protocol.privileges import Grant, PresenceAccess
from commonroom.protocol.stanza import Presence, PresenceType, Stanza

log = logging.getLogger(__name__)

# Resources of contacts elsewhere whose last presence is remembered, so that a component that connects is
# told. Of one that was forgotten, as the one that was heard of longest ago, it is told with the next change.
REMEMBERED = 20_000
# What a component that connects is told at a time, and the seconds in between: it may read slowly.
AT_ONCE = 200
PAUSE = 0.05


class Known(Protocol):
    """The accounts: in memory, on the disk, and those with clients."""

    def find(self, account: JID) -> User | None: ...
    async def load(self, account: JID) -> User | None: ...
    def online(self) -> list[User]: ...


class PrivilegedPresence(Feature):
    """Shows it to whom it may; `later` calls a function after so many seconds."""

    xep = Xep("0356", "0.4.1")

    def __init__(
        self,
        grants: Iterable[Grant],
        users: Known,
        start: Callable[[Coroutine[Any, Any, Any]], object],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._watchers = {
            grant.entity.domain: Watcher(grant, users, start, later)
            for grant in grants
            if grant.presence is not PresenceAccess.NONE
        }

    @on_session(Moment.AVAILABLE)
    def came(self, session: Session) -> None:
        """Initial presence (XEP-0356 §7.1)."""
        for watcher in self._watchers.values():
            watcher.show(session, session.presence)

    @on_session(Moment.UPDATED)
    def changed(self, session: Session) -> None:
        """Only for those that see contacts, if it is one (XEP-0356 §7.1, §7.4)."""
        for watcher in self._watchers.values():
            if watcher.sees_contacts and watcher.has_contact(session.user):
                watcher.show(session, session.presence)

    @on_session(Moment.UNAVAILABLE)
    def went(self, session: Session) -> None:
        """Unavailable presence (XEP-0356 §7.1)."""
        for watcher in self._watchers.values():
            watcher.show(session, session.farewell)

    def watches(self, domain: str) -> bool:
        """Whether somebody may see the contacts of the accounts there."""
        return any(w.sees_contacts and domain in w.grant.domains for w in self._watchers.values())

    def see(self, presence: Presence, sender: JID, account: JID) -> None:
        """What comes for an account, also if nobody uses it now (XEP-0356 §7.4)."""
        if presence.type in _SEEN:
            for watcher in self._watchers.values():
                if watcher.sees_contacts and account.domain in watcher.grant.domains:
                    watcher.see(presence, sender, account)

    # Components come and go

    def greeting(self, domain: str) -> list[Stanza]:
        """Presence comes later."""
        return []

    def arrived(self, domain: str, outlet: Outlet) -> None:
        """It is told of all that it has missed (XEP-0356 §8)."""
        watcher = self._watchers.get(domain)
        if watcher is not None:
            watcher.begin(outlet)

    def left(self, domain: str) -> None:
        """Nobody is there to be told."""
        watcher = self._watchers.get(domain)
        if watcher is not None:
            watcher.outlet = None


_SEEN = (PresenceType.AVAILABLE, PresenceType.UNAVAILABLE)


class Watcher:
    """One component. `outlet` leads to it while it is connected; `_contacts` are the last presences of
    contacts who are no accounts that it manages."""

    def __init__(
        self,
        grant: Grant,
        users: Known,
        start: Callable[[Coroutine[Any, Any, Any]], object],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.grant = grant
        self.outlet: Outlet | None = None
        self.sees_contacts = grant.presence is PresenceAccess.ROSTER
        self._users = users
        self._start = start
        self._later = later
        self._contacts: OrderedDict[JID, Presence] = OrderedDict()
        self._misses = False  # some, because it does not read

    # Accounts that it manages

    def show(self, session: Session, presence: Presence | None) -> None:
        """Directed presence from the full address (XEP-0356 §7.1)."""
        if presence is not None and session.jid.domain in self.grant.domains:
            self._send(presence, session.jid)

    def has_contact(self, user: User) -> bool:
        """Whether an account that it manages sees the presence of this one."""
        return any(contact.domain in self.grant.domains for contact in user.roster.subscribers)

    # Their contacts elsewhere

    def see(self, presence: Presence, sender: JID, account: JID) -> None:
        """Presence for an account; once, however many accounts get it (XEP-0356 §7.4, §8)."""
        if sender.domain in self.grant.domains or self._is_known(presence, sender):
            return
        user = self._users.find(account)
        if user is None:
            self._start(self._see_later(presence, sender, account))
        else:
            self._consider(presence, sender, user)

    def _is_known(self, presence: Presence, sender: JID) -> bool:
        known = self._contacts.get(sender)
        if known is None:
            return presence.type is PresenceType.UNAVAILABLE
        return presence.type is PresenceType.AVAILABLE and known.payload() == presence.payload()

    async def _see_later(self, presence: Presence, sender: JID, account: JID) -> None:
        user = await self._users.load(account)
        if user is not None and not self._is_known(presence, sender):
            self._consider(presence, sender, user)

    def _consider(self, presence: Presence, sender: JID, user: User) -> None:
        if not user.roster.item(sender.bare).state.has_to:
            return  # it is not shown to this account because of its roster
        self._contacts.pop(sender, None)
        if presence.type is PresenceType.AVAILABLE:
            self._contacts[sender] = presence
            if len(self._contacts) > REMEMBERED:
                self._contacts.popitem(last=False)
        self._send(presence, sender)

    # To the component

    def begin(self, outlet: Outlet) -> None:
        """It is connected, and is told who is there (XEP-0356 §8)."""
        self.outlet = outlet
        present = self._present()
        self._go_on(outlet, present, next(present, None))

    def _present(self) -> Iterator[tuple[Presence, JID]]:
        for user in self._users.online():
            if user.jid.domain in self.grant.domains:
                for resource in user.available:
                    if resource.presence is not None:
                        yield resource.presence, resource.jid
        for sender in [*self._contacts]:
            if sender in self._contacts:
                yield self._contacts[sender], sender

    def _go_on(
        self, outlet: Outlet, rest: Iterator[tuple[Presence, JID]], next_one: tuple[Presence, JID] | None
    ) -> None:
        if self.outlet is not outlet:
            return  # another has taken over, and is told by itself
        for _ in range(AT_ONCE):
            if next_one is None:
                return
            if not outlet(self._addressed(*next_one)):
                break
            next_one = next(rest, None)
        self._later(PAUSE, partial(self._go_on, outlet, rest, next_one))

    def _addressed(self, presence: Presence, sender: JID) -> Presence:
        return presence.addressed(self.grant.entity, sender)

    def _send(self, presence: Presence, sender: JID) -> None:
        if self.outlet is None:
            return
        took = self.outlet(self._addressed(presence, sender))
        if not took and not self._misses:  # once, not for each
            log.warning("a component misses presence", extra={"domain": self.grant.entity})
        self._misses = not took
