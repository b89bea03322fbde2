"""`commonroom user`: accounts, one at a time."""

import sys
from pathlib import Path

import click

from commonroom.admin.accounts import add_account, disable_account, remove_account, set_password
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, tell
from commonroom.cli.passwords import password_stdin_option, read_password
from commonroom.cli.user_files import confirm_, plan
from commonroom.cli.user_import import import_
from commonroom.cli.user_list import list_, show
from commonroom.cli.with_registry import checked_address, with_registry

address_argument = click.argument("address")


@click.group(cls=Group)
def user() -> None:
    """Make, list, change and remove accounts.

    All of this works beside a running service, which notices within seconds: whoever is connected with an
    account that was disabled or removed, or got another password, is disconnected.
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
    with_registry(path, lambda registry: add_account(registry, jid, password))
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
    with_registry(path, lambda registry: set_password(registry, jid, password))
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
    jid = with_registry(path, lambda registry: disable_account(registry, address, True))
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
    jid = with_registry(path, lambda registry: disable_account(registry, address, False))
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
    with_registry(path, lambda registry: remove_account(registry, jid))
    tell(f"{jid} was removed.")


user.add_command(list_)
user.add_command(show)
user.add_command(import_)
user.add_command(plan)
user.add_command(confirm_)
