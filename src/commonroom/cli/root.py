"""The list of commands."""

import click

from commonroom import __version__
from commonroom.cli.groups import Later, LazyGroup

COMMANDS = {
    "demo": Later("commonroom.cli.demo", "demo", "Try it: a service for this machine, with three accounts."),
    "init": Later(
        "commonroom.cli.init", "init", "Write the configuration, and make all that a new service needs."
    ),
    "serve": Later(
        "commonroom.cli.serve", "serve", "Run the service in the foreground, until SIGTERM or Ctrl-C."
    ),
    "check": Later("commonroom.cli.check", "check", "Look over the configuration and all that it refers to."),
    "user": Later("commonroom.cli.user", "user", "Make, list, change and remove accounts."),
    "session": Later(
        "commonroom.cli.session",
        "session",
        "See who is connected, and the clients of an account.",
    ),
    "room": Later("commonroom.cli.room", "room", "List, show, make, change and destroy rooms."),
    "archive": Later(
        "commonroom.cli.archive", "archive", "Look after the history of messages: expire it, erase it."
    ),
    "audit": Later("commonroom.cli.service", "audit", "Find records, and show statistics."),
    "stats": Later("commonroom.cli.service", "stats", "Show how the service is doing."),
    "announce": Later("commonroom.cli.service", "announce", "Send a message to everybody who is connected."),
    "log": Later("commonroom.cli.service", "log", "Change what a running service logs."),
    "reload": Later("commonroom.cli.service", "reload", "Read the configuration and the certificates again."),
    "drain": Later("commonroom.cli.service", "drain", "Let nobody new in, and send everybody away."),
    "privacy": Later(
        "commonroom.cli.privacy", "privacy", "Print what is kept about users, and why, as a text for them."
    ),
    "backup": Later(
        "commonroom.cli.backup",
        "backup",
        "Write a backup of database and configuration to a file.",
    ),
    "restore": Later(
        "commonroom.cli.backup", "restore", "Put back the database of a backup; the service must be stopped."
    ),
    "database": Later(
        "commonroom.cli.database",
        "database",
        "See the database, and bring that of an older version up to date.",
    ),
    "certificate": Later(
        "commonroom.cli.certificate", "certificate", "Make certificates, and look at those that are used."
    ),
    "dns": Later("commonroom.cli.certificate", "dns", "Print the DNS records that lead to the service."),
    "token": Later("commonroom.cli.token", "token", "Make, list and remove tokens of the HTTP API."),
    "s2s": Later("commonroom.cli.s2s", "s2s", "See and end connections with other servers."),
    "trace": Later(
        "commonroom.cli.trace", "trace", "Show how a stanza goes: through this server, and to another one."
    ),
}

EPILOG = """\
\b
Exit codes: 0 done; 1 not done, and standard error says why; 2 the command
line is wrong.

\b
Completion in bash (zsh and fish: write zsh or fish for bash):
  eval "$(_COMMONROOM_COMPLETE=bash_source commonroom)"

\b
Example:
  commonroom init --domain chat.example.org
  commonroom user add alice@chat.example.org
  commonroom serve
"""


@click.group(
    cls=LazyGroup,
    later=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="Common Room", message="%(prog)s %(version)s")
def commonroom() -> None:
    """Common Room, a chat service (XMPP) for an institution.

    `commonroom demo` shows it at once. `init` sets up a service to keep, `user` gives people accounts,
    `serve` runs it. Each command explains itself: `commonroom serve --help`.
    """


def main() -> None:
    """Run what was typed, and end the process."""
    commonroom(prog_name="commonroom")
