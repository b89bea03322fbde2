"""`commonroom trace`: how a stanza goes through the server."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import click

from commonroom.app.dialogue import trace_server
from commonroom.app.trace import LINE, Step, message_path
from commonroom.cli.groups import Group
from commonroom.cli.output import DOMAIN, config_option, explained, json_option, print_json, settings_of
from commonroom.core.message import Received, Sent
from commonroom.federation.journal import Step as ServerStep
from commonroom.federation.lookup import UnansweredError
from commonroom.net.certificates import CertificateError
from commonroom.storage.errors import StorageError


@click.group(cls=Group)
def trace() -> None:
    """Show how a stanza goes: through this server, and to another one."""


@trace.command()
@json_option
@config_option
def message(as_json: bool, path: Path) -> None:
    """Show which features a message meets, in order, and for whom.

    First what every stanza passes; then the stages of a message, at the account that sent it and at the one
    that receives it. A feature that is not for all runs for those accounts that turned it on. Nothing has to
    be running for this, and no database is opened.

    \b
    Example:
      commonroom trace message --config /etc/commonroom/commonroom.toml
    """
    compiled = message_path(settings_of(path))
    if as_json:
        print_json(
            {
                "line": [station._asdict() for station in LINE],
                "sent": [step._asdict() for step in compiled.sent],
                "received": [step._asdict() for step in compiled.received],
            }
        )
        return
    click.echo("Every stanza:")
    for module, name, does in LINE:
        click.echo(f"  {module:<14}  {name:<25}  {does}")
    for title, stages, steps in (("sent", Sent, compiled.sent), ("received", Received, compiled.received)):
        click.echo(f"\nA message that is {title}:")
        for line in _stages(stages, steps):
            click.echo(f"  {line}".rstrip())


@trace.command()
@click.argument("domain", type=DOMAIN)
@click.option(
    "--from", "ours", type=DOMAIN, help="The domain of ours to send from; the first one, if left out."
)
@json_option
@config_option
def s2s(domain: str, ours: str | None, as_json: bool, path: Path) -> None:
    """Connect to another domain's server, and show every step.

    It goes as far as a service would before the first stanza: DNS, the connection, TLS, certificates, and
    what proves to each side who the other is. At the end stands the verdict, and what to do. The exit code is
    1 if nothing could be sent. A service may run meanwhile; it is not asked.

    \b
    Examples:
      commonroom trace s2s example.net
      commonroom trace s2s example.net --from group.example.org --json
    """
    settings = settings_of(path)
    steps: list[ServerStep] = []

    def watch(step: ServerStep) -> None:
        steps.append(step)
        if not as_json:
            click.echo(f"{step.after:8.3f} s  {step.event:<20} {step.detail}".rstrip())

    with explained(CertificateError, UnansweredError, StorageError):
        verdict = asyncio.run(trace_server(settings, ours or settings.domains[0], domain, watch))
    if as_json:
        print_json({"steps": [step._asdict() for step in steps], **asdict(verdict)})
    else:
        click.echo(f"\n{'Yes' if verdict.reached else 'No'}: {verdict.reason}")
        if verdict.todo:
            click.echo(verdict.todo)
    if not verdict.reached:
        sys.exit(1)


def _stages(stages: type[Enum], steps: Sequence[Step]) -> Iterator[str]:
    """Each stage has a line, also one that no feature uses."""
    for stage in stages:
        found = [step for step in steps if step.stage == stage.value]
        for step in found:
            spec = f"{step.feature}.{step.method} ({step.spec or 'no specification'})"
            yield f"{stage.name:<8} {step.module:<22} {spec:<42} {_for_whom(step)}"
        if not found:
            yield f"{stage.name:<8} –"


def _for_whom(step: Step) -> str:
    return "for all" if step.wants is None else f"for those who want {step.wants}"
