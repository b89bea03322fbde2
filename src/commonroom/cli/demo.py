"""`commonroom demo`: a service to try."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from commonroom import __version__
from commonroom.admin.errors import AdminError
from commonroom.app.demo import Demo, populate, prepare
from commonroom.app.logs import log_to_stderr
from commonroom.app.running import run
from commonroom.app.service import Service
from commonroom.cli.output import explained
from commonroom.cli.serve import START_ERRORS
from commonroom.config import ConfigError, LogLevel


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("var"),
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=5222, show_default=True, help="For STARTTLS.")
@click.option(
    "--tls-port", type=click.IntRange(1, 65535), default=5223, show_default=True, help="For direct TLS."
)
def demo(folder: Path, port: int, tls_port: int) -> None:
    """Try it: a service for this machine, with three accounts.

    Nothing has to be set up. Only programs on this machine can connect. Accounts, contacts and messages are
    kept in a folder; remove it to be rid of them. If a port is taken, the next free one is used.

    \b
    Example:
      commonroom demo --folder /tmp/demo
    """
    with explained(AdminError, ConfigError, *START_ERRORS):
        prepared = prepare(folder, port, tls_port)
        settings = prepared.settings
        log_to_stderr(replace(settings.log, level=LogLevel.WARNING))
        run(settings, partial(_ready, prepared, port, tls_port), partial(populate, prepared))
    click.echo(f"Stopped. Everything is kept in {folder}; the same command starts it again.")


def _ready(prepared: Demo, port: int, tls_port: int, service: Service) -> None:
    ports = {kind: address.port for kind, address in service.addresses}
    starttls, direct = ports["starttls"], ports["direct tls"]
    for wanted, used in ((port, starttls), (tls_port, direct)):
        if wanted != used:
            click.echo(f"Port {wanted} is taken by another program; this uses {used} instead.")
    click.echo(_text(prepared, starttls, direct))
    log_to_stderr(prepared.settings.log)


def _text(prepared: Demo, starttls: int, direct: int) -> str:
    alice, bob = list(prepared.passwords)[:2]
    password = prepared.passwords[alice] or "PASSWORD"
    certificate = prepared.certificate.absolute()
    accounts = "\n".join(
        f"  {jid}   {password or '(was changed)'}" for jid, password in prepared.passwords.items()
    )
    return f"""\
Common Room {__version__} is ready, for programs on this machine only.

  address           password
{accounts}

They are in each other's contact lists already. The server is localhost:
  port {starttls}, STARTTLS    or    port {direct}, direct TLS
Its certificate is signed by itself: accept it when your client asks, or let the client trust this file:
  {certificate}

With Profanity:    profanity, then type
  /connect {alice} server 127.0.0.1 port {starttls} tls trust
With Gajim, Dino and others:
  add the account {alice}; if asked, the server is localhost and the port {starttls}
With go-sendxmpp, a message to {bob}:
  echo Hello | SSL_CERT_FILE={certificate} go-sendxmpp -u {alice} -p {password} -j 127.0.0.1:{starttls} {bob}

More accounts: commonroom user add dave@localhost --config {prepared.configuration}
Ctrl-C stops it.
"""
