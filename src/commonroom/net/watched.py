"""RFC 6120 §13.12: sockets that one epoll watches, and what is done when something comes."""

import asyncio
import os
import select
from typing import Protocol

from commonroom.net.tls import TlsError


class Watched(Protocol):
    """What has a socket."""

    def ready(self, events: int) -> None:
        """What epoll says of it."""


class Sockets:
    """An epoll, and whose sockets are in it."""

    __slots__ = ("_channels", "_epoll")

    def __init__(self) -> None:
        self._channels: dict[int, Watched] = {}
        self._epoll = select.epoll()

    def fileno(self) -> int:
        """Can be read when any of them is ready."""
        return self._epoll.fileno()

    def add(self, fd: int, channel: Watched, events: int) -> None:
        """Watch a socket; failures are always told."""
        self._channels[fd] = channel
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Watch it for something else."""
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Before it is closed: another may get its number."""
        if self._channels.pop(fd, None) is not None:
            self._epoll.unregister(fd)


def report(loop: asyncio.AbstractEventLoop, message: str, error: Exception) -> None:
    """Say it as the loop says what a callback raised."""
    loop.call_exception_handler({"message": message, "exception": error})


def words_for(error: Exception) -> str:
    """Why a connection ended."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, TlsError):
        return f"TLS: {error.reason}"
    return f"internal error ({type(error).__name__})"
