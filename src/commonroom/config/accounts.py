"""The table [accounts]: who may log in, and which source decides."""

# ruff: noqa: RUF009 (see schema.py)
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from commonroom.config.addresses import Domain
from commonroom.config.kinds import Choice, FilePath, ListOf, Number, Text, Whole, duration
from commonroom.config.option import Key, option, tables


class Source(StrEnum):
    """Where accounts come from."""

    STORED = "stored"
    FILES = "files"


class KeyPolicy(StrEnum):
    """What becomes of the password of an account whose hash is in a file."""

    NONE = "none"
    KEPT = "kept"
    OFFERED = "offered"


class Unmapped(StrEnum):
    """Who has no line in the mapping file."""

    LOGIN = "login"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class AccountFiles:
    """Accounts that are kept in files elsewhere, under a name of your choice. The files are read again when
    they change; docs/accounts.md tells how, and what happens to accounts that leave them."""

    passwords: tuple[Path, ...] = option(
        ListOf(FilePath(), minimum=1),
        ["passwd"],
        "Files with a line `name:hash` for each account, as passwd, shadow and htpasswd have them; what "
        "follows a second colon is not looked at. Hashes are DES, MD5, apr1, bcrypt, SHA-256, SHA-512 or "
        "yescrypt. If a name is there twice, the first counts.",
        example=["/etc/commonroom/shadow"],
        required=True,
    )
    domain: str | None = option(
        Domain(),
        None,
        "The domain of these accounts.",
        unset="the first of domains",
        example="example.org",
    )
    only: tuple[Path, ...] = option(
        ListOf(FilePath()),
        [],
        "Files of names, one on a line (what follows a colon is not looked at): only who is in each of them "
        "has an account.",
        example=["/etc/commonroom/mail-users"],
    )
    without: tuple[Path, ...] = option(
        ListOf(FilePath()),
        [],
        "Files of names, likewise: who is in one of them has no account.",
        example=["/etc/commonroom/shared-accounts"],
    )
    mapping: Path | None = option(
        FilePath(),
        None,
        "A file with a line `name:address:alias,alias` for each account whose address is not its name. The "
        "domain may be left out of addresses.",
        unset="addresses are names",
        example="/etc/commonroom/addresses",
    )
    unmapped: Unmapped = option(
        Choice(Unmapped),
        "login",
        "Who has no line in the mapping file has the name as address (`login`), or no account (`nobody`).",
        example="nobody",
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may log in: accounts that are kept here (`commonroom user add`), and accounts in files."""

    order: tuple[Source, ...] = option(
        ListOf(Choice(Source), minimum=1),
        ["stored", "files"],
        "Which source decides for an account that is in both: the first. One that is left out has none.",
        example=["files", "stored"],
    )
    keys: KeyPolicy = option(
        Choice(KeyPolicy),
        "kept",
        "What is made of the password when somebody from a file logs in by PLAIN. `kept`: SCRAM keys, so "
        "that the next login costs milliseconds whatever the hash costs; `offered`: these, and SCRAM is "
        "offered to all, although it works only for those who have keys; `none`: each login checks the hash. "
        "A changed hash voids the keys.",
        example="none",
    )
    keep_departed: float = option(
        duration("0s", "3650d"),
        "30d",
        "How long what is kept for an account stays when it has left the files. If it comes back meanwhile, "
        "all is as before; then it is erased.",
        example="365d",
    )
    keep_former: float = option(
        duration("0s", "3650d"),
        "180d",
        "How long the former address of a renamed account stays an alias.",
        example="365d",
    )
    hold_share: float = option(
        Number(0.0, 1.0),
        0.1,
        "A change of the files that takes away the access or the address of more than this share of the "
        "accounts is held back until `commonroom user confirm`; so is one that leaves nobody.",
        example=0.02,
    )
    hold_least: int = option(
        Whole(0, 1_000_000),
        10,
        "A change that concerns no more accounts than these is not held back for its share.",
        example=50,
    )
    authorities: Path | None = option(
        FilePath(),
        None,
        "The certificates (PEM) of authorities, with those between them and users, whose certificates let "
        "clients log in without a password (SASL EXTERNAL, XEP-0178). The address is in the certificate.",
        unset="no client is asked for a certificate",
        example="/etc/commonroom/people-ca.pem",
    )
    revocations: tuple[Path, ...] = option(
        ListOf(FilePath()),
        [],
        "Files of revocation lists (CRL, PEM or DER) of these authorities: certificates on them do not "
        "count. They are read again within seconds of a change, and whoever is connected with a certificate "
        "that is revoked now is disconnected.",
        example=["/etc/commonroom/people-ca.crl"],
    )
    files: Mapping[str, AccountFiles] = tables(AccountFiles, Text(100), example="people")

    def faults(self) -> Iterator[tuple[Key, str]]:
        """Files that nobody reads are a mistake."""
        if self.revocations and self.authorities is None:
            yield ("revocations",), "there are no authorities whose lists these could be; set authorities"
        if self.files and Source.FILES not in self.order:
            yield ("order",), 'it leaves out "files", but there are [accounts.files] tables; add it'
        if not self.files and Source.STORED not in self.order:
            yield ("order",), 'nobody could log in: there are no [accounts.files] tables; add "stored"'
