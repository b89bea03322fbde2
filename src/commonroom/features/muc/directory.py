"""XEP-0045 §6.3: the rooms of a service that strangers may find, page by page."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.loading import config_of, searched
from commonroom.features.muc.room import Room
from commonroom.protocol.errors import feature_not_implemented, item_not_found
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.rsm import PageRequest
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import RoomStore, Writes

USUAL = 100
LARGEST = 500
# Rooms of which one search looks at no more: who looks for what everybody has gets shorter pages.
LOOKED_AT = 2000

Fits = Callable[[str, RoomConfig], bool]


class Entry(NamedTuple):
    """A room in the list."""

    address: JID
    config: RoomConfig


class Page(NamedTuple):
    """Rooms by address; `is_complete` if nothing follows, `total` if that is known."""

    entries: list[Entry]
    is_complete: bool
    total: int | None = None


class Directory:
    """Lists what is public. `temporary` gives the rooms that are in memory only."""

    def __init__(
        self, domain: str, store: RoomStore, writes: Writes, temporary: Callable[[], Iterable[Room]]
    ) -> None:
        self._domain = domain
        self._store = store
        self._writes = writes
        self._temporary = temporary

    async def page(self, asked: PageRequest) -> Page:
        """The page that is asked for; raises feature-not-implemented for one from the end."""
        after, limit = _where(asked)
        await self._written()
        count = await self._store.count(self._domain, public=True) + len(self._unstored(None, _any))
        if limit == 0:
            return Page([], count == 0, count)
        entries, is_complete = await self._find(after, limit, "", _any)
        return Page(entries, is_complete, count)

    async def search(self, asked: PageRequest, words: str, fits: Fits) -> Page:
        """Those that fit; `words` is a text that is in all of them."""
        after, limit = _where(asked)
        await self._written()
        entries, is_complete = await self._find(after, limit, words, fits)
        return Page(entries, is_complete)

    async def _find(self, after: JID | None, limit: int, words: str, fits: Fits) -> tuple[list[Entry], bool]:
        """Two lists in order become one."""
        found: list[Entry] = []
        looked_at, place, is_complete = 0, after, False
        while len(found) <= limit and looked_at < LOOKED_AT and not is_complete:
            heads = await self._store.page(self._domain, place, limit + 1, True, words)
            is_complete = len(heads) <= limit
            looked_at += len(heads)
            found += [e for e in (Entry(h.address, config_of(h)) for h in heads) if _of(e, fits)]
            place = heads[-1].address if heads else place
        last = None if is_complete else place
        more = (e for e in self._unstored(after, fits) if last is None or e.address <= last)
        both = sorted({entry.address: entry for entry in (*found, *more)}.values())
        return both[:limit], is_complete and len(both) <= limit

    def _unstored(self, after: JID | None, fits: Fits) -> list[Entry]:
        public = (
            Entry(r.address, r.config) for r in self._temporary() if r.config.public and not r.is_locked
        )
        return [e for e in public if (after is None or e.address > after) and _of(e, fits)]

    async def _written(self) -> None:
        """What was made just now is in the list."""
        if self._writes.behind:
            with suppress(StorageError):  # was told to whoever wrote it
                await self._writes.flushed()


def matcher(terms: Iterable[str], places: tuple[bool, bool, bool]) -> Fits:
    """All terms are in the address, name or description, as far as these are looked at."""
    wanted = tuple(terms)

    def fits(name: str, config: RoomConfig) -> bool:
        lines = searched(name, config).split("\n")
        seen = "\n".join(line for line, is_looked_at in zip(lines, places, strict=True) if is_looked_at)
        return all(term in seen for term in wanted)

    return fits


def _any(name: str, config: RoomConfig) -> bool:
    return True


def _of(entry: Entry, fits: Fits) -> bool:
    return fits(entry.address.local or "", entry.config)


def _where(asked: PageRequest) -> tuple[JID | None, int]:
    if asked.before is not None:
        raise feature_not_implemented("rooms are listed from the first one; ask for what is after one")
    limit = USUAL if asked.most is None else min(asked.most, LARGEST)
    if asked.after is None:
        return None, limit
    try:
        return JID.parse(asked.after), limit
    except InvalidJID:
        raise item_not_found("there is no such place in the list") from None


def edges(entries: list[Entry]) -> tuple[str | None, str | None]:
    """The first and the last address of a page."""
    return (str(entries[0].address), str(entries[-1].address)) if entries else (None, None)


def shown_name(entry: Entry) -> str:
    """What people see of a room."""
    return entry.config.name or entry.address.local or ""
