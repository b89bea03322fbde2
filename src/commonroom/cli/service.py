"""Commands for the service as a whole, made of their operations."""

import click

from commonroom.admin.audit import find_records, statistics
from commonroom.admin.reload import drain as drain_operation
from commonroom.admin.reload import log_level
from commonroom.admin.reload import reload as reload_operation
from commonroom.admin.service import announce as announce_operation
from commonroom.admin.service import stats as stats_operation
from commonroom.cli.generated import command
from commonroom.cli.groups import Group


@click.group(cls=Group)
def audit() -> None:
    """Find records, and show statistics."""


@click.group(cls=Group)
def log() -> None:
    """Change what a running service logs."""


audit.add_command(command(find_records, "That you asked is itself recorded."))
audit.add_command(command(statistics, "Users are counted when their day is over; nobody is named."))
log.add_command(command(log_level, "A restart, or another `log.level` and `reload`, undoes it."))
reload = command(
    reload_operation,
    "All is checked first; if anything is wrong, nothing changes, and it says what. It also says which "
    "options count only after a restart. SIGHUP does the same; a failure is in the log then.",
)
drain = command(
    drain_operation,
    "Clients are told that the service stops (system-shutdown), and come back to another one, or to this one "
    "when it has been started again. It returns at once.",
)
announce = command(announce_operation, "Who is not connected hears nothing of it.")
stats = command(stats_operation)
