"""`commonroom archive`: the history of messages."""

import sys
from pathlib import Path
from typing import Any

import click

from commonroom.admin.archive import ExpiryLine, erase, expire_archives
from commonroom.cli.ask import ask
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.with_registry import checked_address


@click.group(cls=Group)
def archive() -> None:
    """Look after the history of messages: expire it, erase it.

    All of this works beside a running service, in steps so small that nobody waits for them.
    """


@archive.command("expire")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@config_option
def expire_(dry_run: bool, as_json: bool, path: Path) -> None:
    """Remove the messages that are older than the configuration keeps them. This cannot be undone.

    A running service does this by itself. Printed is a line for each option that lets messages go: how
    many, of how many accounts, and from when the oldest is.

    \b
    Example:
      commonroom archive expire --dry-run
    """
    found = ask(path, expire_archives, dry_run=dry_run)
    if as_json:
        print_json([_facts(each) for each in found])
        return
    for each in found:
        counts = f"{each.messages} messages\t{each.accounts} accounts"
        click.echo(f"{each.rule}\t{counts}\tsince {moment(each.since)}")
    if not found:
        tell("No message is older than it may be.")


@archive.command("erase")
@click.argument("address")
@click.option("--with", "peer", metavar="PEER", help="Only the messages from and to this address.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def erase_(address: str, peer: str | None, yes: bool, path: Path) -> None:
    """Erase the history of an account. This cannot be undone.

    Only this account's copies go: those with whom it wrote keep theirs.

    \b
    Examples:
      commonroom archive erase alice@example.org --yes
      commonroom archive erase alice@example.org --with bob@example.org
    """
    jid = checked_address(path, address)
    what = f"the messages of {jid}" + (f" with {peer}" if peer else "")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask; say --yes if {what} are really to be erased")
    if not yes:
        click.confirm(f"Erase {what}?", abort=True, err=True)
    ask(path, erase, address=jid, peer=peer)
    tell(f"{what[0].upper()}{what[1:]} are erased.")


def _facts(found: ExpiryLine) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "messages": found.messages,
        "accounts": found.accounts,
        "since": moment(found.since),
    }
