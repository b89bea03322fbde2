"""Watches the files that accounts come from, and lets their changes become true, or holds them back."""

import asyncio
import logging
import math
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

from commonroom.accounts.libcrypt import NoLibcrypt, available
from commonroom.accounts.line_files import Stamp, Unreadable, stamp
from commonroom.accounts.plan import ChangeKind, Plan, is_snapshot, read_plan
from commonroom.admin.account_files import (
    CONFIRMED,
    NEXT,
    FilesState,
    FilesStatus,
    builder,
    confirmed_by,
    files_of,
    hold_rule,
    write_status,
)
from commonroom.admin.lock import StateError
from commonroom.admin.places import accounts_folder, snapshot_in_force
from commonroom.app.composition import Core
from commonroom.audit.tags import Tag
from commonroom.config import Settings
from commonroom.core.lifecycle import Lifecycle
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes
from commonroom.storage.records import Renaming

log = logging.getLogger(__name__)

T = TypeVar("T")
Thread = Callable[[Callable[[], T]], Awaitable[T]]

# Files are looked at so often, in seconds; what changed is read when it was the same twice.
LOOK_EVERY = 0.5
# Accounts that change in one step: others have their turn between steps.
STEP = 200
# What could not be read, or put in force, is tried again after so long, if it does not change before.
RETRY_AFTER = 30.0
# An alarm is repeated.
ALARM_EVERY = 3600.0
# How often it is looked for accounts to be erased.
ERASE_EVERY = 600.0


class AccountFilesWatch:
    """`in_thread` runs a function in a thread of its own: files may be on a disk that does not answer."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        writes: Writes,
        in_thread: Thread[object],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._directory = core.accounts.directory
        self._lifecycle: Lifecycle = core.lifecycle
        self._audit = core.audit
        self._writes = writes
        self._in_thread = in_thread
        self._folder = accounts_folder(settings)
        self._current = snapshot_in_force(settings)
        self._read: list[Stamp | None] = []  # as the files were when they were read last
        self._seen: list[Stamp | None] = []
        self._retry_at = math.inf
        self._held: Plan | None = None
        self._alarm: tuple[str, float] = ("", 0.0)
        self._now = now  # seconds since 1970

    async def open(self) -> None:
        """List the accounts as they were when the service ran last; the files are read soon.

        If it never ran with files, they are read now. Raises StateError if that is not possible.
        """
        try:
            available()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not await self._thread(partial(is_snapshot, self._current)):
                await self._thread(self._build_first)
                self._directory.use(self._current)
                await self._reconcile()
            else:
                self._directory.use(self._current)
        except (NoLibcrypt, Unreadable, OSError, sqlite3.Error) as error:
            raise StateError(f"accounts: {error}") from None

    def _build_first(self) -> None:
        path = self._folder / NEXT
        builder(self._settings, None, self._now()).build(path)
        os.replace(path, self._current)

    async def _reconcile(self) -> None:
        """There is nothing to compare the files with but what is kept: perhaps of a backup."""
        missing = await self._lifecycle.reconcile()
        plan = await self._thread(partial(read_plan, self._current))
        self._record(Tag.FILES_CHANGED, plan)
        if missing and (not plan.accounts or len(missing) > hold_rule(self._settings).least):
            log.warning(
                "accounts are missing in the files; what is kept for them stays",
                extra={"accounts": len(missing), "first": missing[0]},
            )
        elif missing:
            await self._lifecycle.depart(missing)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except (StorageError, sqlite3.Error, OSError) as error:
                self._warn("account files cannot be put in force now", str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Whether something changed, and has stayed so since the last look; or was confirmed."""
        stamps = await self._thread(self._stamps)
        held = self._held
        if held is not None and await self._thread(partial(confirmed_by, self._settings, held)) is not None:
            await self._apply(held)
            return
        is_known = stamps == self._read and self._now() < self._retry_at
        if is_known or stamps != self._seen:
            self._seen = stamps
            return
        await self._read_again(stamps)

    def _stamps(self) -> list[Stamp | None]:
        return [stamp(path) for path in files_of(self._settings)]

    async def _read_again(self, stamps: list[Stamp | None]) -> None:
        self._held = None
        self._read, self._retry_at = stamps, self._now() + RETRY_AFTER  # if it fails, the disk perhaps
        try:
            plan = await self._thread(self._build)
        except Unreadable as error:
            await self._tell(FilesState.UNREADABLE, str(error))
            if self._warn("account files cannot be read; what they said before counts", str(error)):
                self._audit.record(Tag.FILES_UNREADABLE, facts={"reason": str(error)})
            return
        reason = plan.hold(hold_rule(self._settings))
        if reason is None or confirmed_by(self._settings, plan) is not None:
            await self._apply(plan)
            self._retry_at = math.inf
            return
        self._held, self._retry_at = plan, math.inf
        await self._tell(FilesState.HELD, reason, plan)
        self._record(Tag.FILES_HELD, plan)
        self._warn("account files are held back; see `commonroom user plan` and `confirm`", reason)

    def _build(self) -> Plan:
        path = self._folder / NEXT
        builder(self._settings, self._current, self._now()).build(path)
        return read_plan(path)

    # A change becomes true

    async def _apply(self, plan: Plan) -> None:
        """May be done again after a failure or a crash: only its end makes it the state to compare with."""
        by = await self._thread(partial(confirmed_by, self._settings, plan))
        if by is not None:
            self._record(Tag.FILES_CONFIRMED, plan, by)
        if not plan.is_empty:
            self._record(Tag.FILES_CHANGED, plan)
        renamings = await self._rename(plan)
        await self._change(plan)
        await self._lifecycle.follow(renamings)
        await self._lifecycle.tell_contacts(renamings)
        await self._writes.flushed()
        await self._thread(partial(self._settle, plan))
        self._held = None
        await self._tell(FilesState.IN_FORCE, "", plan)
        log.info("account files are in force", extra=_counts(plan))
        if plan.fault_count:
            self._warn(f"account files have {plan.fault_count} faults", plan.faults[0])

    async def _rename(self, plan: Plan) -> list[Renaming]:
        """From here on the new files say who is who. Gives what was to be done."""
        renamings = [
            Renaming(change.former, change.address)
            for change in plan.changes(ChangeKind.RENAMED)
            if change.former is not None
        ]
        formers = {one.former for one in renamings}
        news = [one.new for one in renamings if one.new not in formers]
        owners = await self._thread(partial(plan.logins, news))
        logins = await self._lifecycle.logins(one.former for one in renamings)
        await self._lifecycle.make_way(owners)
        self._directory.use(plan.path)
        renamings = [one for one in renamings if self._is_due(one, logins.get(one.former))]
        self._lifecycle.rename(renamings)
        return renamings

    async def _change(self, plan: Plan) -> None:
        """What becomes of accounts beside their addresses."""
        steps = (
            (self._lifecycle.depart, ChangeKind.DEPARTED),
            (self._lifecycle.lock, ChangeKind.LOCKED),
            (self._lifecycle.unlock, ChangeKind.UNLOCKED),
            (self._lifecycle.change, ChangeKind.PASSWORD),
            (self._lifecycle.appear, ChangeKind.ADDED),
        )
        for do, kind in steps:
            for accounts in _in_steps(plan, kind):
                await do(accounts)
                await self._writes.flushed()

    def _is_due(self, renaming: Renaming, login: str | None) -> bool:
        """Not if it was done before a crash, and somebody else has the former address since."""
        listed = self._directory.find(renaming.new)
        return login is None or listed is None or login == listed.login

    def _settle(self, plan: Plan) -> None:
        os.replace(plan.path, self._current)
        (self._folder / CONFIRMED).unlink(missing_ok=True)

    async def _tell(self, state: FilesState, reason: str, plan: Plan | None = None) -> None:
        status = FilesStatus(
            state,
            0 if plan is None else plan.accounts,
            int(self._now()),
            reason,
            "" if plan is None else plan.digest,
            () if plan is None else plan.faults,
        )
        await self._thread(partial(write_status, self._settings, status))

    def _record(self, tag: Tag, plan: Plan, who: str | None = None) -> None:
        self._audit.record(tag, who, facts=_counts(plan))

    def _warn(self, event: str, reason: str) -> bool:
        """Once, and again after a while if it is still so; tells whether."""
        now = time.monotonic()
        if self._alarm[0] == reason and now - self._alarm[1] < ALARM_EVERY:
            return False
        self._alarm = reason, now
        log.warning(event, extra={"reason": reason})
        return True

    async def _thread(self, work: Callable[[], T]) -> T:
        return await self._in_thread(work)  # type: ignore[return-value]


def _counts(plan: Plan) -> dict[str, int]:
    return {"accounts": plan.accounts} | {kind.value: count for kind, count in plan.counts.items() if count}


def _in_steps(plan: Plan, kind: ChangeKind) -> Iterator[list[JID]]:
    changes = (change.address for change in plan.changes(kind))
    while step := list(islice(changes, STEP)):
        yield step


async def erase_departed(lifecycle: Lifecycle) -> None:
    """Accounts whose time is over, a few at a time."""
    while True:
        try:
            more = await lifecycle.erase_some()
        except StorageError as error:
            log.warning("accounts cannot be erased now", extra={"reason": str(error)})
            more = 0
        await asyncio.sleep(0.1 if more else ERASE_EVERY)
