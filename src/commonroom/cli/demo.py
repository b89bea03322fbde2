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
from commonroom.cli.output import explained, own_name
from commonroom.cli.serve import START_ERRORS
from commonroom.config import ConfigError, LogLevel

PORT = click.IntRange(1, 65535)


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var"),
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--port", type=PORT, default=5222, show_default=True, help="For clients that use STARTTLS.")
@click.option("--tls-port", type=PORT, default=5223, show_default=True, help="For those that use direct TLS.")
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
        log_to_stderr(replace(prepared.settings.log, level=LogLevel.WARNING))
        ready = partial(_ready, prepared, port, tls_port)
        run(prepared.settings, ready, before=partial(populate, prepared))
    click.echo(f"Stopped. Everything is kept in {folder}; the same command goes on from there.")


def _ready(prepared: Demo, port: int, tls_port: int, service: Service) -> None:
    ports = {kind: address.port for kind, address in service.addresses}
    starttls, direct = ports["starttls"], ports["direct tls"]
    for wanted, used in ((port, starttls), (tls_port, direct)):
        if wanted != used:
            click.echo(f"Port {wanted} is taken by another program; {used} is used instead.")
    click.echo(_text(prepared, starttls, direct))
    log_to_stderr(prepared.settings.log)


def _text(prepared: Demo, starttls: int, direct: int) -> str:
    alice, bob = list(prepared.passwords)[:2]
    password = "PASSWORD" if alice in prepared.changed else prepared.passwords[alice]
    certificate = prepared.certificate.absolute()
    return f"""\
Common Room {__version__} is ready, for programs on this machine only.

{_accounts(prepared)}

They are in each other's contact lists already. The server is localhost:
  port {starttls} (STARTTLS) or port {direct} (direct TLS)
Its certificate is signed by itself: accept it when a client asks, or let the client trust this file:
  {certificate}

To connect with Profanity, start it, and type:
  /connect {alice} server 127.0.0.1 port {starttls} tls trust
With Gajim, Dino or another client:
  add the account {alice}; where it asks, the server is localhost and the port {starttls}.
To send {bob} a line with go-sendxmpp:
  echo Hello | SSL_CERT_FILE={certificate} go-sendxmpp -u {alice} -p {password} -j 127.0.0.1:{starttls} {bob}
To make another account:
  {own_name()} user add dave@{alice.domain} --config {prepared.configuration}

Ctrl-C stops it. Below is the log.
"""


def _accounts(prepared: Demo) -> str:
    width = max(map(len, prepared.passwords))
    rows = [
        (jid, "(was changed)" if jid in prepared.changed else password)
        for jid, password in prepared.passwords.items()
    ]
    return "\n".join(f"  {name:<{width}}   {value}" for name, value in [("address", "password"), *rows])
