"""RFC 6121 §2.1.6: how a change of a roster reaches the disk and the clients."""

from collections.abc import Callable
from dataclasses import replace

from commonroom.core.roster import item_element, query, removed_element
from commonroom.core.user import Resource, User
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import RosterStore, Writes
from commonroom.storage.records import RosterItem
from commonroom.xml.element import Element


class Rosters:
    """Changes rosters: in memory at once, then on disk, then told to the clients.

    `interested` are the sessions that asked for the roster (RFC 6121 §2.2); only they get pushes, and
    whoever is `also_told` hears of all (XEP-0356 §4.4). When a change cannot be written, `forget` drops the
    user from memory, so that the disk's word counts again.
    """

    def __init__(self, store: RosterStore, writes: Writes, forget: Callable[[JID], None]) -> None:
        self._store = store
        self._writes = writes
        self._forget = forget
        self.interested: set[Resource] = set()
        self.also_told: Callable[[User, Element, int], None] | None = None

    async def put(self, user: User, item: RosterItem) -> None:
        """Save an item and push it."""
        item = self.change(user, item)
        await self.flushed(user)
        self.push_item(user, item)

    def change(self, user: User, item: RosterItem) -> RosterItem:
        """Change an item in memory and on its way to the disk; announce it after `flushed`.

        An item that says nothing any more (no state, not listed, not approved) goes. So does, for the
        clients, one that is not listed any more: a client with an older version gets the whole roster.
        """
        roster = user.roster
        roster.version += 1
        item = replace(item, version=roster.version)
        remains = item.listed or item.approved or item.state is not SubscriptionState.NONE
        if not remains or (roster.item(item.jid).listed and not item.listed):
            roster.discard(item.jid)
            roster.complete_from = roster.version
            self._store.remove(user.jid, item.jid, roster.version)
        if remains:
            roster.put(item)
            self._store.put(user.jid, item)
        return item

    async def flushed(self, user: User) -> None:
        """Wait until the user's changes are on disk; raises StorageError."""
        try:
            await self._writes.flushed()
        except StorageError:
            self._forget(user.jid)
            raise

    def interested_of(self, user: User) -> list[Resource]:
        """The user's resources that asked for the roster."""
        return [resource for resource in user.sessions.values() if resource in self.interested]

    def push_item(self, user: User, item: RosterItem) -> None:
        """Tell each interested resource of a changed item, if clients see it at all."""
        if item.listed:
            self._push(user, item_element(item), item.version)

    def push_removal(self, user: User, item: RosterItem) -> None:
        """Tell each interested resource that an item is gone, whatever is left here (RFC 6121 §2.5.2)."""
        self._push(user, removed_element(item.jid), item.version)

    def _push(self, user: User, item: Element, version: int) -> None:
        """RFC 6121 §2.1.6."""
        payload = query(user.roster.ver(version), (item,))
        for resource in self.interested_of(user):
            resource.send(push(resource.jid, payload, version))
        if self.also_told is not None:
            self.also_told(user, payload, version)


def push(to: JID, payload: Element, version: int) -> Iq:
    """The set that tells one resource of a change (RFC 6121 §2.1.6)."""
    return Iq(IqType.SET, to=to, id=f"roster-{version}", children=[payload])
