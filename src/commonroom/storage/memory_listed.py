"""What becomes of listed accounts, in memory; see `interfaces.ListedStore`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.storage.memory_archive import MemoryArchiveStore
from commonroom.storage.records import Account, Renaming
from commonroom.storage.stamps import from_stamp, to_stamp


class _Memory(Protocol):
    """What the stores in memory share."""

    kept: dict[JID, Any]
    archive: MemoryArchiveStore

    def write(self, account: JID) -> Any | None:
        """Begin a write."""

    def next_revision(self) -> int:
        """Count a change."""


class MemoryListedStore:
    """See `interfaces.ListedStore`."""

    def __init__(self, memory: _Memory) -> None:
        self._memory = memory

    def depart(self, accounts: Sequence[JID], at: int) -> None:
        """They left."""
        self._change(
            accounts,
            lambda account: bool(account.origin) and account.departed is None,
            departed=from_stamp(at),
        )

    def restore(self, accounts: Sequence[JID]) -> None:
        """They are back."""
        self._change(accounts, lambda account: account.departed is not None, departed=None)

    def outdate(self, accounts: Sequence[JID]) -> None:
        """They have other hashes."""
        self._change(accounts, lambda _: True, keys=(), verifier="")

    def rename(self, renamings: Sequence[Renaming]) -> None:
        """Give accounts other addresses."""
        memory = self._memory
        moving = []
        for one in renamings:
            kept = memory.write(one.former)
            revision = memory.next_revision()
            if kept is not None:
                moving.append((one, revision, kept, memory.archive.kept.pop(one.former)))
                del memory.kept[one.former]
        for one, revision, kept, archive in moving:
            there = memory.kept.get(one.new)
            if there is not None and there.account.departed is None:
                memory.kept[one.former], memory.archive.kept[one.former] = kept, archive
                continue
            kept.account = replace(kept.account, jid=one.new, changed=revision)
            memory.kept[one.new], memory.archive.kept[one.new] = kept, archive

    def keep_keys(self, account: JID, keys: Sequence[ScramKeys], verifier: str) -> None:
        """Keep derived keys."""
        kept = self._memory.write(account)
        if kept is not None and kept.account.origin:
            kept.account = replace(kept.account, keys=tuple(keys), verifier=verifier)

    async def departed(self, before: int, limit: int) -> tuple[Account, ...]:
        """Those that left longest ago."""
        found = []
        for kept in self._memory.kept.values():
            at = kept.account.departed
            if at is not None and to_stamp(at) < before:
                found.append((at, kept.account))
        found.sort(key=lambda pair: pair[0])
        return tuple(account for _, account in found[:limit])

    async def page(self, after: JID | None, limit: int) -> tuple[Account, ...]:
        """All that are or were listed."""
        accounts = (
            self._memory.kept[jid].account for jid in sorted(self._memory.kept) if jid > (after or "")
        )
        return tuple(account for account in accounts if account.origin)[:limit]

    def _change(self, accounts: Sequence[JID], applies: Callable[[Account], bool], **values: object) -> None:
        for jid in accounts:
            kept = self._memory.write(jid)
            revision = self._memory.next_revision()
            if kept is not None and applies(kept.account):
                kept.account = replace(kept.account, changed=revision, **values)
