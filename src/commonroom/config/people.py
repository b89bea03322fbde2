"""Who is meant: one account, everybody of a domain, or a group of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from commonroom.config.addresses import Domain
from commonroom.config.kinds import Kind, quoted, refused, shown, toml_string

_LOCAL = re.compile(r"[^\s\"&'/:<>@*]+")  # RFC 7622 §3.3.1, without the star that stands for all
_GROUP = re.compile(r"@[^\s@*]+")


@dataclass(frozen=True, slots=True)
class Person(Kind[str]):
    """An address, `*@domain`, or `@group`."""

    groups: bool = True

    @property
    def expected(self) -> str:
        group = ", or a group, as @maths" if self.groups else ""
        return f"an address, as alice@example.org, or everybody of a domain, as *@example.org{group}"

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if self.groups and _GROUP.fullmatch(text):
            return text
        local, at, domain = text.partition("@")
        if not at or (local != "*" and not _LOCAL.fullmatch(local)):
            raise refused(f"{shown(value)} names nobody; write {self.expected}")
        return f"{local}@{Domain().read(domain)}"

    def write(self, value: str) -> str:
        return toml_string(value)


@dataclass(frozen=True, slots=True)
class RoomName(Kind[str]):
    """The name of a room: what stands before the @ in its address."""

    @property
    def expected(self) -> str:
        return "the name of a room, as common-room, without what stands behind the @ in its address"

    def read(self, value: object) -> str:
        text = quoted(value, self.expected)
        if not _LOCAL.fullmatch(text) or len(text) > 64:
            raise refused(f"{shown(value)} is no name of a room; write {self.expected}")
        return text

    def write(self, value: str) -> str:
        return toml_string(value)
