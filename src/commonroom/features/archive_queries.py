"""XEP-0313, XEP-0431: Message Archive Management: users read and search their archives."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from commonroom.core.archive_pages import ArchivePages
from commonroom.core.feature import Feature, Scope, Xep, on_bound, on_iq
from commonroom.core.session import Session
from commonroom.core.turns import Turns
from commonroom.protocol.archive_query import (
    ArchiveQuery,
    ArchiveResult,
    fin,
    metadata,
    query_form,
    read_query,
)
from commonroom.protocol.full_text import NS_FULL_TEXT
from commonroom.protocol.rsm import NS_RSM, page_description
from commonroom.protocol.stanza import Held, Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_MAM

# Queries of one account that are worked on at once; those of its other sessions wait.
AT_ONCE = 2

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
        pages: ArchivePages,
        start: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
        waiting: Waiting,
    ) -> None:
        self._pages = pages
        self._waiting = waiting
        self._turns: Turns[Element] = Turns(AT_ONCE, start)

    @on_iq("get", NS_MAM, "query", to=Scope.OWN_ACCOUNT)
    def form(self, iq: Iq, session: Session) -> Element:
        """What the archive can be asked (XEP-0313 §4.1.5)."""
        return query_form()

    @on_iq("set", NS_MAM, "query", to=Scope.OWN_ACCOUNT)
    async def query(self, iq: Iq, session: Session) -> Element:
        """Send the page of messages that is asked for, and then its end (XEP-0313 §4)."""
        asked = read_query(iq.request(), self._pages.lengths.largest)
        return await self._turns.take(session.user.jid, partial(self._answer, asked, session))

    @on_iq("get", NS_MAM, "metadata", to=Scope.OWN_ACCOUNT)
    async def describe(self, iq: Iq, session: Session) -> Element:
        """Where the archive begins and ends (XEP-0313 §5)."""
        bounds = await self._pages.bounds(session.user.jid)
        return metadata(None if bounds is None else (bounds.first, bounds.last))

    @on_bound
    async def describe_at_once(self, session: Session) -> Element | None:
        """A client that has bound knows what it missed (XEP-0386 §3.2.1)."""
        bounds = await self._pages.bounds(session.user.jid)
        return metadata(None if bounds is None else (bounds.first, bounds.last))

    async def _answer(self, asked: ArchiveQuery, session: Session) -> Element:
        if session.closed:  # while it waited for its turn
            return fin(False, page_description(None, None))
        owner = session.user.jid
        messages, end = await self._pages.answer(asked, owner)
        results = {m.id: ArchiveResult(session.jid, owner, asked.queryid, m.id, m.xml) for m in messages}
        held = await self._waiting(session, [*results]) if results else {}
        for id, result in results.items():
            result.held = held.get(id)
            if result.held is not None and session.closed:
                result.held.missed()
            session.send(result)
        return end
