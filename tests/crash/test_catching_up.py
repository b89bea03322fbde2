"""XEP-0313 from the client's side: every page, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from commonroom.xml.parser import parse_fragment
from crash.catching_up import Archive, Query, RefusedPage
from crash.ledger import ArchiveRow, Key
from crash.stanzas import NS_ARCHIVE, NS_CLIENT, NS_FORWARD, NS_PAGES

HELD = [ArchiveRow(f"id-{number}", Key(1, number)) for number in range(1, 8)]
PER_PAGE = 3


class Holder:
    """Answers queries from HELD, three rows at a time; `failure` is an answer or an error in place of it."""

    def __init__(self, failure: str | Exception | None = None) -> None:
        self.archive = Archive(self.answer)
        self.asked: list[str | None] = []
        self._failure = failure

    def answer(self, query: Query) -> None:
        self.asked.append(query.after)
        if isinstance(self._failure, Exception):
            self.archive.fail(self._failure)
            return
        after = [row.archive_id for row in HELD].index(query.after) + 1 if query.after else 0
        rows = HELD[after : after + PER_PAGE]
        for row in rows:
            self.archive.take(parse_fragment(result(query.name, row), NS_CLIENT))
        complete = after + PER_PAGE >= len(HELD)
        self.archive.end(parse_fragment(self._failure or finish(query.name, rows, complete), NS_CLIENT))


def result(name: str, row: ArchiveRow) -> str:
    message = f"<message xmlns='{NS_CLIENT}'><body>{row.key.text}</body></message>"
    attributes = f"xmlns='{NS_ARCHIVE}' queryid='{name}' id='{row.archive_id}'"
    return f"<result {attributes}><forwarded xmlns='{NS_FORWARD}'>{message}</forwarded></result>"


def finish(name: str, rows: list[ArchiveRow], complete: bool) -> str:
    last = f"<last>{rows[-1].archive_id}</last>" if rows else ""
    attribute = " complete='true'" if complete else ""
    page = f"<set xmlns='{NS_PAGES}'>{last}</set>"
    return f"<iq type='result' id='{name}'><fin xmlns='{NS_ARCHIVE}'{attribute}>{page}</fin></iq>"


def rows_of(pages: AsyncIterator[list[ArchiveRow]]) -> list[ArchiveRow]:
    async def read() -> list[ArchiveRow]:
        return [row async for page in pages for row in page]

    return asyncio.run(read())


def test_a_refused_page_is_an_error():
    holder = Holder("<iq type='error' id='page-1'/>")
    with pytest.raises(RefusedPage):
        rows_of(holder.archive.catch_up())
    assert not holder.archive.is_caught_up


def test_a_lost_connection_is_an_error():
    holder = Holder(ConnectionError("lost"))
    with pytest.raises(ConnectionError):
        rows_of(holder.archive.catch_up())
    assert not holder.archive.is_caught_up


def test_answers_to_other_questions_are_ignored():
    holder = Holder()
    holder.archive.end(parse_fragment("<iq type='error' id='page-99'/>", NS_CLIENT))
    holder.archive.take(parse_fragment(result("page-99", HELD[0]), NS_CLIENT))
    assert rows_of(holder.archive.pages(None)) == HELD


def test_all_pages_are_read():
    holder = Holder()
    assert rows_of(holder.archive.pages(None)) == HELD
    assert holder.asked == [None, "id-3", "id-6"]


def test_catching_up_goes_on_where_it_was():
    holder = Holder()
    assert rows_of(holder.archive.catch_up()) == HELD
    assert rows_of(holder.archive.catch_up()) == []
    assert holder.asked[-1] == "id-7"


def test_what_comes_on_the_stream_counts_only_after_all_that_is_older():
    holder = Holder()
    holder.archive.saw("id-5")
    assert rows_of(holder.archive.catch_up()) == HELD
    again = Holder()
    again.archive.is_caught_up = True
    again.archive.saw("id-5")
    assert rows_of(again.archive.catch_up()) == HELD[5:]
