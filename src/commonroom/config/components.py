"""The table [components]: programs beside the service that own a domain (XEP-0114)."""

from collections.abc import Mapping
from dataclasses import dataclass

from commonroom.config.addresses import Domain, Listen, ListenAddress
from commonroom.config.kinds import ListOf, Text
from commonroom.config.option import option, tables


@dataclass(frozen=True, slots=True)
class Component:
    """A domain that a program of yours owns: it gets all that is sent there, and can write in its name."""

    secret: str = option(
        Text(),
        "secret",
        "What the program shows to be the one; make it long and by chance. The same is in its configuration.",
        example="r4nd0m-and-long",
        required=True,
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class Components:
    """Programs that own a domain, as gateways to other networks (XEP-0114).

    Several may connect for one domain: what comes goes to the one that was there first, and to the next when
    it is gone.
    """

    listen: tuple[ListenAddress, ...] = option(
        ListOf(Listen(loopback_only=True)),
        [],
        "Where these programs connect. Only loopback addresses are possible: the protocol knows no "
        "encryption. 5347 is the usual port.",
        example=["127.0.0.1:5347"],
    )
    domains: Mapping[str, Component] = tables(Component, Domain(), example="irc.example.org")
