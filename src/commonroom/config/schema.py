"""The settings: every option of commonroom.toml with its type, default, bounds and meaning.

To add an option, add a field; to add a table, add a dataclass and a field in `Settings`. The loader, the
file that `commonroom init` writes and docs/configuration.md follow. See option.py for the mechanism.
"""

# ruff: noqa: RUF009 (option and table are dataclasses.field with more to say)
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from commonroom.config.accounts import Accounts
from commonroom.config.addresses import DatabaseUrl, Domain, Listen, ListenAddress, Uri
from commonroom.config.administration import Admin, Api, Roles
from commonroom.config.archive import Archive
from commonroom.config.components import Components
from commonroom.config.devices import ClientState, Devices, Push
from commonroom.config.federation import Federation
from commonroom.config.kinds import Choice, FilePath, ListOf, Number, Text, Whole, duration, size
from commonroom.config.log import Log
from commonroom.config.option import Key, option, table, tables
from commonroom.config.records import Records
from commonroom.config.rooms import Rooms
from commonroom.config.stream_management import StreamManagement


@dataclass(frozen=True, slots=True)
class Database:
    """Where accounts, rosters and stored messages are kept."""

    url: str = option(
        DatabaseUrl(),
        "sqlite",
        "`sqlite` is a file, commonroom.sqlite3 in the state folder: enough for one machine, with nothing to "
        "install. A PostgreSQL database is named by its URL; keep the password out of it, in ~/.pgpass of "
        "the account that runs the server.",
        example="postgresql://commonroom@db.example.org/commonroom",
        secret=True,
    )
    connections: int = option(
        Whole(1, 100), 4, "How many connections to PostgreSQL may be open at once. Without effect for SQLite."
    )
    commit_delay: float = option(
        duration("0s", "1s"),
        "9ms",
        "How long changes may be gathered to be written to disk together. Longer saves work under load and "
        "delays archived messages and the confirmations to clients by as much. Where many gather, a third of "
        "it is enough. An idle server does not wait.",
        example="3ms",
    )


class TlsVersion(StrEnum):
    """A version of TLS."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class KeyPair(NamedTuple):
    """The files of a certificate and of its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class DomainTls:
    """The certificate of one domain, where it is not that of `[tls]`: a domain of `domains`, or below one."""

    certificate: Path = option(
        FilePath(),
        "fullchain.pem",
        "The certificate of this domain, followed by the certificates that lead to its authority (PEM).",
        example="/etc/letsencrypt/live/example.org/fullchain.pem",
        required=True,
        live=True,
    )
    key: Path = option(
        FilePath(),
        "privkey.pem",
        "The private key of this certificate (PEM).",
        example="/etc/letsencrypt/live/example.org/privkey.pem",
        required=True,
        live=True,
    )


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption. Every connection that crosses a network is encrypted; this cannot be turned off."""

    certificate: Path | None = option(
        FilePath(),
        None,
        "The server's certificate, followed by the certificates that lead to its authority (PEM). It must "
        "name every domain that has no table of its own below.",
        unset="certificate.pem in the state folder",
        example="/etc/letsencrypt/live/example.org/fullchain.pem",
        live=True,
    )
    key: Path | None = option(
        FilePath(),
        None,
        "The private key of the certificate (PEM). Only the account that runs the server should be able to "
        "read it.",
        unset="key.pem in the state folder",
        example="/etc/letsencrypt/live/example.org/privkey.pem",
        live=True,
    )
    minimum_version: TlsVersion = option(
        Choice(TlsVersion),
        "1.2",
        "The oldest version of TLS that is spoken. Programs from before about 2020 may not know 1.3.",
        example="1.3",
        live=True,
    )
    domains: Mapping[str, DomainTls] = tables(DomainTls, Domain(), example="example.org")


class ResourceConflict(StrEnum):
    """What happens to a client that binds a resource which is in use (RFC 6120 §7.7.2.2)."""

    REPLACE = "replace"
    REFUSE = "refuse"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class C2s:
    """Connections of clients: where they arrive, and how much one of them may use."""

    listen: tuple[ListenAddress, ...] = option(
        ListOf(Listen()),
        ["[::]:5222"],
        "Where clients connect and then switch to TLS (STARTTLS). `[::]` is every IPv6 and IPv4 address of "
        "the machine, `0.0.0.0` every IPv4 address, `*` both if the machine has both.",
        example=["192.0.2.1:5222", "[2001:db8::1]:5222"],
    )
    listen_direct_tls: tuple[ListenAddress, ...] = option(
        ListOf(Listen()),
        ["[::]:5223"],
        "Where clients connect with TLS from the first byte (XEP-0368). An empty list turns this off.",
        example=["[::]:443"],
    )
    listen_plain: tuple[ListenAddress, ...] = option(
        ListOf(Listen(loopback_only=True)),
        [],
        "Where programs on this machine connect without encryption, for a proxy that has already removed it. "
        "Only loopback addresses are possible.",
        example=["127.0.0.1:5225"],
    )
    connections: int = option(
        Whole(1, 10_000_000),
        50_000,
        "How many clients may be connected at once. Further ones are turned away. The operating system must "
        "allow as many open files.",
        live=True,
    )
    connections_per_address: int = option(
        Whole(1, 10_000_000),
        200,
        "How many of them may come from one IP address (RFC 6120 §13.12). Raise it if many people share an "
        "address, as behind a campus gateway.",
        example=5000,
        live=True,
    )
    new_connections_per_second: float = option(
        Number(0.1, 1_000_000),
        50,
        "How many connections one IP address may begin each second in the long run; further ones are turned "
        "away at once. Each costs a TLS handshake. It counts for a proxy's address as well.",
        example=200,
        live=True,
    )
    new_connection_burst: int = option(
        Whole(1, 10_000_000),
        2000,
        "How many it may begin at once before `new_connections_per_second` counts: all who share an address "
        "come back at the same time when the service or their network was away.",
        example=10_000,
        live=True,
    )
    login_timeout: float = option(
        duration("1s", "1h"),
        "60s",
        "The time from connecting to being logged in. It is not extended by anything the client sends.",
        example="30s",
        live=True,
    )
    idle_ping_after: float = option(
        duration("10s", "1d"),
        "5m",
        "A client that has sent nothing for so long is asked whether it is still there. RFC 6120 §4.6.4 "
        "recommends not to ask more than once in five minutes; phones pay for each question.",
        example="15m",
        live=True,
    )
    idle_ping_timeout: float = option(
        duration("1s", "1h"),
        "1m",
        "A client that has not answered that question after so long is disconnected.",
        example="2m",
        live=True,
    )
    linger: float = option(
        duration("0s", "1m"),
        "2s",
        "How long a connection that the server closes stays open for the client to read why.",
        example="5s",
        live=True,
    )
    bytes_per_second: int = option(
        size("1 KiB", "1 GiB"),
        "256 KiB",
        "How much one client may send each second in the long run. What is beyond is read later, not lost "
        "(RFC 6120 §13.12).",
        example="64 KiB",
        live=True,
    )
    byte_burst: int = option(
        size("10000 B", "1 GiB"),
        "1 MiB",
        "How much it may send at once before `bytes_per_second` counts.",
        example="256 KiB",
        live=True,
    )
    stanzas_per_second: int = option(
        Whole(1, 1_000_000),
        100,
        "How many stanzas (messages, presences, requests) one client may send each second in the long run. "
        "Further ones are read later, not lost.",
        live=True,
    )
    stanza_burst: int = option(
        Whole(1, 1_000_000),
        500,
        "How many it may send at once before `stanzas_per_second` counts. Clients send many when they log "
        "in.",
        live=True,
    )
    pending_bytes: int = option(
        size("256 KiB", "1 GiB"),
        "4 MiB",
        "How much may wait to be sent to one client that reads too slowly. It is disconnected when there is "
        "more.",
        example="16 MiB",
        live=True,
    )
    resource_conflict: ResourceConflict = option(
        Choice(ResourceConflict),
        "replace",
        "When a client asks for the name (resource) of one that is connected: `replace` disconnects the old "
        "one, which is usually a dead connection of the same client; `refuse` tells the new one to choose "
        "another name; `rename` gives it one (RFC 6120 §7.7.2.2).",
        example="rename",
    )
    sessions_per_account: int = option(
        Whole(1, 1000), 20, "How many clients of one account may be connected at once (RFC 6120 §13.12)."
    )

    def faults(self) -> Iterator[tuple[Key, str]]:
        """An address can be listened on only once."""
        taken: dict[ListenAddress, str] = {}
        for name in ("listen", "listen_direct_tls", "listen_plain"):
            for address in getattr(self, name):
                if address in taken:
                    yield (
                        (name,),
                        f'"{address}" is also in c2s.{taken[address]}; give one of them another port',
                    )
                taken.setdefault(address, name)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one stanza may contain. A client that sends more is disconnected and told why."""

    stanza_bytes: int = option(
        size("10000 B", "64 MiB"),
        "256 KiB",
        "The size of a stanza. RFC 6120 §13.12 demands that 10000 bytes be possible.",
        example="1 MiB",
        live=True,
    )
    stanza_bytes_before_login: int = option(
        size("10000 B", "64 MiB"),
        "10000 B",
        "The size of what may be sent before logging in.",
        example="16 KiB",
        live=True,
    )
    depth: int = option(Whole(16, 200), 64, "How many elements may be inside one another.", live=True)
    elements: int = option(Whole(100, 1_000_000), 2000, "How many elements a stanza may have.", live=True)
    attributes: int = option(Whole(16, 10_000), 64, "How many attributes an element may have.", live=True)
    names: int = option(
        Whole(200, 1_000_000),
        2000,
        "How many different names of elements and attributes one connection may use. Each takes memory for "
        "as long as the connection lasts.",
        live=True,
    )

    def faults(self) -> Iterator[tuple[Key, str]]:
        """Strangers may not send more than users."""
        if self.stanza_bytes_before_login > self.stanza_bytes:
            yield (
                ("stanza_bytes_before_login",),
                "it is larger than limits.stanza_bytes; write a smaller size",
            )


class Mechanism(StrEnum):
    """A SASL mechanism by the name that it has in the protocol."""

    SCRAM_SHA_512_PLUS = "SCRAM-SHA-512-PLUS"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_1_PLUS = "SCRAM-SHA-1-PLUS"
    SCRAM_SHA_1 = "SCRAM-SHA-1"
    PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class Sasl:
    """Logging in."""

    mechanisms: tuple[Mechanism, ...] = option(
        ListOf(Choice(Mechanism), minimum=1),
        list(Mechanism),
        "The ways of logging in that are offered. SCRAM never shows the password to the server, and with "
        "-PLUS it notices somebody in between; PLAIN sends the password inside TLS. RFC 6120 §13.8.1 demands "
        "that servers support SCRAM-SHA-1: some clients know nothing newer.",
        example=["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"],
        live=True,
    )
    iterations: int = option(
        Whole(4096, 1_000_000),
        4096,
        "How often SCRAM hashes a password; RFC 5802 §5.1 allows no less than the default. More makes a "
        "stolen database harder to use, and each login slower, on phones above all. It counts for passwords "
        "that are set from now on.",
        example=10_000,
    )
    tries_per_stream: int = option(
        Whole(3, 6),
        5,
        "How often a client may try to log in before it is disconnected (RFC 6120 §6.4.5 asks for two to "
        "five tries after the first).",
        live=True,
    )
    delay_first: float = option(
        duration("0s", "1m"),
        "1s",
        "How long the answer to a failed login is delayed. Each further failure doubles it.",
        example="500ms",
    )
    delay_longest: float = option(
        duration("0s", "10m"), "30s", "The longest that this delay becomes.", example="1m"
    )

    def faults(self) -> Iterator[tuple[Key, str]]:
        """The delay grows."""
        if self.delay_longest < self.delay_first:
            yield ("delay_longest",), "it is shorter than sasl.delay_first; write a longer duration"


@dataclass(frozen=True, slots=True)
class Roster:
    """Contact lists."""

    items: int = option(Whole(1, 100_000), 1000, "How many contacts an account may have.")
    groups_per_item: int = option(Whole(1, 1000), 20, "How many groups one contact may be in.")
    name_length: int = option(
        Whole(1, 10_000), 256, "How many characters the name of a contact may have (RFC 6121 §2.3.3)."
    )
    group_length: int = option(
        Whole(1, 10_000), 256, "How many characters the name of a group may have (RFC 6121 §2.3.3)."
    )


@dataclass(frozen=True, slots=True)
class Offline:
    """Messages that wait for an account with no client connected. When it has too many, senders are told."""

    messages: int = option(Whole(0, 1_000_000), 500, "How many messages may wait for one account.")
    bytes: int = option(size("0 B", "16 GiB"), "16 MiB", "How large they may be together.", example="64 MiB")


@dataclass(frozen=True, slots=True)
class PrivateStorage:
    """What clients keep on the server for themselves, as bookmarks (XEP-0049)."""

    bytes: int = option(size("0 B", "1 GiB"), "256 KiB", "How much one account may keep.", example="1 MiB")


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client shows to somebody who tries to make an account with it, which is not possible."""

    instructions: str = option(
        Text(),
        "Accounts here are made by the administrators of this service. Ask them for one.",
        "Where accounts come from, as a sentence or two for people.",
        example="Every member of the university has an account. The name is that of your email address.",
    )
    password_page: str | None = option(
        Uri(schemes=("https", "http")),
        None,
        "A page where people get an account or change their password. Clients show it as a link "
        "(XEP-0077 §5).",
        unset="no link is shown",
        example="https://www.example.org/accounts",
    )


def contact(doc: str, *example: str) -> tuple[str, ...]:
    """A field for the addresses of one purpose."""
    return option(ListOf(Uri()), [], doc, example=list(example))


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom people and other services can turn to. Anybody can ask the server for this (XEP-0157)."""

    abuse: tuple[str, ...] = contact("For complaints about users.", "mailto:abuse@example.org")
    admin: tuple[str, ...] = contact("For those who run other services.", "xmpp:admin@example.org")
    feedback: tuple[str, ...] = contact("For opinions.", "https://www.example.org/feedback")
    sales: tuple[str, ...] = contact("For customers.", "mailto:sales@example.org")
    security: tuple[str, ...] = contact("For reports of weaknesses.", "mailto:security@example.org")
    status: tuple[str, ...] = contact("Where it is said what does not work.", "https://status.example.org")
    support: tuple[str, ...] = contact(
        "For users who need help.", "mailto:help@example.org", "https://www.example.org/help"
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The service as a whole. These options stand at the top of the file, before the first table."""

    domains: tuple[str, ...] = option(
        ListOf(Domain(), minimum=1),
        ["localhost"],
        "The domains that are served: what stands behind the @ in the addresses of users. The first is the "
        "default one.",
        example=["example.org", "chat.example.org"],
        required=True,
    )
    state: Path = option(
        FilePath("a folder"),
        "var",
        "The folder for everything that the server itself writes.",
        example="/var/lib/commonroom",
    )
    database: Database = table(Database)
    tls: Tls = table(Tls)
    c2s: C2s = table(C2s)
    limits: Limits = table(Limits)
    sasl: Sasl = table(Sasl)
    accounts: Accounts = table(Accounts)
    roster: Roster = table(Roster)
    offline: Offline = table(Offline)
    stream_management: StreamManagement = table(StreamManagement)
    archive: Archive = table(Archive)
    federation: Federation = table(Federation)
    components: Components = table(Components)
    rooms: Rooms = table(Rooms)
    devices: Devices = table(Devices)
    client_state: ClientState = table(ClientState)
    push: Push = table(Push)
    private_storage: PrivateStorage = table(PrivateStorage)
    registration: Registration = table(Registration)
    contact: Contact = table(Contact)
    admin: Admin = table(Admin)
    api: Api = table(Api)
    roles: Roles = table(Roles)
    records: Records = table(Records)
    log: Log = table(Log)

    def faults(self) -> Iterator[tuple[Key, str]]:
        """A certificate for a domain that is not served is a mistyped name; a domain has one owner."""
        for path, text in self.components.faults_with(self.domains):
            yield ("components", *path), text
        for name in self.tls.domains:
            if not any(f".{name}".endswith(f".{domain}") for domain in self.domains):
                yield (
                    ("tls", "domains", name),
                    "it is neither in domains nor below one of them; correct the name",
                )
        for name, source in self.accounts.files.items():
            if source.domain is not None and source.domain not in self.domains:
                yield ("accounts", "files", name, "domain"), "it is not in domains; correct one of them"
        if self.accounts.files and Mechanism.PLAIN not in self.sasl.mechanisms:
            yield ("sasl", "mechanisms"), 'accounts in files cannot log in without "PLAIN"; add it'
