"""`commonroom trace`: how a stanza goes through the server."""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import click

from commonroom.app.trace import LINE, Step, message_path
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, print_json, settings_of
from commonroom.core.message import Received, Sent


@click.group(cls=Group)
def trace() -> None:
    """Show how a stanza goes through the server as it is configured."""


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
