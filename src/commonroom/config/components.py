"""The table [components]: programs beside the service that own a domain (XEP-0114)."""

# ruff: noqa: RUF009 (option and table are dataclasses.field with more to say)
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.addresses import Domain, Listen, ListenAddress
from commonroom.config.kinds import Choice, Flag, ListOf, Number, Text, Whole
from commonroom.config.option import Key, option, table, tables

# What is never a component's (XEP-0355 §8), but for two names that stand for other things: XEP-0355 §7.2.4,
# XEP-0355 §7.2.5.
DELEGATION = "urn:xmpp:delegation:2"
RESTS = (f"{DELEGATION}:bare:disco#info:*", f"{DELEGATION}:bare:disco#items:*")


class Allowed(StrEnum):
    """Which requests are allowed."""

    NONE = "none"
    GET = "get"
    SET = "set"
    BOTH = "both"


class AllowedMessages(StrEnum):
    """Whether messages in the name of accounts are."""

    NONE = "none"
    OUTGOING = "outgoing"


class AllowedPresence(StrEnum):
    """Whose presence is shown."""

    NONE = "none"
    MANAGED_ENTITY = "managed_entity"
    ROSTER = "roster"


@dataclass(frozen=True, slots=True)
class AllowedRequests:
    """Requests of one namespace that the program may make in the name of accounts (XEP-0356 §6)."""

    allow: Allowed = option(
        Choice(Allowed),
        "none",
        "Those that read (`get`), those that change (`set`), or `both`.",
        example="both",
    )


@dataclass(frozen=True, slots=True)
class Privileges:
    """What the program may do with the accounts that it manages, as if it were their owners (XEP-0356).

    Give these to programs that you trust as much as this service itself.
    """

    roster: Allowed = option(
        Choice(Allowed),
        "none",
        "Whether it may read their contacts (`get`), change them (`set`), or `both`.",
        example="both",
    )
    roster_push: bool | None = option(
        Flag(),
        None,
        "Whether it is told when contacts change.",
        unset="true, if it may read contacts",
        example=False,
    )
    message: AllowedMessages = option(
        Choice(AllowedMessages),
        "none",
        "`outgoing`: it may send messages that come from them.",
        example="outgoing",
    )
    presence: AllowedPresence = option(
        Choice(AllowedPresence),
        "none",
        "`managed_entity`: it sees who of them is online. `roster`: their contacts as well; each presence "
        "that comes for an account which nobody uses then makes the server look up its contacts.",
        example="managed_entity",
    )
    iq: Mapping[str, AllowedRequests] = tables(
        AllowedRequests, Text(), example="http://jabber.org/protocol/pubsub"
    )

    @property
    def pushes(self) -> bool:
        """Whether it is told when contacts change."""
        return self.reads_rosters if self.roster_push is None else self.roster_push

    @property
    def reads_rosters(self) -> bool:
        """Whether it may know contacts."""
        return self.roster in (Allowed.GET, Allowed.BOTH)

    @property
    def has_any(self) -> bool:
        """Whether anything at all is allowed."""
        return self != Privileges()

    def faults(self) -> Iterator[tuple[Key, str]]:
        """What shows contacts needs the right to read them (XEP-0356 §4.1, §7.4)."""
        if self.roster_push and not self.reads_rosters:
            yield (
                ("roster_push",),
                'it cannot be told of what it may not read; write roster = "get" or "both"',
            )
        if self.presence is AllowedPresence.ROSTER and not self.reads_rosters:
            yield (
                ("presence",),
                '"roster" shows who is a contact of whom; write roster = "get" or "both", too',
            )


@dataclass(frozen=True, slots=True)
class Delegated:
    """A namespace of requests to this server and to its accounts that the program answers (XEP-0355)."""

    attributes: tuple[str, ...] = option(
        ListOf(Text()),
        [],
        "Only requests whose payload has all these attributes; the others are answered here as before.",
        example=["node"],
    )


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
    manages: tuple[str, ...] | None = option(
        ListOf(Domain(), minimum=1),
        None,
        "The domains, of those that this server has accounts for, to which `privileges` and `delegations` "
        "apply.",
        unset="the nearest one that this domain is below",
        example=["example.org"],
    )
    privileges: Privileges = table(Privileges)
    delegations: Mapping[str, Delegated] = tables(Delegated, Text(), example="urn:xmpp:mam:2")

    @property
    def needs_accounts(self) -> bool:
        """Whether it has anything to do with them."""
        return self.privileges.has_any or bool(self.delegations)

    def managed(self, name: str, domains: tuple[str, ...]) -> tuple[str, ...]:
        """Whose accounts it manages, if this is its name."""
        if self.manages is not None:
            return self.manages
        above = [domain for domain in domains if name.endswith(f".{domain}")]
        return tuple(sorted(above, key=len)[-1:])

    def faults(self) -> Iterator[tuple[Key, str]]:
        """The namespace of delegation is not delegated (XEP-0355 §8)."""
        for namespace in self.delegations:
            if namespace.startswith(DELEGATION) and namespace not in RESTS:
                yield ("delegations", namespace), "this namespace is never delegated; remove the table"


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
    connections: int = option(
        Whole(1, 100_000),
        200,
        "How many may be connected at once, those included that have yet to show that they know the secret.",
    )
    new_connections_per_second: float = option(
        Number(0.1, 1_000_000),
        10,
        "How many connections may begin each second in the long run; further ones are turned away at once.",
    )
    new_connection_burst: int = option(
        Whole(1, 1_000_000),
        200,
        "How many may begin at once before `new_connections_per_second` counts.",
    )
    domains: Mapping[str, Component] = tables(Component, Domain(), example="irc.example.org")

    def faults_with(self, domains: tuple[str, ...]) -> Iterator[tuple[Key, str]]:
        """Those that only the domains of accounts show; a domain and a namespace have one owner."""
        owners: dict[tuple[str, str], str] = {}
        for name, component in self.domains.items():
            if name in domains:
                yield ("domains", name), "people have accounts there (domains); choose another"
            managed = component.managed(name, domains)
            if component.needs_accounts and not managed:
                yield ("domains", name), 'it is below no domain with accounts; write manages = ["…"]'
            for unknown in sorted({*managed} - {*domains}):
                yield ("domains", name, "manages"), f"{unknown} is not in domains; correct one of them"
            for namespace in component.delegations:
                for domain in managed:
                    other = owners.setdefault((domain, namespace), name)
                    if other != name:
                        yield (
                            ("domains", name, "delegations", namespace),
                            f"{other} has it already; remove one of the two",
                        )
