"""What all commands share in reading and printing."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from commonroom.config import ConfigError, Settings, load
from commonroom.config.addresses import Domain
from commonroom.config.kinds import RefusedError

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("commonroom.toml"),
    show_default=True,
    envvar="COMMONROOM_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="The configuration.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class DomainType(click.ParamType[str]):
    """A domain, normalised as in the configuration."""

    name = "domain"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The domain; ends the command for what is none."""
        try:
            return Domain().read(value)
        except RefusedError as refusal:
            self.fail(str(refusal), param, ctx)


DOMAIN = DomainType()


def settings_of(path: Path) -> Settings:
    """The configuration; ends the command if it has faults."""
    with explained(ConfigError):
        return load(path)


@contextmanager
def explained(*expected: type[Exception]) -> Iterator[None]:
    """These errors end the command with their text, without a traceback, and with exit code 1."""
    try:
        yield
    except expected as error:
        text = str(error)
    else:
        return
    raise click.ClickException(text)


def own_name() -> str:
    """What a person has to type to run this again."""
    if shutil.which("commonroom"):
        return "commonroom"
    return sys.argv[0] if Path(sys.argv[0]).name == "commonroom" else f"{sys.executable} -m commonroom"


def tell(text: str) -> None:
    """A word to a person at a terminal; in a pipe there is nothing but data."""
    if sys.stdout.isatty():
        click.echo(text)


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def moment(at: datetime | None) -> str | None:
    """A point in time as RFC 3339 writes it, in UTC."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
