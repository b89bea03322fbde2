"""XEP-0313 from the client's side: pages of one's own archive, and up to where it is known."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from commonroom.xml.element import Element
from crash import stanzas
from crash.ledger import ArchiveRow

PAGE = 50
PAGE_SECONDS = 20.0


class Query(NamedTuple):
    """A page that is asked for."""

    name: str
    after: str | None
    limit: int


class Page(NamedTuple):
    """What came."""

    rows: list[ArchiveRow]
    last: str | None
    is_complete: bool


class Archive:
    """`ask` sends a query, or raises; `take`, `end` and `fail` bring what comes."""

    def __init__(self, ask: Callable[[Query], None]) -> None:
        self.is_caught_up = False
        self._ask = ask
        self._known: str | None = None  # everything up to this id was seen
        self._counter = 0
        self._rows: dict[str, list[ArchiveRow]] = {}
        self._answers: dict[str, asyncio.Future[Page]] = {}

    def saw(self, archive_id: str | None) -> None:
        """A message came on the stream. Before all older ones are there, that says nothing about them."""
        if archive_id is not None and self.is_caught_up:
            self._known = archive_id

    async def catch_up(self) -> AsyncIterator[list[ArchiveRow]]:
        """Page by page from what is known; raises what `ask` and `fail` bring, or TimeoutError."""
        async for page in self.pages(self._known):
            if page:
                self._known = page[-1].archive_id
            yield page
        self.is_caught_up = True

    async def pages(self, after: str | None) -> AsyncIterator[list[ArchiveRow]]:
        """Everything behind an id, or from the beginning."""
        while True:
            page = await self._page(after)
            yield page.rows
            if page.is_complete or page.last is None:
                return
            after = page.last

    def take(self, archived: Element) -> None:
        """A <result/> came."""
        message = stanzas.forwarded(archived)
        key = stanzas.key_of(message) if message else None
        rows = self._rows.get(archived.get("queryid", ""))
        if rows is not None and key is not None:
            rows.append(ArchiveRow(archived.get("id", ""), key))

    def end(self, iq: Element) -> None:
        """An answer came, perhaps to one of the queries."""
        name = iq.get("id", "")
        answer = self._answers.get(name)
        if answer is None or answer.done():
            return
        finished = iq.child(stanzas.NS_ARCHIVE, "fin")
        if finished is None:
            answer.set_exception(RefusedPage(repr(iq)))
            return
        frame = finished.child(stanzas.NS_PAGES, "set")
        last = frame.child_text(stanzas.NS_PAGES, "last") if frame else None
        is_complete = finished.get("complete") in ("true", "1")
        answer.set_result(Page(self._rows[name], last, is_complete))

    def fail(self, error: Exception) -> None:
        """No answer will come any more."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)

    async def _page(self, after: str | None) -> Page:
        self._counter += 1
        name = f"page-{self._counter}"
        answer: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._answers[name] = answer
        self._rows[name] = []
        try:
            self._ask(Query(name, after, PAGE))
            async with asyncio.timeout(PAGE_SECONDS):
                return await answer
        finally:
            del self._answers[name], self._rows[name]


class RefusedPage(RuntimeError):  # noqa: N818 - what happened
    """The server answered with an error."""
