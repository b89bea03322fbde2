"""`commonroom backup` and `commonroom restore`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from commonroom.admin.backup import BackedUp, back_up, check_backup
from commonroom.admin.backup import restore as restore_backup
from commonroom.admin.errors import AdminError
from commonroom.admin.lock import StateError
from commonroom.cli.output import config_option, explained, settings_of
from commonroom.cli.with_registry import note_command
from commonroom.storage.migrations import REVISIONS


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
def backup(file: Path, path: Path) -> None:
    """Write a backup of database and configuration to a file.

    The service may run meanwhile: all of it is as it was at one moment. What was written is opened before the
    command says that it is done.
    FILE is for your eyes only: the keys of passwords are in it.

    \b
    Example:
      commonroom backup /backup/commonroom-2026-03-01.tar
    """
    settings = settings_of(path)
    with explained(AdminError):
        made = back_up(settings, path, file, datetime.now(UTC))
    note_command(path, "backup", {"file": str(file)})
    click.echo(_words(made))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only open the backup and look whether it could be restored.")
@click.option("--replace", is_flag=True, help="There is a database: set it aside (PostgreSQL: overwrite it).")
@config_option
def restore(file: Path, check: bool, replace: bool, path: Path) -> None:
    """Put back the database of a backup; the service must be stopped.

    It is opened and looked through first: a damaged one changes nothing. The configuration in FILE, and the
    certificate, are not put back: `tar -xf FILE commonroom.toml` gives them.

    \b
    Examples:
      commonroom restore --check /backup/commonroom-2026-03-01.tar
      commonroom restore --replace /backup/commonroom-2026-03-01.tar
    """
    settings = settings_of(path)
    with explained(AdminError, StateError):
        if check:
            click.echo(_words(check_backup(file, settings)))
            return
        made = restore_backup(settings, file, replace, datetime.now(UTC))
    if made.revision == REVISIONS[-1]:
        note_command(path, "restore", {"file": str(file)})
    click.echo(_words(made))
    if made.revision != REVISIONS[-1]:
        click.echo(
            "Its tables are of an older version: the next start brings them up to date, after a backup."
        )


def _words(made: BackedUp) -> str:
    accounts = f", {made.accounts} accounts" if made.accounts >= 0 else ""
    revision = f", tables {made.revision}" if made.revision else ""
    about = f"{made.bytes} bytes, of {made.made}, version {made.version}{revision}{accounts}"
    return f"{made.file}: {about}; it is good"
