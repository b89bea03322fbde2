"""XEP-0283: Moved: contacts follow an account to its new address."""

import logging
from collections.abc import Callable
from dataclasses import replace

from commonroom.core.rosters import Rosters
from commonroom.core.subscription import Subscriptions
from commonroom.core.user import User
from commonroom.core.users import Users
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.interfaces import ArchiveUpkeep
from commonroom.storage.records import Conversation, Renaming, RosterItem
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

NS_MOVED = "urn:xmpp:moved:1"

# Archived messages that are changed in one step.
STEP = 500

log = logging.getLogger(__name__)


class Movers:
    """`is_local` tells our domains; `resolve` gives the address that an account has now.

    Contacts here need no proof that the new address is the same person's: their rosters are changed. Those
    elsewhere are asked anew, and find the proof at the former address (XEP-0283 §4.2, §4.3).
    """

    def __init__(
        self,
        users: Users,
        rosters: Rosters,
        subscriptions: Subscriptions,
        is_local: Callable[[str], bool],
        resolve: Callable[[JID], JID],
        upkeep: ArchiveUpkeep,
    ) -> None:
        self._users = users
        self._rosters = rosters
        self._subscriptions = subscriptions
        self._is_local = is_local
        self._resolve = resolve
        self._upkeep = upkeep

    async def tell(self, renaming: Renaming) -> None:
        """Tell all contacts of an account that has its new address. To do it twice does no harm."""
        user = await self._users.load(renaming.new)
        if user is None:
            return
        for item in tuple(user.roster.items.values()):
            if self._is_local(item.jid.domain):
                contact = await self._users.load(self._resolve(item.jid))
                if contact is not None:
                    await self._readdress(contact, renaming.former, renaming.new)
                    await self._readdress(user, item.jid, contact.jid)
            elif item.state is not SubscriptionState.NONE:
                await self._ask_again(user, item, renaming.former)
        log.info("account renamed", extra={"jid": renaming.new, "former": renaming.former})

    async def carry_archive(self, renaming: Renaming) -> None:
        """What was archived before is found by peer again; until then only without one (XEP-0313 §4.1.1)."""
        were = [Conversation(renaming.former, peer) for peer in await self._upkeep.peers(renaming.new)]
        for was in await self._upkeep.having(renaming.new, were):
            now = Conversation(renaming.new, was.peer)
            while await self._upkeep.readdress(was, now, STEP):
                pass

    async def _readdress(self, user: User, former: JID, new: JID) -> None:
        """In one roster: the item is the same, but for the address."""
        before = user.roster.items.get(former)
        if before is None or former == new:
            return
        nothing = RosterItem(former, "", (), SubscriptionState.NONE, False, False, None, 0)
        gone = self._rosters.change(user, nothing)
        added = None
        if new not in user.roster.items:
            request = None if before.request is None else _from(before.request, new)
            added = self._rosters.change(user, replace(before, jid=new, request=request))
        await self._rosters.flushed(user)
        if before.listed:
            self._rosters.push_removal(user, gone)
        if added is not None:
            self._rosters.push_item(user, added)

    async def _ask_again(self, user: User, item: RosterItem, former: JID) -> None:
        """A contact elsewhere knows only the former address; one who saw the user's presence may ask back."""
        fresh = replace(item, state=SubscriptionState.NONE, approved=item.state.has_from, request=None)
        self._rosters.change(user, fresh)
        payload = Element(NS_MOVED, "moved", None, Element(NS_MOVED, "old-jid", None, former))
        request = Presence(PresenceType.SUBSCRIBE, to=item.jid, sender=user.jid, children=[payload])
        await self._subscriptions.outbound(request, user)


def _from(request: str, new: JID) -> str:
    """A request that waits for an answer, as if it had been made from the new address."""
    element = parse_fragment(request, NS_CLIENT)
    element.attributes["from"] = new
    return serialize(element, NS_CLIENT)
