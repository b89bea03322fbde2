"""`commonroom session`: who is connected, and the clients of an account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from commonroom.admin.devices import DeviceFacts, forget_device, list_devices
from commonroom.admin.encoding import plain
from commonroom.admin.live import SessionFacts
from commonroom.admin.sessions import kick, list_sessions, show_sessions
from commonroom.cli.ask import ask, asking
from commonroom.cli.generated import command
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.with_registry import checked_address


@click.group(cls=Group)
def session() -> None:
    """See who is connected, and the clients of an account."""


@session.command("list")
@click.argument("address", required=False)
@click.option("--domain", help="Only the accounts of this domain.")
@json_option
@config_option
def list_(address: str | None, domain: str | None, as_json: bool, path: Path) -> None:
    """List who is connected; or, with ADDRESS, the clients of an account, connected or not.

    For each session: its address, where it comes from (`away`: it may come back), its TLS, since when it is
    connected, and its priority, if it is available.

    Known clients of an account are those that say which installation they are, as those do that can come back
    without the password, those seen last first. Printed for each: its id, what it says it is and where, when
    it was here last, and until when it can come back so.

    \b
    Examples:
      commonroom session list
      commonroom session list alice@example.org
    """
    if address is not None:
        _list_clients(path, address, as_json)
        return
    if as_json:
        print_json([plain(each) for each in _sessions(path, domain)])
        return
    for each in _sessions(path, domain):
        click.echo(_line(each))


@session.command("clients")
@click.argument("address")
@json_option
@config_option
def clients(address: str, as_json: bool, path: Path) -> None:
    """List the clients of an account, those seen last first: the same as `list` with an address.

    \b
    Example:
      commonroom session clients alice@example.org
    """
    _list_clients(path, address, as_json)


@session.command()
@click.argument("address")
@click.argument("client")
@config_option
def revoke(address: str, client: str, path: Path) -> None:
    """Forget a client: the next time it needs the password.

    If it is connected, its session ends. If it knows the password, or somebody has it who should not,
    change that: `commonroom user passwd` ends all sessions and all of this.

    \b
    Example:
      commonroom session revoke alice@example.org d4565fa7-4d72-4749-b3d3-740edbf87770
    """
    jid = checked_address(path, address)
    ask(path, forget_device, address=jid, client=client.lower())
    tell(f"{jid}: the client {client} needs the password now.")


session.add_command(command(show_sessions))
session.add_command(command(kick, "A client may come back at once; `user disable` keeps its owner out."))


def _sessions(path: Path, domain: str | None) -> Iterator[SessionFacts]:
    after: str | None = None
    with asking(path) as each:
        while True:
            page = each(list_sessions, domain=domain, after=after)
            yield from page.sessions
            if (after := page.next) is None:
                return


def _line(facts: SessionFacts) -> str:
    priority = str(facts.priority) if facts.available else "–"
    words = (facts.address, facts.ip or "away", facts.tls or "–", moment(facts.since) or "–", priority)
    return "\t".join(words)


def _list_clients(path: Path, address: str, as_json: bool) -> None:
    jid = checked_address(path, address)
    found = ask(path, list_devices, address=jid)
    if as_json:
        print_json([_facts(each) for each in found])
        return
    for each in found:
        until = "needs the password" if each.returns_until is None else f"until {moment(each.returns_until)}"
        name = " ".join(text for text in (each.software, f"({each.name})" if each.name else "") if text)
        click.echo(f"{each.client}\t{name or 'unnamed'}\t{moment(each.last_seen)}\t{until}")
    if not found:
        tell(f"{jid} has no client that says which installation it is.")


def _facts(facts: DeviceFacts) -> dict[str, Any]:
    return {
        "client": facts.client,
        "software": facts.software,
        "device": facts.name,
        "first_seen": moment(facts.first_seen),
        "last_seen": moment(facts.last_seen),
        "returns_until": moment(facts.returns_until),
    }
