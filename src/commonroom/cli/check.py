"""`commonroom check`: is all well?"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from commonroom.admin.checks import Finding
from commonroom.admin.checks import check as look_over
from commonroom.cli.output import config_option, json_option, print_json, tell
from commonroom.config import ConfigError, load
from commonroom.net.certificates import Severity


@click.command()
@json_option
@config_option
def check(as_json: bool, path: Path) -> None:
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
    findings = _findings(path)
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
