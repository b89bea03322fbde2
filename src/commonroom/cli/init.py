"""`commonroom init`: sets a new service up."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path

import click

from commonroom.admin.errors import AdminError
from commonroom.admin.setup import check_new, setup
from commonroom.cli.output import config_option, explained, own_name
from commonroom.config import ConfigError, ListenAddress, Settings
from commonroom.config.addresses import DatabaseUrl, Domain, Listen
from commonroom.config.c2s import C2s
from commonroom.config.kinds import Kind, ListOf, RefusedError, T
from commonroom.config.schema import Database
from commonroom.net.certificates import CertificateError
from commonroom.storage.errors import StorageError

DOMAINS = ListOf(Domain(), minimum=1)
ADDRESSES = ListOf(Listen(), minimum=1)


@click.command()
@click.option("--domain", "domains", multiple=True, help="A domain that addresses end in; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), help="The folder for all data.  [default: var]")
@click.option("--database", help="sqlite, or a postgresql:// URL without a password.  [default: sqlite]")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    default=["::"],
    show_default="::, every address of this machine",
    help="An IP address to listen on; repeatable.",
)
@click.option("--port", type=int, default=5222, show_default=True, help="For clients that use STARTTLS.")
@click.option("--tls-port", type=int, default=5223, show_default=True, help="For those that use direct TLS.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@config_option
def init(
    domains: Sequence[str],
    state: Path | None,
    database: str | None,
    hosts: Sequence[str],
    port: int,
    tls_port: int,
    yes: bool,
    path: Path,
) -> None:
    """Write the configuration, and make all that a new service needs.

    That is: commonroom.toml, in which every option is explained; the folder for data, with a database; and
    a certificate that is signed by itself. On a terminal it asks for what is not given. Nothing that exists
    is overwritten.

    \b
    Examples:
      commonroom init
      commonroom init --domain example.org --domain chat.example.org --yes
    """
    asks = sys.stdin.isatty() and not yes
    with explained(AdminError):
        check_new(path)
    names = _value(DOMAINS, list(domains), "--domain") if domains else _asked_domains(asks)
    folder = state or Path(_asked(asks, "The folder for all data", "var"))
    url = _value(DatabaseUrl(), database or _asked(asks, "The database", "sqlite"), "--database")
    listen, listen_tls = _addresses(hosts, port, "--port"), _addresses(hosts, tls_port, "--tls-port")
    settings = Settings(
        domains=names,
        state=_as_written(folder, path),
        database=Database(url=url),
        c2s=replace(C2s(), listen=listen, listen_direct_tls=listen_tls),
    )
    if asks:
        click.confirm(f"Write {path}, and the data to {folder}?", default=True, abort=True)
    with explained(AdminError, ConfigError, CertificateError, StorageError):
        setup(settings, path, datetime.now(UTC))
    click.echo(f"Written: {path}, which explains every option, and {folder}, with database and certificate.")
    click.echo(_what_is_next(settings, path))


def _asked_domains(asks: bool) -> tuple[str, ...]:
    if not asks:
        raise click.UsageError("there is no domain; name it with --domain, as in --domain example.org")
    click.echo("The domain is what stands behind the @ in people's addresses. Write several with spaces.")

    def read(text: str) -> tuple[str, ...]:
        return _value(DOMAINS, text.replace(",", " ").split(), "--domain")

    names: tuple[str, ...] = click.prompt("The domain", value_proc=read)
    return names


def _asked(asks: bool, question: str, default: str) -> str:
    if not asks:
        return default
    answer: str = click.prompt(question, default=default)
    return answer


def _addresses(hosts: Sequence[str], port: int, option: str) -> tuple[ListenAddress, ...]:
    texts = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts]
    return _value(ADDRESSES, texts, option)


def _value(kind: Kind[T], value: object, option: str) -> T:
    """What the configuration makes of it; one that it refuses is wrong on the command line, too."""
    try:
        return kind.read(value)
    except RefusedError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _as_written(folder: Path, path: Path) -> Path:
    """Relative to the configuration's folder where it is inside of it, as the file will be read."""
    below = Path(relpath(folder, path.parent))
    return folder.absolute() if ".." in below.parts else below


def _what_is_next(settings: Settings, path: Path) -> str:
    option = "" if path == Path("commonroom.toml") else f" --config {path}"
    name, domain, c2s = own_name(), settings.domains[0], settings.c2s
    return f"""
What is next:
  {name} user add you@{domain}{option}
  {name} check{option}
  {name} serve{option}

The certificate is signed by itself, so that clients ask whether to trust it. If others are to use the
service, get one from an authority, name its files under [tls] in {path}, and say in the
DNS on which machine the service is:
  _xmpp-client._tcp.{domain}.   SRV  5 0 {c2s.listen[0].port} this-machine.example.net.
  _xmpps-client._tcp.{domain}.  SRV  5 0 {c2s.listen_direct_tls[0].port} this-machine.example.net."""
