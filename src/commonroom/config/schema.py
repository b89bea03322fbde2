"""The settings: every option of commonroom.toml with its type, default, bounds and meaning.

To add an option, add a field; to add a table, add a dataclass and a field in `Settings`. The loader, the
file that `commonroom init` writes and docs/configuration.md follow. See option.py for the mechanism.
"""

# ruff: noqa: RUF009 (option and table are dataclasses.field with more to say)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from commonroom.config.accounts import Accounts
from commonroom.config.addresses import DatabaseUrl, Domain, Uri
from commonroom.config.administration import Admin, Api, Roles
from commonroom.config.archive import Archive
from commonroom.config.c2s import C2s, Limits
from commonroom.config.components import Components
from commonroom.config.devices import ClientState, Devices, Push
from commonroom.config.federation import Federation
from commonroom.config.kinds import FilePath, ListOf, Text, Whole, duration, size
from commonroom.config.log import Log
from commonroom.config.option import Key, option, table
from commonroom.config.records import Records
from commonroom.config.rooms import Rooms
from commonroom.config.sasl import Mechanism, Sasl
from commonroom.config.stream_management import StreamManagement
from commonroom.config.tls import Tls


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
