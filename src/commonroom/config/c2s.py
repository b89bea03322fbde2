"""The tables [c2s] and [limits]: connections of clients, and how much one of them may use."""

# ruff: noqa: RUF009 (see schema.py)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.addresses import Listen, ListenAddress
from commonroom.config.kinds import Choice, ListOf, Number, Whole, duration, size
from commonroom.config.option import Key, option


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
