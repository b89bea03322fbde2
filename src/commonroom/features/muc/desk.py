"""XEP-0045 §6.2, §6.3: what the service of rooms answers itself."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from commonroom.core.iq import Route
from commonroom.features.muc import describing
from commonroom.features.muc.avatar import NS_VCARD, RoomAvatars
from commonroom.features.muc.directory import Directory, edges, shown_name
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.room import Room
from commonroom.features.muc.room_archive import RoomArchive
from commonroom.features.muc.search import NS_SEARCH, Search
from commonroom.protocol.errors import feature_not_implemented, item_not_found, service_unavailable
from commonroom.protocol.full_text import NS_FULL_TEXT
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import FEATURE_SELF_PING, FEATURE_STABLE_ID, NS_MUC, NS_OCCUPANT_ID
from commonroom.protocol.rsm import NS_RSM, page_description, read_page_request
from commonroom.protocol.stanza import Iq, IqType, Presence, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO, NS_MAM, NS_PING

NS_ITEMS = "http://jabber.org/protocol/disco#items"

FEATURES = (
    NS_DISCO_INFO,
    NS_ITEMS,
    NS_MUC,
    NS_RSM,
    NS_SEARCH,
    NS_PING,
    NS_OCCUPANT_ID,
    FEATURE_SELF_PING,
    FEATURE_STABLE_ID,
    NS_VCARD,
)
ARCHIVE_FEATURES = (NS_MAM, f"{NS_MAM}#extended", NS_RSM, NS_FULL_TEXT)

Key = tuple[IqType, str, str]


class RoomDesk:
    """Answers for the service and for the archives of its rooms; `forms` goes with its disco#info."""

    def __init__(
        self,
        name: str,
        directory: Directory,
        search: Search,
        archive: RoomArchive,
        avatars: RoomAvatars,
        facts: Callable[[Room], Mapping[str, Iterable[str]]],
        route: Route,
        carry_out: Callable[[Room, Effects], Awaitable[None] | None],
        now: Callable[[], datetime],
        forms: tuple[Element, ...] = (),
    ) -> None:
        self._name = name
        self._directory = directory
        self._facts = facts
        self._route = route
        self._carry_out = carry_out
        self._now = now
        self._forms = forms
        self._of_service: dict[Key, Callable[[Iq], Awaitable[Element | None]]] = {
            (IqType.GET, NS_DISCO_INFO, "query"): self._info,
            (IqType.GET, NS_ITEMS, "query"): self._items,
            (IqType.GET, NS_SEARCH, "search"): search.answer,
            (IqType.GET, NS_PING, "ping"): self._pong,
        }
        self._of_room: dict[Key, Callable[[Iq, Room], Awaitable[Element | None]]] = {
            (IqType.GET, NS_VCARD, "vCard"): avatars.get,
            (IqType.SET, NS_VCARD, "vCard"): avatars.put,
            (IqType.GET, NS_MAM, "query"): archive.form,
            (IqType.SET, NS_MAM, "query"): archive.query,
            (IqType.GET, NS_MAM, "metadata"): archive.describe,
        }
        self._namespaces = {namespace for _, namespace, _ in self._of_service}

    # The service

    def receive(self, stanza: Stanza, to: JID) -> Awaitable[None] | None:
        """Requests are answered; nobody is told of presence, and messages are for nobody (RFC 6120 §10.5)."""
        if isinstance(stanza, Presence):
            return None
        if not isinstance(stanza, Iq) or not to.is_bare:
            raise service_unavailable()
        if not stanza.is_request:
            return None
        request = stanza.request()
        handler = self._of_service.get((stanza.type, request.namespace, request.name))
        if handler is None:
            raise (
                feature_not_implemented() if request.namespace in self._namespaces else service_unavailable()
            )
        return self._reply(stanza, handler(stanza))

    async def _info(self, iq: Iq) -> Element:
        _no_node(iq)
        identity = {"category": "conference", "type": "text", "name": self._name}
        query = Element(NS_DISCO_INFO, "query", None, Element(NS_DISCO_INFO, "identity", identity))
        for feature in sorted(FEATURES):
            query.append(Element(NS_DISCO_INFO, "feature", {"var": feature}))
        query.append(*self._forms)
        return query

    async def _items(self, iq: Iq) -> Element:
        """The public rooms, of which RSM tells when these are not all (XEP-0045 §6.3)."""
        _no_node(iq)
        wanted = iq.request().child(NS_RSM, "set")
        page = await self._directory.page(read_page_request(wanted))
        query = Element(NS_ITEMS, "query")
        for entry in page.entries:
            query.append(Element(NS_ITEMS, "item", {"jid": str(entry.address), "name": shown_name(entry)}))
        if wanted is not None or not page.is_complete:
            query.append(page_description(*edges(page.entries), None, page.total))
        return query

    async def _pong(self, iq: Iq) -> None:
        """It is there (XEP-0199 §4.2)."""

    # Its rooms

    def takes(self, iq: Iq) -> bool:
        """Archives, and what a room is, as far as it depends on the service."""
        request = iq.request()
        return (iq.type, request.namespace, request.name) in self._of_room or _asks_what(iq)

    def answer(self, iq: Iq, room: Room) -> Awaitable[None] | None:
        """Answer a request to a room."""
        if _asks_what(iq):
            features = (NS_VCARD, *(ARCHIVE_FEATURES if room.config.is_archived else ()))
            known = features if room.config.persistent else ()
            return self._carry_out(room, describing.info(room, iq, self._now(), known, self._facts(room)))
        request = iq.request()
        return self._reply(iq, self._of_room[iq.type, request.namespace, request.name](iq, room))

    async def _reply(self, iq: Iq, answer: Awaitable[Element | None]) -> None:
        waiting = self._route(iq.result(await answer))
        if waiting is not None:
            await waiting


def _asks_what(iq: Iq) -> bool:
    request = iq.request()
    return (
        iq.type is IqType.GET
        and (request.namespace, request.name) == (NS_DISCO_INFO, "query")
        and request.get("node") is None
    )


def _no_node(iq: Iq) -> None:
    if iq.request().get("node") is not None:
        raise item_not_found()
