"""The tables [admin], [api] and [roles]: how the service is operated, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from commonroom.config.addresses import Listen, ListenAddress
from commonroom.config.kinds import ListOf, Text
from commonroom.config.option import Key, option


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
    return option(ListOf(Text()), [], doc, example=["alice@example.org"])


@dataclass(frozen=True, slots=True)
class Roles:
    """Accounts that may do more than others, by commands in their chat client (XEP-0050, XEP-0133)."""

    operator: tuple[str, ...] = _role("Addresses of those who may do everything.")
    helpdesk: tuple[str, ...] = _role(
        "Addresses of those who see and change accounts and sessions, but no records."
    )
    auditor: tuple[str, ...] = _role("Addresses of those who may read what is recorded.")

    def faults(self) -> Iterator[tuple[Key, str]]:
        """A role is an account's."""
        for each in fields(self):
            for address in getattr(self, each.name):
                if "@" not in address or "/" in address:
                    yield (each.name,), f'"{address}" is not the address of an account; write name@domain'
