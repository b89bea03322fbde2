"""Bringing a database of an older version up to date: tried on a copy, and never without a backup."""

import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from commonroom.admin.backup import back_up, copy_database, restore_dump, sound, working_folder
from commonroom.admin.errors import AdminError, BadArgument
from commonroom.admin.places import SQLITE_FILE, database_url
from commonroom.config import Settings
from commonroom.config.addresses import DatabaseUrl
from commonroom.config.kinds import RefusedError
from commonroom.config.schema import Database
from commonroom.storage.database import database_facts, upgrade_database
from commonroom.storage.errors import CannotOpen
from commonroom.storage.migrations import REVISIONS

log = logging.getLogger(__name__)

# Of the database's size: what a copy takes on the disk, and what the change of it may.
ROOM = 2.2


@dataclass(frozen=True, slots=True)
class State:
    """A database, and what this program would change of it; `revision` is None if it has no tables."""

    database: str
    revision: str | None
    newest: str
    steps: tuple[str, ...]
    bytes: int

    @property
    def is_old(self) -> bool:
        """Whether there is something to do."""
        return bool(self.steps)


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went on a copy; `place` is where the copy is, if it is still there. Times in seconds."""

    copying: float
    changing: float
    bytes: int
    place: str | None


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What was done; `backup` was made before."""

    backup: str | None
    seconds: float
    bytes: int


def state_of(settings: Settings) -> State:
    """Changes nothing; also beside a service that runs. Raises AdminError, for a newer database as well."""
    file = settings.state / SQLITE_FILE
    if settings.database.url == "sqlite" and not file.exists():
        raise AdminError(f"{file}: there is no database; the first start makes it")
    with _told():
        shown, revision, size = database_facts(database_url(settings), settings.state)
    steps = _steps_after(revision) if revision not in (None, REVISIONS[-1]) else ()
    return State(shown, revision, REVISIONS[-1], steps, size)


def attempt(settings: Settings, place: str | None = None) -> Trial:
    """Upgrade a copy, and open it; the database itself is only read, the service may run. Raises AdminError.

    `place` is a folder for the copy of an SQLite file (otherwise it is beside it), or the URL of an empty
    PostgreSQL database.
    """
    if settings.database.url == "sqlite":
        return _attempt_file(settings, settings.state if place is None else Path(place))
    if place is None:
        raise BadArgument("a copy needs a database: make an empty one, and name its URL with --copy")
    return _attempt_server(settings, place)


def upgrade(settings: Settings, configuration: Path | None, backup: Path | None, now: datetime) -> Upgraded:
    """Change the tables, in one transaction; `backup` is the file of the backup that is made before.

    Whoever calls holds the lock of the state folder. Raises AdminError: then nothing has changed.
    """
    if backup is not None:
        back_up(settings, configuration, backup, now)
    begun = time.monotonic()
    with _told():
        upgrade_database(database_url(settings), settings.state)
        facts = database_facts(database_url(settings), settings.state)
    return Upgraded(None if backup is None else str(backup), time.monotonic() - begun, facts.bytes)


def upgrade_at_start(settings: Settings, now: datetime) -> None:
    """As the service does when it finds older tables. Raises AdminError: then nothing has changed."""
    state = state_of(settings)
    file = backup_before(settings, state.revision, now)
    facts = {"before": state.revision, "after": state.newest, "backup": str(file)}
    log.info("the database is of an older version and is brought up to date", extra=facts)
    try:
        done = upgrade(settings, None, file, now)
    except AdminError as error:
        instead = "see to that, or run `commonroom database upgrade` (--backup, --no-backup)"
        raise AdminError(f"the database is not brought up to date: {error}; {instead}") from None
    log.info("the database is up to date", extra={"seconds": round(done.seconds, 1)})


def backup_before(settings: Settings, revision: str | None, now: datetime) -> Path:
    """Where the backup goes, if nobody says."""
    return settings.state / f"before-upgrade-from-{revision}-{now:%Y%m%dT%H%M%S}.tar"


def _steps_after(revision: str | None) -> tuple[str, ...]:
    # Not at the top: importing Alembic takes longer than most commands.
    from commonroom.storage.migrations.upgrade import steps_after  # noqa: PLC0415

    return steps_after(revision or "base")


def _attempt_file(settings: Settings, place: Path) -> Trial:
    state = state_of(settings)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise BadArgument(
            f"{place}: a copy cannot be there ({error.strerror}); name another folder"
        ) from None
    if free < state.bytes * ROOM:
        wanted = int(state.bytes * ROOM)
        raise AdminError(f"{place}: a copy may take {wanted} bytes, {free} are free; name another folder")
    with working_folder(place) as folder:
        begun = time.monotonic()
        copy_database(settings, folder)
        copied = time.monotonic()
        before = _sound(folder)
        done = upgrade(replace(settings, state=folder), None, None, datetime.min)
        if _sound(folder) != before:
            raise AdminError("on the copy, accounts were lost; change nothing, and please report this")
        return Trial(copied - begun, done.seconds, done.bytes, None)


def _sound(folder: Path) -> int:
    try:
        return sound(folder / SQLITE_FILE)
    except sqlite3.Error as error:
        raise AdminError(f"the copy of the database cannot be read: {error}; restore a backup") from None


def _attempt_server(settings: Settings, place: str) -> Trial:
    there = replace(settings, database=Database(url=_server(place)))
    found = state_of(there)
    if found.revision is not None:
        raise BadArgument(f"{found.database}: it is not empty; make an empty database for the copy")
    with working_folder(None) as folder:
        begun = time.monotonic()
        restore_dump(there, copy_database(settings, folder), replace=False)
        copied = time.monotonic()
    done = upgrade(there, None, None, datetime.min)
    return Trial(copied - begun, done.seconds, done.bytes, found.database)


def _server(place: str) -> str:
    try:
        url = DatabaseUrl().read(place)
    except RefusedError as refusal:
        raise BadArgument(f"--copy: {refusal}") from None
    if url == "sqlite":
        raise BadArgument("--copy: the database is of PostgreSQL; name one of its kind")
    return url


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CannotOpen as error:
        raise AdminError(str(error)) from None
