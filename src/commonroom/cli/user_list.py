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

    Behind the address of a disabled account stands a tab and the word `disabled`, behind that of one that has
    left the files `departed`. Accounts in files are listed once something is kept for them.

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
    if account.departed is not None:
        return f"{account.address}\tdeparted"
    return f"{account.address}\tdisabled" if account.disabled else account.address


def _object(account: AccountLine) -> str:
    facts: dict[str, Any] = {
        "address": account.address,
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
    facts = ask(path, show_account, address=address)
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
        ("can log in", _can_log_in(facts)),
        ("password hashes", hashes or "none"),
        ("contacts", str(facts.contacts)),
        ("messages waiting", f"{facts.offline.count} ({facts.offline.size} bytes)"),
        ("last online", moment(facts.last_online) or "never"),
    ]
