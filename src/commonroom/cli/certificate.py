"""`commonroom certificate` and `commonroom dns`."""

import sys
from pathlib import Path

import click

from commonroom.admin.certificates import check as check_operation
from commonroom.admin.certificates import dns_records, request, self_signed, show_certificates
from commonroom.admin.encoding import plain
from commonroom.cli.ask import ask
from commonroom.cli.generated import command
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, print_json, tell
from commonroom.net.certificates import Severity


@click.group(cls=Group)
def certificate() -> None:
    """Make certificates, and look at those that are used."""


@click.group(cls=Group)
def dns() -> None:
    """Print the DNS records that lead to the service."""


@certificate.command("check")
@json_option
@config_option
def check(as_json: bool, path: Path) -> None:
    """Say what is wrong with the certificates, and what clients say.

    Looked at are the key, the dates, the names and the chain; then it is tried whether a client would accept
    them that trusts this machine's list of authorities. An `error` makes the exit code 1.

    \b
    Example:
      commonroom certificate check
    """
    found = ask(path, check_operation)
    if as_json:
        print_json(plain(found))
    else:
        for each in found:
            click.echo(f"{each.severity.value}: {each.text}")
        if not found:
            tell("All is well.")
    if any(each.severity is Severity.ERROR for each in found):
        sys.exit(1)


@certificate.command("request")
@click.option("--domain", help="Only for this domain; if not given, for all that share the one of [tls].")
@config_option
def request_(domain: str | None, path: Path) -> None:
    """Print a request for a certificate authority, with the names that are needed.

    The key is the one that the configuration names; it is made if there is none. What the authority gives
    back goes to where the configuration says, with the certificates that lead to the authority; a running
    service notices by itself.

    \b
    Example:
      commonroom certificate request --domain example.org > example.org.csr
    """
    click.echo(ask(path, request, domain=domain).request, nl=False)


certificate.add_command(
    command(
        show_certificates, "For each file: the names, the key, the dates, the chain, and the fingerprint."
    )
)
certificate.add_command(
    command(
        self_signed,
        "Written where the configuration says, never over what is there. Clients ask whether to trust it.",
    )
)
dns.add_command(
    command(
        dns_records,
        "For clients, for servers elsewhere, and for rooms; of a service that is not there it says so.",
    )
)
