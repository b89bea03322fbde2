"""RFC 6121 §2.1: a user's roster in memory, and its items as clients see them."""

from collections.abc import Iterable

from commonroom.protocol.jid import JID
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import RosterItem, StoredRoster
from commonroom.xml.element import Element
from commonroom.xml.names import NS_ROSTER


class Roster:
    """`subscribers` see the user's presence; `subscribed_to` are those whose presence the user sees.

    `version` grows with each change; removals before `complete_from` are forgotten, so that a client
    with an older version gets the whole roster (RFC 6121 §2.6.3). `epoch` tells this account from one
    that had the same address before it: their versions must not be taken for each other.
    """

    __slots__ = ("_epoch", "complete_from", "items", "subscribed_to", "subscribers", "version")

    def __init__(self, stored: StoredRoster, epoch: str) -> None:
        self.items: dict[JID, RosterItem] = {item.jid: item for item in stored.items}
        self.version = stored.version
        self.complete_from = stored.complete_from
        self._epoch = epoch
        self._derive()

    def _derive(self) -> None:
        self.subscribers = tuple(item.jid for item in self.items.values() if item.state.has_from)
        self.subscribed_to = tuple(item.jid for item in self.items.values() if item.state.has_to)

    def item(self, contact: JID) -> RosterItem:
        """The contact's item, or what stands for one that is not there."""
        item = self.items.get(contact)
        return (
            RosterItem(contact, "", (), SubscriptionState.NONE, False, False, None, 0)
            if item is None
            else item
        )

    def ver(self, version: int) -> str:
        """A version as clients see it (RFC 6121 §2.1.1)."""
        return f"{self._epoch}.{version}"

    def known(self, ver: str) -> int | None:
        """The version that a client has, if we can tell it all that changed since (RFC 6121 §2.6.3)."""
        epoch, _, version = ver.partition(".")
        if epoch != self._epoch or not version.isdecimal() or len(version) > 18:
            return None
        return int(version) if self.complete_from <= int(version) <= self.version else None

    def listed(self) -> list[RosterItem]:
        """What clients may see: not those who merely asked for a subscription (RFC 6121 §3.1.3)."""
        return [item for item in self.items.values() if item.listed]

    def put(self, item: RosterItem) -> None:
        """Add or replace an item."""
        self.items[item.jid] = item
        self._derive()

    def discard(self, contact: JID) -> None:
        """Remove an item if it is there."""
        self.items.pop(contact, None)
        self._derive()


def item_element(item: RosterItem) -> Element:
    """One <item/> as clients see it (RFC 6121 §2.1.2)."""
    attributes = {"jid": str(item.jid), "subscription": item.state.subscription.value}
    if item.name:
        attributes["name"] = item.name
    if item.state.ask:
        attributes["ask"] = "subscribe"
    if item.approved:
        attributes["approved"] = "true"
    groups = (Element(NS_ROSTER, "group", None, group) for group in item.groups)
    return Element(NS_ROSTER, "item", attributes, *groups)


def removed_element(contact: JID) -> Element:
    """The <item/> that tells clients of a removal (RFC 6121 §2.5.2)."""
    return Element(NS_ROSTER, "item", {"jid": str(contact), "subscription": "remove"})


def query(ver: str, items: Iterable[Element]) -> Element:
    """The <query/> of a roster result or push, with its version (RFC 6121 §2.1.1)."""
    return Element(NS_ROSTER, "query", {"ver": ver}, *items)
