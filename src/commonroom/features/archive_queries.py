"""XEP-0313, XEP-0431: Message Archive Management: users read and search their archives."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from commonroom.core.feature import Feature, Scope, Xep, on_bound, on_iq
from commonroom.core.session import Session
from commonroom.core.turns import Turns
from commonroom.protocol.archive_query import (
    ArchiveQuery,
    ArchiveResult,
    fin,
    metadata,
    query_form,
    read_id,
    read_query,
)
from commonroom.protocol.errors import item_not_found
from commonroom.protocol.full_text import NS_FULL_TEXT
from commonroom.protocol.jid import JID
from commonroom.protocol.rsm import NS_RSM, PageRequest, page_description
from commonroom.protocol.stanza import Held, Iq
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import ArchivedMessage, ArchiveFilter, ArchivePage
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MAM

# Queries of one account that are worked on at once; those of its other sessions wait.
AT_ONCE = 2

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


Waiting = Callable[[Session, Sequence[int]], Awaitable[Mapping[int, Held]]]
"""Tells who is to hear which of these messages a client got: for those that wait for one."""


class ArchiveQueries(Feature):
    """Answers the owner of an archive, and nobody else. What a client reads there needs to wait no more.

    Deviation: others get service-unavailable, not forbidden (XEP-0313 §8.1), as they do from an address that
    is nobody's (RFC 6121 §8.5.1).
    """

    xep = Xep("0313", "1.1.3")
    account_disco = (NS_MAM, f"{NS_MAM}#extended", f"{NS_MAM}#groupchat-field", NS_RSM, NS_FULL_TEXT)

    def __init__(
        self,
        store: ArchiveStore,
        writes: Writes,
        start: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
        lengths: PageLengths,
        waiting: Waiting,
    ) -> None:
        self._waiting = waiting
        self._store = store
        self._writes = writes
        self._lengths = lengths
        self._turns: Turns[Element] = Turns(AT_ONCE, start)

    @on_iq("get", NS_MAM, "query", to=Scope.OWN_ACCOUNT)
    def form(self, iq: Iq, session: Session) -> Element:
        """What the archive can be asked (XEP-0313 §4.1.5)."""
        return query_form()

    @on_iq("set", NS_MAM, "query", to=Scope.OWN_ACCOUNT)
    async def query(self, iq: Iq, session: Session) -> Element:
        """Send the page of messages that is asked for, and then its end (XEP-0313 §4)."""
        asked = read_query(iq.request(), self._lengths.largest)
        return await self._turns.take(session.user.jid, partial(self._answer, asked, session))

    @on_iq("get", NS_MAM, "metadata", to=Scope.OWN_ACCOUNT)
    async def describe(self, iq: Iq, session: Session) -> Element:
        """Where the archive begins and ends (XEP-0313 §5)."""
        await self._written()
        bounds = await self._store.bounds(session.user.jid)
        return metadata(None if bounds is None else (bounds.first, bounds.last))

    @on_bound
    async def describe_at_once(self, session: Session) -> Element | None:
        """A client that has bound knows what it missed (XEP-0386 §3.2.1)."""
        await self._written()
        bounds = await self._store.bounds(session.user.jid)
        return metadata(None if bounds is None else (bounds.first, bounds.last))

    async def _answer(self, asked: ArchiveQuery, session: Session) -> Element:
        if session.closed:  # while it waited for its turn
            return fin(False, page_description(None, None))
        owner = session.user.jid
        await self._written()
        plan = _plan(asked, self._lengths)
        await self._find(asked, owner)
        if plan.limit == 0:
            return await self._count(plan, owner)
        page = await self._read(plan, owner)
        held = await self._waiting(session, [message.id for message in page.messages])
        for message in reversed(page.messages) if asked.flipped else page.messages:
            result = ArchiveResult(session.jid, owner, asked.queryid, message.id, message.xml)
            result.held = held.get(message.id)
            if result.held is not None and session.closed:
                result.held.missed()
            session.send(result)
        return fin(page.complete, _description(page, asked.page))

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
