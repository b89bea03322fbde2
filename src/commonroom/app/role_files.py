"""Reads the files that say who has which role, and again when they change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from commonroom.accounts.entries import Faults
from commonroom.accounts.line_files import Stamp, Unreadable, stamp
from commonroom.accounts.name_files import read_names
from commonroom.admin.roles import Roles, role_files
from commonroom.config import Settings
from commonroom.config.records import Role
from commonroom.protocol.jid import JID

log = logging.getLogger(__name__)

# Files are looked at so often, in seconds; what changed is read when it was the same twice.
LOOK_EVERY = 1.0

Stamps = dict[Path, Stamp | None]
Thread = Callable[[Callable[[], object]], Awaitable[object]]


class RoleFiles:
    """What cannot be read changes nothing; at the start, nobody has a role by such a file.

    Roles go as soon as a file says so, however many: nobody has to confirm that.
    """

    def __init__(self, settings: Callable[[], Settings], roles: Roles, in_thread: Thread) -> None:
        """`settings` are those in force; `in_thread` runs what may wait for a disk."""
        self._settings = settings
        self._roles = roles
        self._in_thread = in_thread
        self._seen: Stamps = {}
        self._used: Stamps = {}
        self._listed: dict[Role, frozenset[JID]] = {}
        self._alarms: dict[Role, str] = {}

    async def open(self) -> None:
        """Read them now."""
        await self.look()
        await self.look()

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Whether something changed, and has stayed so since the last look."""
        files = role_files(self._settings())
        stamps: Stamps = {}
        await self._in_thread(lambda: stamps.update(_stamps(files)))
        if stamps == self._used or stamps != self._seen:
            self._seen = stamps
            return
        self._used = stamps
        for role, paths in files.items():
            await self._read(role, paths)
        self._roles.use_listed(self._listed)

    async def _read(self, role: Role, paths: tuple[Path, ...]) -> None:
        before = self._listed.get(role, frozenset())
        found: list[frozenset[JID]] = []
        faults = Faults()
        domains = self._settings().domains
        try:
            await self._in_thread(lambda: found.append(read_names(paths, domains, faults)))
        except Unreadable as error:
            self._used = {}  # it is tried again
            if str(error) != self._alarms.get(role):
                event = "a file of roles cannot be read; what it said before counts"
                log.warning(event, extra={"reason": str(error)})
            self._alarms[role] = str(error)
            return
        self._alarms.pop(role, None)
        self._listed[role] = found[0]
        if faults.count:
            log.warning(f"a file of roles has {faults.count} faults", extra={"reason": faults.texts[0]})
        for account in sorted(found[0] - before):
            log.info("role given", extra={"jid": account, "role": role.value})
        for account in sorted(before - found[0]):
            log.info("role taken away", extra={"jid": account, "role": role.value})


def in_default_thread(work: Callable[[], object]) -> Awaitable[object]:
    """Beside the loop."""
    return asyncio.get_running_loop().run_in_executor(None, work)


def _stamps(files: Mapping[Role, tuple[Path, ...]]) -> Stamps:
    return {path: stamp(path) for paths in files.values() for path in paths}
