"""The table [federation]: other servers, whom to talk with, and how much one of them may use."""

# ruff: noqa: RUF009 (option is dataclasses.field with more to say)
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from commonroom.config.addresses import EVERY_ADDRESS, Domain, HostAndPort, Listen, ListenAddress
from commonroom.config.kinds import Choice, FilePath, Flag, ListOf, Number, Whole, duration, size
from commonroom.config.option import Key, option, tables


class Security(StrEnum):
    """What a server has to show before anything is exchanged with it."""

    EXTERNAL = "external"
    CERTIFICATE = "certificate"
    ENCRYPTED = "encrypted"
    UNENCRYPTED = "unencrypted"


class Admittance(StrEnum):
    """Whether there is any exchange with a domain."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class FederatedDomain:
    """What holds for one other domain, and for those below it that have no table of their own."""

    policy: Admittance = option(
        Choice(Admittance),
        "allow",
        "`deny`: nothing is sent there, and nothing is taken from there.",
        example="deny",
    )
    security: Security | None = option(
        Choice(Security),
        None,
        "What its server has to show.",
        unset="what federation.security says",
        example="external",
    )
    server: ListenAddress | None = option(
        HostAndPort(),
        None,
        "Where its server is, for a domain that is not in DNS (RFC 6120 §3.2.3).",
        unset="DNS is asked",
        example="xmpp.internal.example.org:5269",
    )
    direct_tls: bool = option(
        Flag(), False, "Whether that server speaks TLS from the first byte. Without effect without `server`."
    )
    stanzas_per_second: int | None = option(
        Whole(1, 1_000_000),
        None,
        "How many stanzas it may send each second in the long run, over all its connections together.",
        unset="what federation.stanzas_per_second says",
        example=100,
    )
    bytes_per_second: int | None = option(
        size("1 KiB", "1 GiB"),
        None,
        "How much that may be.",
        unset="what federation.bytes_per_second says",
        example="64 KiB",
    )


@dataclass(frozen=True, slots=True)
class Federation:
    """Other servers: their users can then be contacts of yours. docs/federation.md says what that takes."""

    enabled: bool = option(
        Flag(),
        False,
        "Whether there is any exchange with other servers. It needs records in DNS and a certificate that "
        "others trust: `commonroom check dns` and `commonroom check certs` tell whether they are right.",
        example=True,
    )
    listen: tuple[ListenAddress, ...] = option(
        ListOf(Listen()),
        ["[::]:5269"],
        "Where other servers connect and then switch to TLS (STARTTLS).",
        example=["192.0.2.1:5269"],
    )
    listen_direct_tls: tuple[ListenAddress, ...] = option(
        ListOf(Listen()),
        [],
        "Where other servers connect with TLS from the first byte (XEP-0368); 5270 is usual.",
        example=["[::]:5270"],
    )
    default: Admittance = option(
        Choice(Admittance),
        "allow",
        "What holds for domains that have no table under [federation.domains]. `deny` leaves an exchange "
        "with those alone whose table says `allow`.",
        example="deny",
    )
    security: Security = option(
        Choice(Security),
        "certificate",
        "What another server has to show. `external`: a certificate of its domain from an authority that is "
        "trusted, in both directions. `certificate`: such a certificate when we connect to it; when it "
        "connects to us, that or dialback over a connection with such a certificate. `encrypted`: any "
        "certificate, and dialback: whoever controls DNS or the network in between can pretend to be it. "
        "`unencrypted`: dialback, even without TLS: everybody in between can read along.",
        example="external",
    )
    authorities: Path | None = option(
        FilePath(),
        None,
        "The authorities whose certificates are trusted (PEM).",
        unset="those of the operating system",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    nameservers: tuple[ListenAddress, ...] = option(
        ListOf(Listen()),
        [],
        "The DNS servers to ask. An empty list stands for those of the operating system.",
        example=["127.0.0.1:53"],
    )
    dnssec: bool = option(
        Flag(),
        False,
        "Whether these DNS servers check DNSSEC and nobody can come between them and this service, as on the "
        "same machine. Then DANE counts (RFC 7673): a domain can publish its certificate in DNS.",
        example=True,
    )
    connect_timeout: float = option(
        duration("1s", "5m"),
        "30s",
        "How long it may take to reach another server until it takes stanzas. What waits for longer goes "
        "back to its sender.",
    )
    login_timeout: float = option(
        duration("1s", "5m"),
        "30s",
        "How long a server that connects may take to show who it is.",
    )
    idle_timeout: float = option(
        duration("10s", "7d"), "10m", "A connection that nothing was sent over for so long is closed."
    )
    retry_first: float = option(
        duration("1s", "1h"),
        "5s",
        "How long a server that could not be reached is left alone. Each further failure doubles it. Until "
        "then, what is sent there goes back at once, with the reason.",
    )
    retry_longest: float = option(duration("1s", "1d"), "10m", "The longest that this becomes.")
    keep_trying: float = option(
        duration("1m", "90d"),
        "3d",
        "How long a message is tried again whose sender was told that it was handled, and is gone. A sender "
        "who is there hears after `connect_timeout` that it failed.",
    )
    queue_stanzas: int = option(
        Whole(1, 1_000_000),
        1000,
        "How many stanzas may wait for another domain, from one of ours. Further ones go back to the sender.",
    )
    queue_bytes: int = option(size("64 KiB", "1 GiB"), "4 MiB", "How large they may be together.")
    connections: int = option(
        Whole(1, 1_000_000),
        5000,
        "How many other servers may be connected at once. Further ones are turned away.",
    )
    connections_per_address: int = option(
        Whole(1, 1_000_000), 50, "How many of them may come from one IP address. Large hosters have several."
    )
    new_connections_per_second: float = option(
        Number(0.1, 1_000_000),
        20,
        "How many connections one IP address may begin each second in the long run; further ones are turned "
        "away at once.",
    )
    new_connection_burst: int = option(
        Whole(1, 1_000_000),
        500,
        "How many it may begin at once before `new_connections_per_second` counts.",
    )
    bytes_per_second: int = option(
        size("1 KiB", "1 GiB"),
        "1 MiB",
        "How much one domain may send each second in the long run, over all its connections together; and a "
        "connection until it is known whose it is. What is beyond is read later.",
        example="256 KiB",
    )
    byte_burst: int = option(
        size("10000 B", "1 GiB"), "4 MiB", "How much it may send at once before `bytes_per_second` counts."
    )
    stanzas_per_second: int = option(Whole(1, 1_000_000), 1000, "How many stanzas that may be.")
    stanza_burst: int = option(
        Whole(1, 1_000_000), 5000, "How many it may send at once before `stanzas_per_second` counts."
    )
    domains: Mapping[str, FederatedDomain] = tables(FederatedDomain, Domain(), example="example.net")

    def faults(self) -> Iterator[tuple[Key, str]]:
        """An address can be listened on only once; delays grow; a DNS server is at one address."""
        if any(address.host == EVERY_ADDRESS for address in self.nameservers):
            yield ("nameservers",), "`*` is no DNS server; write an address"
        for address in set(self.listen) & set(self.listen_direct_tls):
            yield ("listen_direct_tls",), f'"{address}" is also in federation.listen; give one another port'
        if self.retry_longest < self.retry_first:
            yield ("retry_longest",), "it is shorter than federation.retry_first; write a longer duration"
