"""`commonroom check`: is all well?"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from commonroom.admin.checks import Finding
from commonroom.admin.checks import check as look_over
from commonroom.app.peer_checks import check_certs, check_connectivity, check_dns
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, explained, json_option, print_json, settings_of, tell
from commonroom.config import ConfigError, load
from commonroom.federation.lookup import UnansweredError
from commonroom.net.certificates import CertificateError, Severity
from commonroom.storage.errors import StorageError


@click.group(cls=Group, invoke_without_command=True)
@json_option
@config_option
@click.pass_context
def check(context: click.Context, as_json: bool, path: Path) -> None:
    """Look over the configuration and all that it refers to.

    Nothing is started or changed. Looked at are: every option, the folder for data, certificates and keys,
    the database, the number of files that may be open and, unless the service runs, the addresses to listen
    on. Each line says what to do. An `error` keeps the service from working, and makes the exit code 1; a
    `warning` should be looked at; a `note` is good to know.

    \b
    Examples:
      commonroom check
      commonroom check --config /etc/commonroom/commonroom.toml --json
    """
    if context.invoked_subcommand is None:
        _tell(_findings(path), as_json)


@check.command()
@json_option
@config_option
def dns(as_json: bool, path: Path) -> None:
    """Look at what DNS says of the domains, as other servers do.

    \b
    Example:
      commonroom check dns
    """
    _tell(asyncio.run(check_dns(settings_of(path))), as_json)


@check.command()
@json_option
@config_option
def certs(as_json: bool, path: Path) -> None:
    """Look at the certificates, as other servers will: who vouches for them, for whom, until when.

    \b
    Example:
      commonroom check certs
    """
    _tell(check_certs(settings_of(path), datetime.now(UTC)), as_json)


@check.command()
@json_option
@config_option
def connectivity(as_json: bool, path: Path) -> None:
    """Connect to the domains where DNS says that they are, as other servers do. The service must run.

    \b
    Example:
      commonroom check connectivity
    """
    settings = settings_of(path)
    with explained(CertificateError, UnansweredError, StorageError):
        findings = asyncio.run(check_connectivity(settings))
    _tell(findings, as_json)


def _tell(findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        print_json([{"severity": f.severity.value, "about": f.about, "text": f.text} for f in findings])
    else:
        _print(findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        sys.exit(1)


def _findings(path: Path) -> list[Finding]:
    try:
        settings = load(path)
    except ConfigError as error:
        return [Finding(Severity.ERROR, "configuration", str(fault)) for fault in error.faults]
    return asyncio.run(look_over(settings, datetime.now(UTC)))


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.severity.value}: {finding.about}: {finding.text}")
    if all(finding.severity is Severity.NOTE for finding in findings):
        tell("All is well.")
