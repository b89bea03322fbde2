"""`commonroom user list` and `show`."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from commonroom.admin.accounts import (
    AccountFacts,
    AccountLine,
    AccountStanding,
    page_of_accounts,
    show_account,
)
from commonroom.cli.ask import ask, asking
from commonroom.cli.output import config_option, json_option, moment, print_json


@click.command("list")
@click.option("--domain", help="Only the accounts of this domain.")
@json_option
@config_option
def list_(domain: str | None, as_json: bool, path: Path) -> None:
    """List the accounts, one on a line, in the order of their addresses.

    Behind an address stands a tab and a word if the account is not simply in use: `unused` (a file lists it,
    and nobody has logged in or written to it yet), `locked` (by the file), `disabled` (by an operator), or
    `departed` (it has left the files; `returned`, if it is in them again). With --json, also the source of
    each, and when it was last online.

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
    if account.standing is AccountStanding.ACTIVE:
        return account.address
    return f"{account.address}\t{account.standing}"


def _object(account: AccountLine) -> str:
    facts: dict[str, Any] = {
        "address": account.address,
        "state": account.standing,
        "source": account.origin or "stored",
        "created": moment(account.created),
        "last_online": moment(account.last_online),
        "disabled": account.disabled,
        "departed": moment(account.departed),
    }
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
    since = "" if facts.departed is None else f" at {moment(facts.departed)}"
    words = {
        AccountStanding.DEPARTED: f"no, it left the files of {facts.origin}{since}",
        AccountStanding.DISABLED: "no, it is disabled",
        AccountStanding.LOCKED: f"no, it is locked in the files of {facts.origin}",
    }
    return words.get(facts.standing, f"as the files of {facts.origin} say" if facts.origin else "yes")


def _facts(facts: AccountFacts) -> dict[str, Any]:
    return {
        "address": facts.jid,
        "state": facts.standing,
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
        ("state", facts.standing.value),
        ("source", f"the files of {facts.origin}" if facts.origin else "stored here"),
        ("made", moment(facts.created) or "not yet: nobody has logged in or written to it"),
        ("can log in", _can_log_in(facts)),
        ("password hashes", hashes or "none"),
        ("contacts", str(facts.contacts)),
        ("messages waiting", f"{facts.offline.count} ({facts.offline.size} bytes)"),
        ("last online", moment(facts.last_online) or "never"),
    ]
