"""`commonroom serve`: the service, in the foreground."""

from functools import partial
from pathlib import Path

import click

from commonroom import __version__
from commonroom.admin.errors import AdminError
from commonroom.admin.lock import StateError
from commonroom.app.logs import log_to_stderr
from commonroom.app.running import run
from commonroom.app.service import Service
from commonroom.cli.output import config_option, explained, settings_of
from commonroom.config import Settings, load
from commonroom.net.certificates import CertificateError
from commonroom.net.listener import ListenError
from commonroom.storage.errors import StorageError

KINDS = {"starttls": "STARTTLS", "direct tls": "TLS", "plain": "not encrypted"}
START_ERRORS = (StateError, AdminError, CertificateError, ListenError, StorageError)


@click.command()
@config_option
def serve(path: Path) -> None:
    """Run the service in the foreground, until SIGTERM or Ctrl-C.

    One line on standard output says when clients can connect; the log goes to standard error. A signal lets
    everything that was accepted be written and tells clients; a second one ends the process at once.

    \b
    Example:
      commonroom serve --config /etc/commonroom/commonroom.toml
    """
    settings = settings_of(path)
    log_to_stderr(settings.log)
    with explained(*START_ERRORS):
        run(settings, partial(_ready, settings), reread=partial(load, path))


def _ready(settings: Settings, service: Service) -> None:
    clients = ", ".join(f"{address} ({KINDS[kind]})" for kind, address in service.addresses)
    domains = ", ".join(settings.domains)
    click.echo(f"Common Room {__version__} is ready: {domains}; clients: {clients or 'none can connect'}")
