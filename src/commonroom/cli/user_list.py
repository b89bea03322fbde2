"""`commonroom user list` and `show`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from commonroom.admin.accounts import AccountFacts, list_accounts, show_account
from commonroom.admin.registry import Registry
from commonroom.cli.output import config_option, json_option, moment, print_json
from commonroom.cli.with_registry import with_registry
from commonroom.storage.records import Account


@click.command("list")
@click.option("--domain", help="Only the accounts of this domain.")
@json_option
@config_option
def list_(domain: str | None, as_json: bool, path: Path) -> None:
    """List the accounts, one on a line, in the order of their addresses.

    Behind the address of a disabled account stands a tab and the word `disabled`, behind that of one that has
    left the files `departed`. Accounts in files are listed once something is kept for them.

    \b
    Examples:
      commonroom user list --domain example.org
      commonroom user list --json | jq -r '.[] | select(.disabled) | .address'
    """
    with_registry(path, lambda registry: _print_accounts(registry, domain, as_json))


async def _print_accounts(registry: Registry, domain: str | None, as_json: bool) -> None:
    """As they are read: however many there are, memory holds a page."""
    write = sys.stdout.write
    line: Callable[[Account], str] = _object if as_json else _line
    first = True
    async for account in list_accounts(registry, domain):
        write(("[\n" if first else ",\n") + line(account) if as_json else line(account) + "\n")
        first = False
    if as_json:
        write("[]\n" if first else "\n]\n")


def _line(account: Account) -> str:
    if account.departed is not None:
        return f"{account.jid}\tdeparted"
    return f"{account.jid}\tdisabled" if account.disabled else account.jid


def _object(account: Account) -> str:
    facts: dict[str, Any] = {
        "address": account.jid,
        "created": moment(account.created),
        "disabled": account.disabled,
    }
    if account.origin:
        facts |= {"source": account.origin, "departed": moment(account.departed)}
    return "  " + json.dumps(facts, ensure_ascii=False)


@click.command()
@click.argument("address")
@json_option
@config_option
def show(address: str, as_json: bool, path: Path) -> None:
    """Show what is known of an account.

    \b
    Example:
      commonroom user show alice@example.org
    """
    facts = with_registry(path, lambda registry: show_account(registry, address))
    if as_json:
        print_json(_facts(facts))
    else:
        click.echo("\n".join(f"{name + ':':<18} {text}" for name, text in _words(facts)))


def _can_log_in(facts: AccountFacts) -> str:
    if facts.departed is not None:
        return f"no, it left the files of {facts.origin} at {moment(facts.departed)}"
    if facts.disabled:
        return "no, it is disabled"
    return f"as the files of {facts.origin} say" if facts.origin else "yes"


def _facts(facts: AccountFacts) -> dict[str, Any]:
    return {
        "address": facts.jid,
        "created": moment(facts.created),
        "disabled": facts.disabled,
        "source": facts.origin or "stored",
        "departed": moment(facts.departed),
        "hashes": {keys.hash_name: keys.iterations for keys in facts.keys},
        "contacts": facts.contacts,
        "offline_messages": facts.offline.count,
        "offline_bytes": facts.offline.size,
        "last_online": moment(facts.last_online),
    }


def _words(facts: AccountFacts) -> list[tuple[str, str]]:
    hashes = ", ".join(f"{keys.hash_name} ({keys.iterations} iterations)" for keys in facts.keys)
    return [
        ("address", str(facts.jid)),
        ("made", moment(facts.created) or ""),
        ("can log in", _can_log_in(facts)),
        ("password hashes", hashes or "none"),
        ("contacts", str(facts.contacts)),
        ("messages waiting", f"{facts.offline.count} ({facts.offline.size} bytes)"),
        ("last online", moment(facts.last_online) or "never"),
    ]
