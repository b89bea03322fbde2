"""`commonroom dns`: what to publish, so that clients and other servers find this one."""

import socket
from pathlib import Path

import click

from commonroom.app.peer_checks import zone_lines
from commonroom.cli.groups import Group
from commonroom.cli.output import DOMAIN, config_option, json_option, print_json, settings_of


@click.group(cls=Group)
def dns() -> None:
    """Print what to publish in DNS."""


@dns.command()
@click.option("--host", type=DOMAIN, help="The name of this machine in DNS; its own idea of it, if left out.")
@json_option
@config_option
def records(host: str | None, as_json: bool, path: Path) -> None:
    """Print SRV records for clients and servers, as a zone file has them.

    The name of the machine needs an address of its own (A, AAAA), and is no alias (CNAME).

    \b
    Example:
      commonroom dns records --host xmpp.example.org
    """
    lines = list(zone_lines(settings_of(path), host or socket.getfqdn()))
    if as_json:
        print_json([line.split(maxsplit=7) for line in lines])
        return
    for line in lines:
        click.echo(line)
