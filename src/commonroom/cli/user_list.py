"""`commonroom user list` and `show`."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from commonroom.admin.accounts import AccountFacts, AccountLine, page_of_accounts, show_account
from commonroom.cli.ask import ask, asking
from commonroom.cli.output import config_option, json_option, moment, print_json


@click.command("list")
@click.option("--domain", help="Only the accounts of this domain.")
@json_option
@config_option
def list_(domain: str | None, as_json: bool, path: Path) -> None:
    """List the accounts, one on a line, in the order of their addresses.

    Behind the address of a disabled account stands a tab and the word `disabled`.

    \b
    Examples:
      commonroom user list --domain example.org
      commonroom user list --json | jq -r '.[] | select(.disabled) | .address'
    """
    write = sys.stdout.write
    line: Callable[[AccountLine], str] = _object if as_json else _line
    first = True
    for account in _accounts(path, domain):  # as they come: however many there are, memory holds a page
        write(("[\n" if first else ",\n") + line(account) if as_json else line(account) + "\n")
        first = False
    if as_json:
        write("[]\n" if first else "\n]\n")


def _accounts(path: Path, domain: str | None) -> Iterator[AccountLine]:
    after: str | None = None
    with asking(path) as each:
        while True:
            page = each(page_of_accounts, domain=domain, after=after)
            yield from page.accounts
            if (after := page.next) is None:
                return


def _line(account: AccountLine) -> str:
    return f"{account.address}\tdisabled" if account.disabled else account.address


def _object(account: AccountLine) -> str:
    facts = {"address": account.address, "created": moment(account.created), "disabled": account.disabled}
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
    facts = ask(path, show_account, address=address)
    if as_json:
        print_json(_facts(facts))
    else:
        click.echo("\n".join(f"{name + ':':<18} {text}" for name, text in _words(facts)))


def _facts(facts: AccountFacts) -> dict[str, Any]:
    return {
        "address": facts.jid,
        "created": moment(facts.created),
        "disabled": facts.disabled,
        "hashes": facts.hashes,
        "contacts": facts.contacts,
        "offline_messages": facts.offline.count,
        "offline_bytes": facts.offline.size,
        "last_online": moment(facts.last_online),
    }


def _words(facts: AccountFacts) -> list[tuple[str, str]]:
    hashes = ", ".join(f"{name} ({count} iterations)" for name, count in facts.hashes.items())
    return [
        ("address", str(facts.jid)),
        ("made", moment(facts.created) or ""),
        ("can log in", "no, it is disabled" if facts.disabled else "yes"),
        ("password hashes", hashes or "none"),
        ("contacts", str(facts.contacts)),
        ("messages waiting", f"{facts.offline.count} ({facts.offline.size} bytes)"),
        ("last online", moment(facts.last_online) or "never"),
    ]
