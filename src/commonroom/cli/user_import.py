"""`commonroom user import`: accounts by the thousand."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from commonroom.admin.errors import AdminError
from commonroom.admin.imports import BadLine, Entry, Imported, ImportRefused, import_accounts, read_entries
from commonroom.cli.output import config_option, explained, json_option, print_json, settings_of, tell
from commonroom.cli.with_registry import note_command, with_registry


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--domain", help="The domain of those without an @.  [default: the first configured one]")
@click.option("--update", is_flag=True, help="Give accounts that exist the passwords of the file.")
@json_option
@config_option
def import_(file: str, domain: str | None, update: bool, as_json: bool, path: Path) -> None:
    """Make many accounts from a file; from standard input, if FILE is -.

    Each line is `localpart:password` or `localpart@domain:password`, in UTF-8. The password is everything
    behind the first colon. Empty lines are skipped, and so are those that begin with #.

    All lines are checked first. If any is wrong, each is named on standard error, and nothing is imported.
    Without --update, an account that exists makes its line wrong.

    \b
    Examples:
      commonroom user import people.txt
      commonroom user import people.txt --domain chat.example.org --update --json
    """
    settings = settings_of(path)
    try:
        with explained(AdminError), click.open_file(file, "rb") as lines:
            entries = read_entries(lines.read(), settings.domains, domain)
        imported = _import(path, entries, update)
    except ImportRefused as refusal:
        _tell_faults(file, refusal.lines, as_json)
        sys.exit(1)
    note_command(path, "user import", {"new": str(imported.new), "updated": str(imported.updated)})
    if as_json:
        print_json({"new": imported.new, "updated": imported.updated, "faults": []})
    else:
        tell(f"{imported.new} accounts were made, {imported.updated} updated.")


def _import(path: Path, entries: Sequence[Entry], update: bool) -> Imported:
    with _progress(len(entries)) as progress:
        return with_registry(path, lambda registry: import_accounts(registry, entries, update, progress))


@contextmanager
def _progress(length: int) -> Iterator[Callable[[int], object]]:
    """A bar at a terminal, else nothing."""
    if sys.stderr.isatty():
        with click.progressbar(length=length, label="Importing", file=sys.stderr) as bar:
            yield bar.update
    else:
        yield lambda done: None


def _tell_faults(name: str, lines: Sequence[BadLine], as_json: bool) -> None:
    if as_json:
        faults = [{"line": bad.line, "text": bad.text} for bad in lines]
        print_json({"new": 0, "updated": 0, "faults": faults})
    for bad in lines:
        click.echo(f"{name}:{bad.line}: {bad.text}", err=True)
    click.echo(f"Error: nothing was imported; wrong lines: {len(lines)}", err=True)
