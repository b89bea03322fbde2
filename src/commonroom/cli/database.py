"""`commonroom database`: what there is, and bringing that of an older version up to date."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from commonroom.admin.errors import AdminError
from commonroom.admin.lock import StateError, StateLock
from commonroom.admin.upgrade import State, Trial, Upgraded, attempt, backup_before, state_of, upgrade
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, explained, json_option, print_json, settings_of
from commonroom.cli.with_registry import note_command
from commonroom.config import Settings


@click.group(cls=Group)
def database() -> None:
    """See the database, and bring that of an older version up to date."""


@database.command()
@json_option
@config_option
def show(as_json: bool, path: Path) -> None:
    """Show where the database is, how large, and of which version its tables are.

    \b
    Example:
      commonroom database show
    """
    with explained(AdminError):
        state = state_of(settings_of(path))
    if as_json:
        print_json(asdict(state))
    else:
        click.echo(_state(state))


@database.command("upgrade")
@click.option("--dry-run", is_flag=True, help="Try it on a copy, and say how it went; nothing is changed.")
@click.option(
    "--copy",
    metavar="PLACE",
    help="Where that copy is made: a folder (SQLite), or the URL of an empty database (PostgreSQL).",
)
@click.option(
    "--backup", type=click.Path(path_type=Path), help="The backup's file.  [default: in the state folder]"
)
@click.option("--no-backup", is_flag=True, help="Make none, because there is one.")
@json_option
@config_option
def upgrade_(
    dry_run: bool, copy: str | None, backup: Path | None, no_backup: bool, as_json: bool, path: Path
) -> None:
    """Change the tables of an older version to those of this one.

    All in one transaction: it is done, or nothing has changed. Before that a backup is made, and opened. The
    service must be stopped, unless it is a dry run. A start of the service does the same by itself.

    \b
    Examples:
      commonroom database upgrade --dry-run
      commonroom database upgrade --backup /backup/before-upgrade.tar
    """
    if copy is not None and not dry_run:
        raise click.UsageError("--copy is for --dry-run")
    if backup is not None and (no_backup or dry_run):
        raise click.UsageError("--backup excludes --no-backup and --dry-run")
    settings = settings_of(path)
    trial = done = None
    with explained(AdminError, StateError):
        state = state_of(settings)
        if state.is_old and dry_run:
            trial = attempt(settings, copy) if copy or settings.database.url == "sqlite" else None
        elif state.is_old:
            done = _upgrade(settings, path, state, None if no_backup else backup or Path())
    if as_json:
        print_json({**asdict(state), "trial": trial and asdict(trial), "done": done and asdict(done)})
        return
    click.echo(_state(state))
    if dry_run and state.is_old:
        click.echo(_untried() if trial is None else _tried(state, trial))
    elif done is not None:
        click.echo(_done(state, done))


def _upgrade(settings: Settings, path: Path, state: State, backup: Path | None) -> Upgraded:
    """With a backup in this file, or where it goes if the path is empty; and the record of it."""
    now = datetime.now(UTC)
    if backup == Path():
        backup = backup_before(settings, state.revision, now)
    with StateLock(settings.state):
        done = upgrade(settings, path, backup, now)
    facts = {"from": str(state.revision), "to": state.newest, "backup": done.backup or "none"}
    note_command(path, "database upgrade", facts)
    return done


def _state(state: State) -> str:
    lines = [f"{state.database}: {_size(state.bytes)}"]
    if state.revision is None:
        lines.append("It has no tables; the first start makes them. There is nothing to do.")
    elif not state.is_old:
        lines.append(
            f"Its tables are at {state.revision}, as this program wants them. There is nothing to do."
        )
    else:
        lines.append(
            f"Its tables are at {state.revision}; this program works with {state.newest}. To be done:"
        )
        lines += [f"  {step}" for step in state.steps]
    return "\n".join(lines)


def _tried(state: State, trial: Trial) -> str:
    left = "" if trial.place is None else f"The copy is still in {trial.place}; remove it.\n"
    return f"""\
Tried on a copy, which was opened afterwards: it works.
  copying     {trial.copying:.1f} s (the backup takes as long)
  changing    {trial.changing:.1f} s; nobody can be connected meanwhile
  size after  {_size(trial.bytes)} (before: {_size(state.bytes)})
{left}Nothing was changed. To do it: stop the service, then start this version, or run
`commonroom database upgrade`. A backup is made first."""


def _untried() -> str:
    return """\
Nothing was changed, and it was not tried: for that, make an empty database on a server of the same kind, and
name it: `commonroom database upgrade --dry-run --copy postgresql://…/trial`."""


def _done(state: State, done: Upgraded) -> str:
    backup = "There is no backup of it." if done.backup is None else f"The backup of before: {done.backup}"
    return f"Done in {done.seconds:.1f} s: the tables are at {state.newest}. {backup}"


def _size(count: int) -> str:
    return f"{count / 1024**2:.1f} MiB"
