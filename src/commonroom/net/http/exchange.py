"""What an HTTP server and its handlers hand each other."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Peer(NamedTuple):
    """Who is at the other end: an IP address, or a process of this machine by its ids (SO_PEERCRED)."""

    address: str = ""
    pid: int = -1
    uid: int = -1
    gid: int = -1

    @property
    def is_local(self) -> bool:
        """Whether it came through a Unix socket."""
        return not self.address


@dataclass(frozen=True, slots=True)
class Request:
    """A complete request; names of headers are in lower case, `path` is as it was sent, without the query."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: Peer


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


class HttpLimits(NamedTuple):
    """What one connection may use; times in seconds.

    `patience` is for a whole request, however it trickles; `idle` for the time between two.
    """

    header_bytes: int = 16 * 1024
    body_bytes: int = 1024 * 1024
    patience: float = 10.0
    idle: float = 60.0
    connections: int = 64
    requests: int = 1000
