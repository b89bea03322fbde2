"""`commonroom s2s`: connections with other servers."""

import click

from commonroom.admin.servers import close_servers, list_servers
from commonroom.cli.generated import command
from commonroom.cli.groups import Group


@click.group(cls=Group)
def s2s() -> None:
    """See and end connections with other servers. `commonroom trace s2s` tries one."""


s2s.add_command(command(list_servers, "The failures of lately follow, the latest first, with their reasons."))
s2s.add_command(command(close_servers, "New ones are made when there is something to send."))
