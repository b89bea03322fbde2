"""The table [tls]: encryption, and the certificates that are shown."""

# ruff: noqa: RUF009 (see schema.py)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from commonroom.config.addresses import Domain
from commonroom.config.kinds import Choice, FilePath
from commonroom.config.option import option, tables


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
