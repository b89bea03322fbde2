"""`commonroom user`: accounts, one at a time."""

import sys
from pathlib import Path

import click

from commonroom.admin.accounts import (
    add_account,
    lock_account,
    remove_account,
    set_password,
    unlock_account,
)
from commonroom.cli.ask import ask
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, tell
from commonroom.cli.passwords import password_stdin_option, read_password
from commonroom.cli.user_files import confirm_, plan
from commonroom.cli.user_import import import_
from commonroom.cli.user_list import list_, show
from commonroom.cli.with_registry import checked_address

address_argument = click.argument("address")


@click.group(cls=Group)
def user() -> None:
    """Make, list, change and remove accounts.

    A running service is asked to do it, so that it counts at once: whoever is connected with an account that
    was disabled or removed, or got another password, is disconnected.
    """


@user.command()
@address_argument
@password_stdin_option
@config_option
def add(address: str, password_stdin: bool, path: Path) -> None:
    """Make an account.

    ADDRESS ends in one of the configured domains. The password is asked for twice, without being shown.

    \b
    Examples:
      commonroom user add alice@example.org
      pass show alice | commonroom user add alice@example.org --password-stdin
    """
    jid = checked_address(path, address)
    password = read_password(password_stdin)
    ask(path, add_account, address=jid, password=password)
    tell(f"{jid} was added.")


@user.command()
@address_argument
@password_stdin_option
@config_option
def passwd(address: str, password_stdin: bool, path: Path) -> None:
    """Give an account another password.

    Contacts and messages stay. Clients that are connected have to log in again.

    \b
    Example:
      commonroom user passwd alice@example.org
    """
    jid = checked_address(path, address)
    password = read_password(password_stdin)
    ask(path, set_password, address=jid, password=password)
    tell(f"{jid} has another password.")


@user.command()
@address_argument
@config_option
def disable(address: str, path: Path) -> None:
    """Lock an account: nobody can log in with it, and messages to it are kept.

    \b
    Example:
      commonroom user disable alice@example.org
    """
    jid = ask(path, lock_account, address=address)
    tell(f"{jid} is disabled.")


@user.command()
@address_argument
@config_option
def enable(address: str, path: Path) -> None:
    """Unlock an account that was disabled.

    \b
    Example:
      commonroom user enable alice@example.org
    """
    jid = ask(path, unlock_account, address=address)
    tell(f"{jid} is enabled.")


@user.command()
@address_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def remove(address: str, yes: bool, path: Path) -> None:
    """Remove an account with its contacts and messages. This cannot be undone.

    Somebody else may be given the address afterwards; to keep it from that, disable the account instead.

    \b
    Example:
      commonroom user remove alice@example.org --yes
    """
    jid = checked_address(path, address)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(
            "there is no terminal to ask; say --yes if the account is really to be removed"
        )
    if not yes:
        click.confirm(f"Remove {jid}, with its contacts and messages?", abort=True, err=True)
    ask(path, remove_account, address=jid)
    tell(f"{jid} was removed.")


user.add_command(list_)
user.add_command(show)
user.add_command(import_)
user.add_command(plan)
user.add_command(confirm_)
