"""Making many accounts from a file: all lines are checked before anything is written."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from commonroom.admin.accounts import local_address, made
from commonroom.admin.errors import AdminError, BadAddress
from commonroom.admin.registry import Registry
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import prepare_password
from commonroom.storage.errors import StorageError
from commonroom.storage.records import Account

# How many accounts are looked up, and written, at once.
CHUNK = 250
# Derived while others are written: enough that no core waits.
CHUNKS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file."""

    line: int
    jid: JID
    password: str = field(repr=False)


class BadLine(NamedTuple):
    """What is wrong with a line; never repeats any of it, since all of it may be a password."""

    line: int
    text: str


class ImportRefused(Exception):  # noqa: N818 - what happened
    """Nothing was imported; `lines` says why, for each line that is wrong."""

    def __init__(self, lines: Sequence[BadLine]) -> None:
        super().__init__(f"{len(lines)} lines are wrong; nothing was imported")
        self.lines = tuple(lines)


class Imported(NamedTuple):
    """How many accounts were made, and of how many the password was changed."""

    new: int
    updated: int


class _Existing(NamedTuple):
    created: datetime
    disabled: bool


def read_entries(data: bytes, domains: tuple[str, ...], domain: str | None = None) -> list[Entry]:
    """Read lines `localpart:password` or `address:password`; raises ImportRefused, BadAddress for `domain`.

    What has no @ belongs to `domain`, or to the default one. The password is all behind the first colon.
    Empty lines, and lines that begin with #, say nothing.
    """
    home = domains[0] if domain is None else local_address(domains, domain, is_account=False).domain
    entries: dict[JID, Entry] = {}
    bad: list[BadLine] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            entry = _entry(number, line, domains, home)
            if (first := entries.setdefault(entry.jid, entry)) is not entry:
                raise ValueError(f"{entry.jid} is on line {first.line} already; remove one of the two")
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
    if bad:
        raise ImportRefused(bad)
    return list(entries.values())


def _entry(number: int, line: bytes, domains: tuple[str, ...], home: str) -> Entry:
    """One line; raises ValueError with what to do."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ValueError("this is not UTF-8; save the file in that encoding")
    name, colon, password = text.partition(":")
    if not colon:
        raise ValueError("there is no colon; write localpart:password")
    jid = _address(name, domains, home)
    prepare_password(password)
    return Entry(number, jid, password)


def _address(name: str, domains: tuple[str, ...], home: str) -> JID:
    try:
        return local_address(domains, name if "@" in name else f"{name}@{home}")
    except BadAddress:
        pass
    # Raised here, without a word of the line: what stands before the colon may not be meant as an address.
    served = ", ".join(domains)
    raise ValueError(f"before the colon is no localpart, and no address at a configured domain ({served})")


async def import_accounts(
    registry: Registry,
    entries: Sequence[Entry],
    update: bool = False,
    progress: Callable[[int], object] = lambda done: None,
) -> Imported:
    """Make the accounts, or, with `update`, change the passwords of those that exist.

    `progress` hears of each further number that is written. Raises ImportRefused before anything is
    written, and AdminError if the database takes no more; what was written until then stays.
    """
    if listed := [entry for entry in entries if registry.listed(entry.jid) is not None]:
        raise ImportRefused([_listed(entry) for entry in listed])
    existing = await _existing(registry, entries)
    if existing and not update:
        raise ImportRefused([_exists(entry) for entry in entries if entry.jid in existing])
    done = 0
    try:
        async for accounts in _derived(registry, entries):
            done += await registry.stores.accounts.put_many(_kept(each, existing) for each in accounts)
            progress(len(accounts))
    except StorageError as error:
        instead = "import the file again, with updates allowed"
        raise AdminError(f"{error}; {done} of {len(entries)} accounts were imported; {instead}") from error
    return Imported(len(entries) - len(existing), len(existing))


def _listed(entry: Entry) -> BadLine:
    return BadLine(entry.line, f"{entry.jid} is in the files that accounts come from; remove the line")


def _exists(entry: Entry) -> BadLine:
    return BadLine(entry.line, f"{entry.jid} exists already; allow updates, or remove the line")


async def _existing(registry: Registry, entries: Sequence[Entry]) -> dict[JID, _Existing]:
    found: dict[JID, _Existing] = {}
    for chunk in _chunks(entries):
        for account in await asyncio.gather(*(registry.stores.accounts.get(entry.jid) for entry in chunk)):
            if account is not None:
                found[account.jid] = _Existing(account.created, account.disabled)
    return found


def _kept(account: Account, existing: dict[JID, _Existing]) -> Account:
    before = existing.get(account.jid)
    return account if before is None else replace(account, created=before.created, disabled=before.disabled)


async def _derived(registry: Registry, entries: Sequence[Entry]) -> AsyncIterator[list[Account]]:
    """Accounts with their keys, chunk by chunk; hashing lets other threads run, so all cores work."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "import") as threads:
        ahead: deque[asyncio.Future[list[Account]]] = deque()
        for chunk in _chunks(entries):
            work = (loop.run_in_executor(threads, made, registry, e.jid, e.password) for e in chunk)
            ahead.append(asyncio.gather(*work))
            if len(ahead) > CHUNKS_AHEAD:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()


def _chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]
