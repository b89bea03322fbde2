"""Writing what a new service needs: configuration, folder, certificate, database. Nothing is overwritten."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from commonroom.admin.errors import AdminError, AlreadyThere
from commonroom.admin.places import SQLITE_FILE, database_url, server_key_pairs, shared_key_pair
from commonroom.config import Settings, parse, render
from commonroom.net.certificates import create_self_signed
from commonroom.storage.database import open_database


def setup(written: Settings, path: Path, now: datetime) -> Settings:
    """Write everything, or nothing; gives the settings as they will be read.

    The paths in `written` stand in the file as they are. `now` is aware. Raises AlreadyThere, ConfigError,
    CertificateError, CannotOpen or AdminError.
    """
    text = render(written)
    settings = parse(text, path)
    check_new(*_files(settings, path))
    with ExitStack() as undo:
        _make_folder(path.absolute().parent, 0o755, undo)
        _make_folder(settings.state, 0o700, undo)
        _write_new(path, text, undo)
        _make_certificate(settings, now, undo)
        asyncio.run(_make_database(settings, undo))
        undo.pop_all()
    return settings


def check_new(*files: Path) -> None:
    """Raise AlreadyThere for a file that exists."""
    for file in files:
        if file.exists():
            raise AlreadyThere(
                f"{file}: it exists already; remove it if it is not needed, or name another place"
            )


def _files(settings: Settings, path: Path) -> Iterator[Path]:
    yield path
    if settings.tls.certificate is None:
        yield from shared_key_pair(settings)
    if settings.database.url == "sqlite":
        yield settings.state / SQLITE_FILE


def _make_folder(folder: Path, mode: int, undo: ExitStack) -> None:
    """Make a folder and those above it; the mode is for the folder itself."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(mode if each == folder else 0o755)
            undo.callback(each.rmdir)
    except OSError as error:
        raise AdminError(
            f"{each}: the folder cannot be made ({error.strerror}); name another place"
        ) from None
    if not folder.is_dir():
        raise AdminError(f"{folder}: this is not a folder; name another place")


def _write_new(path: Path, text: str, undo: ExitStack) -> None:
    """The group may read the file, others may not: a database's address may have a password in it."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as file:
            undo.callback(path.unlink)
            file.write(text)
    except OSError as error:
        raise AdminError(f"{path}: it cannot be written ({error.strerror}); name another place") from None


def _make_certificate(settings: Settings, now: datetime, undo: ExitStack) -> None:
    if settings.tls.certificate is None:
        pair = shared_key_pair(settings)
        create_self_signed(pair.certificate, pair.key, tuple(server_key_pairs(settings)), now)
        for file in pair:
            undo.callback(file.unlink)


async def _make_database(settings: Settings, undo: ExitStack) -> None:
    if settings.database.url == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            undo.callback((settings.state / f"{SQLITE_FILE}{suffix}").unlink, missing_ok=True)
    await open_database(database_url(settings), settings.state, asyncio.get_running_loop()).close()
