"""XEP-0049: Private XML Storage."""

from collections import Counter

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.core.session import Session
from commonroom.protocol.errors import bad_request, not_acceptable, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq
from commonroom.storage.interfaces import PrivateStore, Writes
from commonroom.xml.element import Element
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

NS_PRIVATE = "jabber:iq:private"


class PrivateStorage(Feature):
    """Keeps XML for the owner's clients, `quota` bytes of it per account; nobody else can get at it."""

    xep = Xep("0049", "1.2")
    disco = (NS_PRIVATE,)
    account_disco = (NS_PRIVATE,)

    def __init__(self, store: PrivateStore, writes: Writes, quota: int) -> None:
        self._store = store
        self._writes = writes
        self._quota = quota
        self._growing: Counter[JID] = Counter()  # bytes of each account that are on their way to the disk

    @on_iq("get", NS_PRIVATE, "query", to=Scope.OWN_ACCOUNT)
    async def read(self, iq: Iq, session: Session) -> Element:
        """One element, or an empty one of its name if nothing is stored (XEP-0049 §2.3)."""
        wanted = iq.request().only_child()
        if wanted is None:
            raise bad_request("name the one element to get")
        stored = await self._store.get(session.user.jid, wanted.namespace, wanted.name)
        element = (
            Element(wanted.namespace, wanted.name) if stored is None else parse_fragment(stored, NS_PRIVATE)
        )
        return Element(NS_PRIVATE, "query", None, element)

    @on_iq("set", NS_PRIVATE, "query", to=Scope.OWN_ACCOUNT)
    async def write(self, iq: Iq, session: Session) -> None:
        """Store the elements, each in place of the one of its name (XEP-0049 §2.3)."""
        elements = iq.request().elements()
        if not elements or any(element.namespace in ("", NS_PRIVATE) for element in elements):
            raise not_acceptable("each element needs a namespace of its own")
        account = session.user.jid
        added = {(element.namespace, element.name): serialize(element, NS_PRIVATE) for element in elements}
        replaced = [await self._store.get(account, *key) for key in added]
        growth = sum(map(_size, added.values())) - sum(map(_size, replaced))
        self._growing[account] += max(0, growth)
        try:
            if growth > 0 and await self._store.size(account) + self._growing[account] > self._quota:
                raise resource_constraint(f"private storage holds {self._quota} bytes")
            for key, xml in added.items():
                self._store.put(account, *key, xml)
            await self._writes.flushed()
        finally:
            self._growing[account] -= max(0, growth)
            if not self._growing[account]:
                del self._growing[account]


def _size(xml: str | None) -> int:
    return 0 if xml is None else len(xml.encode())
