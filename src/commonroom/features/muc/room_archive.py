"""XEP-0313 §6.1.2: the archives of rooms, for those who may enter them."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from commonroom.core.archive_pages import ArchivePages
from commonroom.core.turns import Turns
from commonroom.features.muc.describing import has_address
from commonroom.features.muc.room import Room
from commonroom.protocol.archive_query import ArchiveQuery, ArchiveResult, metadata, query_form, read_query
from commonroom.protocol.errors import forbidden, item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Stanza
from commonroom.storage.records import ArchivedMessage
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from commonroom.xml.serializer import serialize

# Queries of one person that are worked on at once.
AT_ONCE = 2


class RoomArchive:
    """Answers for rooms whose messages are kept; `load` gives a room as it is now, or raises gone."""

    def __init__(
        self,
        pages: ArchivePages,
        tell: Callable[[Stanza], None],
        start: Callable[[Coroutine[Any, Any, Any]], Awaitable[None]],
        load: Callable[[JID], Awaitable[Room | None]],
    ) -> None:
        self._pages = pages
        self._tell = tell
        self._load = load
        self._turns: Turns[Element] = Turns(AT_ONCE, start)

    async def form(self, iq: Iq, room: Room) -> Element:
        """What the archive can be asked (XEP-0313 §4.1.5)."""
        _gate(iq, room)
        return query_form()

    async def query(self, iq: Iq, room: Room) -> Element:
        """Send the page that is asked for, and then its end (XEP-0313 §4)."""
        sender = _gate(iq, room)
        asked = read_query(iq.request(), self._pages.lengths.largest)
        if asked.peer is not None and not has_address(room, sender):
            raise forbidden("who said what is for those to ask who may know the addresses")
        return await self._turns.take(sender.bare, partial(self._answer, asked, iq, room))

    async def describe(self, iq: Iq, room: Room) -> Element:
        """Where the archive begins and ends (XEP-0313 §5)."""
        _gate(iq, room)
        bounds = await self._pages.bounds(room.address)
        _gate(iq, await self._now(room))
        return metadata(None if bounds is None else (bounds.first, bounds.last))

    async def _answer(self, asked: ArchiveQuery, iq: Iq, room: Room) -> Element:
        messages, end = await self._pages.answer(asked, room.address)
        room = await self._now(room)
        sender = _gate(iq, room)  # it may be another matter now
        is_revealed = has_address(room, sender)
        for message in messages:
            xml = _revealed(message, room) if is_revealed else message.xml
            self._tell(ArchiveResult(sender, room.address, asked.queryid, message.id, xml))
        return end

    async def _now(self, room: Room) -> Room:
        """The room as it is now; raises item-not-found if it is no more, and another one has its name."""
        found = await self._load(room.address)
        if found is None or found.occupant_key != room.occupant_key:
            raise item_not_found("this room is no more")
        return found


def _gate(iq: Iq, room: Room) -> JID:
    """Who asks; raises forbidden for somebody who may not enter at this time (XEP-0313 §6.1.2)."""
    sender = iq.sender
    assert sender is not None
    if not room.may_read(sender):
        raise forbidden("you may not read what is said in this room")
    return sender


def _revealed(kept: ArchivedMessage, room: Room) -> str:
    """The message with the address of who said it; the room itself has none to hide."""
    if kept.peer.bare == room.address:
        return kept.xml
    item = Element(NS_MUC_USER, "item", {"jid": str(kept.peer)})
    x = serialize(Element(NS_MUC_USER, "x", None, item), NS_CLIENT)
    if kept.xml.endswith("/>"):
        return f"{kept.xml[:-2]}>{x}</message>"
    return f"{kept.xml.removesuffix('</message>')}{x}</message>"
