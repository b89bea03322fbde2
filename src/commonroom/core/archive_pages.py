"""XEP-0313: pages of an archive, whoever it belongs to and whoever may read it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from commonroom.protocol.archive_query import ArchiveQuery, fin, read_id
from commonroom.protocol.errors import item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.rsm import PageRequest, page_description
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import ArchiveBounds, ArchivedMessage, ArchiveFilter, ArchivePage
from commonroom.xml.element import Element

# Characters of XML. A page ends when it has so many, however few messages that are: they wait in memory
# until the client has read them.
PAGE_SIZE = 1 << 20

# Messages that are read in one go, because all of them can be as large as a stanza may be.
READ_AT_ONCE = 50

# How far a query that wants only the number of results is counted; what is more is told as this.
LARGEST_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class PageLengths:
    """How many messages a page has if the client does not say, and at most."""

    usual: int
    largest: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """A query as the store understands it. `whole`: without where in the results the page is."""

    whole: ArchiveFilter
    part: ArchiveFilter
    limit: int
    backwards: bool


class ArchivePages:
    """Reads what somebody may read and asks for."""

    def __init__(self, store: ArchiveStore, writes: Writes, lengths: PageLengths) -> None:
        self._store = store
        self._writes = writes
        self.lengths = lengths

    async def answer(self, asked: ArchiveQuery, owner: JID) -> tuple[Sequence[ArchivedMessage], Element]:
        """The messages of the page, in the order in which they are sent, and the element that ends it."""
        await self._written()
        plan = _plan(asked, self.lengths)
        await self._find(asked, owner)
        if plan.limit == 0:
            return (), await self._count(plan, owner)
        page = await self._read(plan, owner)
        messages = tuple(reversed(page.messages)) if asked.flipped else page.messages
        return messages, fin(page.complete, _description(page, asked.page))

    async def bounds(self, owner: JID) -> ArchiveBounds | None:
        """Where an archive begins and ends."""
        await self._written()
        return await self._store.bounds(owner)

    async def _written(self) -> None:
        """What the client sent or got just now is in the page that it asks for."""
        if self._writes.behind:
            with suppress(StorageError):  # was told to whoever wrote it
                await self._writes.flushed()

    async def _find(self, asked: ArchiveQuery, owner: JID) -> None:
        """Every id that is named must be there (XEP-0313 §4.1.3, §4.3.2); raises item-not-found."""
        ends = (asked.after, asked.before, read_id(asked.page.after), read_id(asked.page.before or None))
        named = {id for id in (*ends, *(asked.ids or ())) if id is not None}
        if named and len(await self._store.get(owner, sorted(named))) < len(named):
            raise item_not_found()

    async def _count(self, plan: _Plan, owner: JID) -> Element:
        """Only how many there are (XEP-0059 §2.7)."""
        count = await self._store.count(owner, plan.whole, LARGEST_COUNT)
        return fin(count == 0, page_description(None, None, count=count))

    async def _read(self, plan: _Plan, owner: JID) -> ArchivePage:
        """The page, shortened to what can be sent at once; never to nothing."""
        read: list[ArchivedMessage] = []  # in the direction of the page
        wanted, size, is_complete = plan.part, 0, False
        while not is_complete and len(read) < plan.limit and size < PAGE_SIZE:
            limit = min(READ_AT_ONCE, plan.limit - len(read))
            page = await self._store.page(owner, wanted, limit, plan.backwards)
            is_complete = page.complete
            for message in reversed(page.messages) if plan.backwards else page.messages:
                size += len(message.xml)
                if read and size > PAGE_SIZE:
                    is_complete = False
                    break
                read.append(message)
            if read:
                edge = read[-1].id
                wanted = replace(wanted, before=edge) if plan.backwards else replace(wanted, after=edge)
        return ArchivePage(tuple(reversed(read)) if plan.backwards else tuple(read), is_complete)


def _plan(asked: ArchiveQuery, lengths: PageLengths) -> _Plan:
    """What a query means for the store; RSM's `before` counts from the end (XEP-0059 §2.3, §2.5)."""
    whole = ArchiveFilter(
        asked.peer,
        _last(asked.after, None if asked.start is None else asked.start - 1),
        _first(asked.before, None if asked.end is None else asked.end + 1),
        asked.ids,
        asked.text,
    )
    page = asked.page
    part = replace(
        whole,
        after=_last(whole.after, read_id(page.after)),
        before=_first(whole.before, read_id(page.before or None)),
    )
    limit = lengths.usual if page.most is None else min(page.most, lengths.largest)
    return _Plan(whole, part, limit, page.before is not None)


def _last(*ends: int | None) -> int | None:
    return max((end for end in ends if end is not None), default=None)


def _first(*ends: int | None) -> int | None:
    return min((end for end in ends if end is not None), default=None)


def _description(page: ArchivePage, asked: PageRequest) -> Element:
    """Index and count where they cost nothing (XEP-0313 §4.3.2): they are optional."""
    is_all = page.complete and not asked.after and not asked.before
    is_first = is_all or (not asked.after and asked.before is None)
    count = len(page.messages) if is_all else None
    if not page.messages:
        return page_description(None, None, count=count)
    first, last = page.messages[0].id, page.messages[-1].id
    return page_description(str(first), str(last), 0 if is_first else None, count)
