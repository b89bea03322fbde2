"""`commonroom session`: the clients of an account."""

from pathlib import Path
from typing import Any

import click

from commonroom.admin.devices import DeviceFacts, forget_device, list_devices
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.with_registry import checked_address, with_registry


@click.group(cls=Group)
def session() -> None:
    """See the clients of an account, and make them log in anew."""


@session.command("list")
@click.argument("address")
@json_option
@config_option
def list_(address: str, as_json: bool, path: Path) -> None:
    """List the clients of an account, those seen last first.

    Known are clients that say which installation they are, as those do that can come back without the
    password. Printed for each: its id, what it says it is and where, when it was here last, and until when
    it can come back so.

    \b
    Example:
      commonroom session list alice@example.org
    """
    jid = checked_address(path, address)
    found = with_registry(path, lambda registry: list_devices(registry, jid))
    if as_json:
        print_json([_facts(each) for each in found])
        return
    for each in found:
        until = "needs the password" if each.returns_until is None else f"until {moment(each.returns_until)}"
        name = " ".join(text for text in (each.software, f"({each.name})" if each.name else "") if text)
        click.echo(f"{each.client}\t{name or 'unnamed'}\t{moment(each.last_seen)}\t{until}")
    if not found:
        tell(f"{jid} has no client that says which installation it is.")


@session.command()
@click.argument("address")
@click.argument("client")
@config_option
def revoke(address: str, client: str, path: Path) -> None:
    """Forget a client: the next time it needs the password.

    If it is connected, it stays until it goes. If it knows the password, or somebody has it who should not,
    change that: `commonroom user passwd` ends all sessions and all of this.

    \b
    Example:
      commonroom session revoke alice@example.org d4565fa7-4d72-4749-b3d3-740edbf87770
    """
    jid = checked_address(path, address)
    with_registry(path, lambda registry: forget_device(registry, jid, client.lower()))
    tell(f"{jid}: the client {client} needs the password now.")


def _facts(facts: DeviceFacts) -> dict[str, Any]:
    return {
        "client": facts.client,
        "software": facts.software,
        "device": facts.name,
        "first_seen": moment(facts.first_seen),
        "last_seen": moment(facts.last_seen),
        "returns_until": moment(facts.returns_until),
    }
