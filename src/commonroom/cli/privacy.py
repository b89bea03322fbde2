"""`commonroom privacy`: what users are told."""

from pathlib import Path

import click

from commonroom.admin.privacy import privacy_text
from commonroom.cli.output import config_option, settings_of


@click.command()
@config_option
def privacy(path: Path) -> None:
    """Print what is kept about users, and why, as a text for them.

    It is made of the configuration: how long archives and records are kept, what for, and who may read them.
    It is Markdown, for you to complete and publish.

    \b
    Example:
      commonroom privacy > privacy.md
    """
    click.echo(privacy_text(settings_of(path)), nl=False)
