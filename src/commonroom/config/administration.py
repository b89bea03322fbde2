"""The tables [admin], [api] and [roles]: how the service is operated, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commonroom.config.addresses import AccountAddress, Listen, ListenAddress
from commonroom.config.kinds import FilePath, ListOf, Text
from commonroom.config.option import option


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin socket, commonroom.socket in the state folder, through which the command line asks a running
    service. Whoever may open it may do everything."""

    socket_group: str | None = option(
        Text(),
        None,
        "A group of the system whose members may open the socket. They need the right to enter the state "
        "folder as well (chmod 710, chgrp).",
        unset="only the account that runs the service, and root",
        example="commonroom-admin",
    )


@dataclass(frozen=True, slots=True)
class Api:
    """Operations over HTTP, for programs on this machine: `commonroom token add` makes a token for each. A
    reverse proxy with TLS can make it reachable from elsewhere."""

    listen: tuple[ListenAddress, ...] = option(
        ListOf(Listen(loopback_only=True)),
        [],
        "Where the API, the health pages and the metrics are. An empty list turns this off.",
        example=["127.0.0.1:5280"],
    )


def _role(doc: str) -> tuple[str, ...]:
    return option(ListOf(AccountAddress()), [], doc, example=["alice@example.org"], live=True)


def _files(role: str, example: str) -> tuple[Path, ...]:
    doc = (
        f"Files of accounts that have the role {role} as well: one on a line, an address or a name of the "
        "first of the domains; what follows a colon is not looked at. They are read again when they change."
    )
    return option(ListOf(FilePath()), [], doc, example=[example], live=True)


@dataclass(frozen=True, slots=True)
class Roles:
    """Accounts that may do more than others, by commands in their chat client (XEP-0050, XEP-0133). What each
    role may do is a table in docs/accounts.md."""

    operator: tuple[str, ...] = _role("Addresses of those who may do everything.")
    helpdesk: tuple[str, ...] = _role(
        "Addresses of those who see and change accounts and sessions, but no records."
    )
    auditor: tuple[str, ...] = _role("Addresses of those who may read what is recorded.")
    operator_files: tuple[Path, ...] = _files("operator", "/etc/commonroom/operators")
    helpdesk_files: tuple[Path, ...] = _files("helpdesk", "/etc/commonroom/helpdesk")
    auditor_files: tuple[Path, ...] = _files("auditor", "/etc/commonroom/auditors")
