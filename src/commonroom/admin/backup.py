"""Backups: one file with the database of one moment, made while the service runs; and back again."""

import hashlib
import io
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from commonroom import __version__
from commonroom.admin.errors import AdminError, AlreadyThere, BadBackup
from commonroom.admin.lock import StateLock
from commonroom.admin.places import SQLITE_FILE, database_url, shared_key_pair
from commonroom.config import Settings
from commonroom.storage.database import inspect_database
from commonroom.storage.errors import CannotOpen
from commonroom.storage.migrations import VERSION_TABLE
from commonroom.storage.tables import metadata

MANIFEST = "manifest.json"
CONFIGURATION = "commonroom.toml"
DUMP = "commonroom.dump"  # of PostgreSQL
FORMAT = 1
BLOCK = 1 << 20
# What the programs of PostgreSQL are told by the environment: no list of processes shows it.
PG_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; `sha256` is that of each file in it."""

    format: int
    version: str
    made: str
    database: str
    sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was made, or looked at; `accounts` are those in it."""

    file: str
    made: str
    version: str
    revision: str
    accounts: int
    bytes: int


def back_up(settings: Settings, configuration: Path | None, file: Path, now: datetime) -> BackedUp:
    """Make a backup, and open it to see that it is one; never over another file.

    Blocks; the service may run. Raises AdminError.
    """
    if file.exists():
        raise AlreadyThere(f"{file}: it exists already; name another file")
    with working_folder(file.absolute().parent) as folder:
        database = copy_database(settings, folder)
        members = [database, *_copies(settings, configuration, folder)]
        manifest = Manifest(
            FORMAT,
            __version__,
            f"{now:%Y-%m-%dT%H:%M:%SZ}",
            database.name,
            {member.name: _sha256(member) for member in members},
        )
        unfinished = folder / "backup.tar"
        _pack(unfinished, manifest, members)
        found = check_backup(unfinished, settings, folder)
        os.link(unfinished, file)
    return BackedUp(str(file), found.made, found.version, found.revision, found.accounts, found.bytes)


def check_backup(file: Path, settings: Settings, beside: Path | None = None) -> BackedUp:
    """Open what a backup would restore, without restoring it. Raises AdminError.

    For that it is unpacked, in the folder for temporary files if no other one is named.
    """
    with working_folder(beside) as folder:
        manifest = _unpack(file, folder)
        revision, accounts = _look_inside(folder, manifest, settings)
    return BackedUp(str(file), manifest.made, manifest.version, revision, accounts, file.stat().st_size)


def restore(settings: Settings, file: Path, replace: bool, now: datetime) -> BackedUp:
    """Put the database of a backup in place, when it was opened and found good; the service must not run.

    With `replace`, a database that is there is set aside under another name (SQLite) or overwritten
    (PostgreSQL). Raises AdminError, StateError.
    """
    with StateLock(settings.state), working_folder(settings.state) as folder:
        manifest = _unpack(file, folder)
        if (manifest.database == DUMP) != (settings.database.url != "sqlite"):
            raise BadBackup(f"{file}: it is of another kind of database than database.url")
        revision, accounts = _look_inside(folder, manifest, settings)
        if manifest.database == DUMP:
            restore_dump(settings, folder / DUMP, replace)
            revision = inspect_database(database_url(settings), settings.state) or ""
        else:
            _put_in_place(folder / SQLITE_FILE, settings.state / SQLITE_FILE, replace, now)
    return BackedUp(str(file), manifest.made, manifest.version, revision, accounts, file.stat().st_size)


@contextmanager
def working_folder(beside: Path | None) -> Iterator[Path]:
    """For this account's eyes; on the same disk as what it is beside, so that files can be moved there."""
    try:
        with TemporaryDirectory(prefix=".commonroom-", dir=beside) as name:
            yield Path(name)
    except OSError as error:
        place = beside or error.filename or "the folder for temporary files"
        raise AdminError(f"{place}: it cannot be written ({error.strerror})") from None


# Making


def copy_database(settings: Settings, folder: Path) -> Path:
    """The database as it is at one moment, in a file in this folder; raises AdminError."""
    if settings.database.url != "sqlite":
        _run("pg_dump", settings, "--format=custom", "--no-owner", f"--file={folder / DUMP}")
        return folder / DUMP
    source = settings.state / SQLITE_FILE
    if not source.exists():
        raise AdminError(f"{source}: there is no database to back up")
    target = folder / SQLITE_FILE
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)  # in one step: all of one moment, and nobody who writes waits for it
    except sqlite3.Error as error:
        raise AdminError(f"{source}: it cannot be read ({error})") from None
    return target


def _copies(settings: Settings, configuration: Path | None, folder: Path) -> Iterator[Path]:
    """The configuration; and certificate and key, if they are in the state folder."""
    wanted = {} if configuration is None else {CONFIGURATION: configuration}
    for each in shared_key_pair(settings):
        if each.parent == settings.state:
            wanted[each.name] = each
    for name, file in wanted.items():
        if file.is_file():
            yield Path(shutil.copyfile(file, folder / name))


def _pack(file: Path, manifest: Manifest, members: list[Path]) -> None:
    about = json.dumps(asdict(manifest), indent=2).encode()
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            head = tarfile.TarInfo(MANIFEST)
            head.size, head.mode = len(about), 0o600
            tar.addfile(head, io.BytesIO(about))
            for member in members:
                tar.add(member, member.name, filter=_for_the_owner)
        out.flush()
        os.fsync(out.fileno())


def _for_the_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "", ""
    return entry


# Looking


def _unpack(file: Path, folder: Path) -> Manifest:
    """Only what the manifest names, under plain names, with the sums that it says."""
    try:
        with _opened(file) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            manifest = _manifest(file, tar)
            for name, sha256 in manifest.sha256.items():
                member = tar.extractfile(name)
                if member is None or Path(name).name != name:
                    raise BadBackup(f"{file}: {name} in it is no file")
                with (folder / name).open("wb") as out:
                    shutil.copyfileobj(member, out, BLOCK)
                if _sha256(folder / name) != sha256:
                    raise BadBackup(f"{file}: {name} in it is damaged; take another backup")
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise BadBackup(f"{file}: this is not a whole backup ({error}); take another one") from None
    return manifest


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise BadBackup(f"{file}: there is no such file") from None
    except OSError as error:
        raise BadBackup(f"{file}: it cannot be read ({error.strerror})") from None


def _manifest(file: Path, tar: tarfile.TarFile) -> Manifest:
    member = tar.extractfile(MANIFEST)
    try:
        found: Mapping[str, object] = json.loads(b"" if member is None else member.read(BLOCK))
        manifest = Manifest(**found)  # type: ignore[arg-type]  # looked at below
    except (ValueError, TypeError):
        manifest = None
    if manifest is None or not _is_known(manifest):
        raise BadBackup(f"{file}: this program does not know such backups; use the one that made it")
    return manifest


def _is_known(manifest: Manifest) -> bool:
    is_of_ours = manifest.format == FORMAT and manifest.database in (SQLITE_FILE, DUMP)
    return is_of_ours and isinstance(manifest.sha256, dict)


def _look_inside(folder: Path, manifest: Manifest, settings: Settings) -> tuple[str, int]:
    """The revision of the tables, and how many accounts there are; raises BadBackup."""
    if manifest.database == DUMP:
        _run("pg_restore", settings, "--list", str(folder / DUMP))
        return "", -1  # a dump tells when it is restored
    try:
        accounts = sound(folder / SQLITE_FILE)
        revision = inspect_database(database_url(settings), folder)
    except (sqlite3.Error, CannotOpen) as error:
        raise BadBackup(f"the database in the backup cannot be used: {error}") from None
    return revision or "", accounts


def sound(file: Path) -> int:
    """Look through a database file: how many accounts are in it. Raises BadBackup or sqlite3.Error."""
    with closing(sqlite3.connect(file)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            raise BadBackup(f"the copy of the database is damaged: {said}")
        (accounts,) = connection.execute("SELECT count(*) FROM account").fetchone()
    return int(accounts)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# Restoring


def _put_in_place(restored: Path, target: Path, replace: bool, now: datetime) -> None:
    if target.exists() and not replace:
        raise AlreadyThere(f"{target}: there is a database; say --replace to set it aside")
    aside = f"before-restore-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    # With it goes what belongs to it: the journal of another database would be applied to this one.
    for suffix in ("", "-wal", "-shm"):
        old = target.with_name(target.name + suffix)
        if old.exists():
            old.rename(target.with_name(f"{target.name}.{aside}{suffix}"))
    restored.chmod(0o600)
    restored.rename(target)


def restore_dump(settings: Settings, dump: Path, replace: bool) -> None:
    """Fill a database of PostgreSQL with what a dump says, all or nothing; raises AdminError.

    What is replaced may have tables that the dump does not know, and that depend on those that it does.
    """
    script, first = dump.with_suffix(".sql"), dump.with_suffix(".first.sql")
    clean = ("--clean", "--if-exists") if replace else ()
    _run("pg_restore", settings, *clean, "--no-owner", f"--file={script}", str(dump))
    drop = f"DROP TABLE IF EXISTS {', '.join((*metadata.tables, VERSION_TABLE))} CASCADE;\n"
    first.write_text(f"SET client_min_messages = error;\n{drop if replace else ''}")
    options = (
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--no-psqlrc",
        "--quiet",
        "--output=/dev/null",
    )
    _run("psql", settings, *options, f"--file={first}", f"--file={script}")


def _run(program: str, settings: Settings, *options: str) -> None:
    """One of PostgreSQL's own programs; raises AdminError with what it says."""
    try:
        done = subprocess.run(
            (program, *options), env={**os.environ, **_variables(settings)}, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise AdminError(f"{program}: it is not installed; install PostgreSQL's client programs") from None
    if done.returncode:
        raise AdminError(f"{program}: {done.stderr.strip()[-1000:]}")


def _variables(settings: Settings) -> Mapping[str, str]:
    # Not at the top: the driver would be in the memory of every service, whatever its database.
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    found = conninfo_to_dict(settings.database.url)
    return {PG_VARIABLES[name]: str(value) for name, value in found.items() if name in PG_VARIABLES and value}
