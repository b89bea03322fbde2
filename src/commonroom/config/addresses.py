"""Kinds of values that name places: domains, addresses to listen on, URIs, databases."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from commonroom.config.kinds import Kind, quoted, refused, shown, toml_string

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\xa0\s<>\"{}|\\^`]+")
MAIL_OR_JID = re.compile(r"[^@:/\s]+@[^@:/\s]+")
ACCOUNT = re.compile(r"[^@/\s\x00-\x20\x7f]+@[^@/\s\x00-\x20\x7f]+")
HOST_AND_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([^:]+)")
EVERY_ADDRESS = "*"
LETTERS_AND_DIGITS = frozenset({"Ll", "Lo", "Lm", "Mn", "Mc", "Nd"})  # what IDNA2008 leaves of names


class ListenAddress(NamedTuple):
    """Where a listener waits: an IP address without brackets, or '*' for all, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Domain(Kind[str]):
    """A domain that addresses end in, in lower case and its own script (RFC 7622 §3.2.1)."""

    @property
    def expected(self) -> str:
        return 'a domain name, as "example.org"'

    def read(self, value: object) -> str:
        labels = quoted(value, self.expected).removesuffix(".").split(".")
        try:
            name = ".".join(map(u_label, labels))
        except UnicodeError:
            raise refused(f"{shown(value)} is not a domain name; write {self.expected}") from None
        if len(name.encode()) > 253:
            raise refused(
                f"{shown(value)} is longer than the 253 bytes of a domain name; write a shorter one"
            )
        return name

    def write(self, value: str) -> str:
        return toml_string(value)


def u_label(label: str) -> str:
    """One label of a domain, normalised; raises UnicodeError for what cannot be one."""
    text = unicodedata.normalize("NFC", label.lower())
    if text.startswith("xn--"):
        text = text[4:].encode("ascii").decode("punycode")
    usable = text and text == unicodedata.normalize("NFC", text.lower()) and text.strip("-") == text
    if not usable or len(a_label(text)) > 63:
        raise UnicodeError
    if not all(char == "-" or unicodedata.category(char) in LETTERS_AND_DIGITS for char in text):
        raise UnicodeError
    return text


def a_label(text: str) -> bytes:
    """The label as DNS carries it."""
    return text.encode() if text.isascii() else b"xn--" + text.encode("punycode")


@dataclass(frozen=True, slots=True)
class Listen(Kind[ListenAddress]):
    """An address and a port to listen on."""

    loopback_only: bool = False

    @property
    def expected(self) -> str:
        if self.loopback_only:
            return 'a loopback address and a port, as "127.0.0.1:5222" or "[::1]:5222"'
        return 'an address and a port, as "*:5222", "192.0.2.1:5222" or "[2001:db8::1]:5222"'

    def read(self, value: object) -> ListenAddress:
        text = quoted(value, self.expected)
        found = HOST_AND_PORT.fullmatch(text)
        if not found:
            raise refused(f"{shown(value)} is not an address and a port; write {self.expected}")
        return ListenAddress(self._host(found[1].strip("[]")), port_number(found[2]))

    def _host(self, text: str) -> str:
        try:
            host = text if text == EVERY_ADDRESS else str(ip_address(text))
        except ValueError:
            raise refused(f"{shown(text)} is not an IP address; write {self.expected}") from None
        if self.loopback_only and (host == EVERY_ADDRESS or not ip_address(host).is_loopback):
            reason = "can be reached from other machines, and connections here are not encrypted"
            raise refused(f"{shown(text)} {reason}; write {self.expected}")
        return host

    def write(self, value: ListenAddress) -> str:
        return toml_string(str(value))


@dataclass(frozen=True, slots=True)
class HostAndPort(Kind[ListenAddress]):
    """Where a server is: its name or IP address, and a port."""

    @property
    def expected(self) -> str:
        return 'a host and a port, as "xmpp.example.org:5269" or "[2001:db8::1]:5269"'

    def read(self, value: object) -> ListenAddress:
        text = quoted(value, self.expected)
        found = HOST_AND_PORT.fullmatch(text)
        if not found:
            raise refused(f"{shown(value)} is not a host and a port; write {self.expected}")
        return ListenAddress(self._host(found[1]), port_number(found[2]))

    def _host(self, text: str) -> str:
        try:
            return str(ip_address(text.strip("[]")))
        except ValueError:
            return Domain().read(text)

    def write(self, value: ListenAddress) -> str:
        return toml_string(str(value))


def port_number(text: str) -> int:
    """The port; raises `RefusedError`."""
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise refused(f"{text[:60]} is not a port; write a number from 1 to 65535")
    return int(text)


@dataclass(frozen=True, slots=True)
class Uri(Kind[str]):
    """A URI, of some schemes only if they are given (XEP-0157 §3 asks for URIs)."""

    schemes: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        if self.schemes:
            return "a URL that begins with " + " or ".join(f"{scheme}://" for scheme in self.schemes)
        return "a URI, as mailto:, xmpp: or https:"

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if MAIL_OR_JID.fullmatch(text) and not self.schemes:
            raise refused(f'{shown(text)} does not say what it is; write "mailto:{text}" or "xmpp:{text}"')
        scheme = text.partition(":")[0].lower()
        if not URI.fullmatch(text) or (self.schemes and scheme not in self.schemes):
            raise refused(f"{shown(text)} is not possible here; write {self.expected}")
        return text

    def write(self, value: str) -> str:
        return toml_string(value)


@dataclass(frozen=True, slots=True)
class DatabaseUrl(Kind[str]):
    """The word sqlite, or the URL of a PostgreSQL database; never shown in an error, for its password."""

    @property
    def expected(self) -> str:
        return '"sqlite" or "postgresql://user@host/database"'

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if text != "sqlite" and not is_postgresql_url(text):
            raise refused(f"this is not a database; write {self.expected}")
        return text

    def write(self, value: str) -> str:
        return toml_string(value)


def is_postgresql_url(text: str) -> bool:
    """Whether it is a PostgreSQL URL that names a database; the host may be left out (a local socket)."""
    try:
        parts = urlsplit(text)
        usable = parts.port != 0 and not re.search(r"\s", text)
    except ValueError:
        return False
    return usable and parts.scheme == "postgresql" and len(parts.path) > 1 and "/" not in parts.path[1:]


@dataclass(frozen=True, slots=True)
class AccountAddress(Kind[str]):
    """The address of an account: `name@domain`."""

    @property
    def expected(self) -> str:
        return 'the address of an account, as "alice@example.org"'

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if not ACCOUNT.fullmatch(text):
            raise refused(f"{shown(text)} is not the address of an account; write {self.expected}")
        return text

    def write(self, value: str) -> str:
        return toml_string(value)
