"""Ports of this machine that nothing listens on yet."""

import errno
import socket

from commonroom.admin.errors import AdminError
from commonroom.config import ListenAddress

# How many are tried, from the one that is wanted.
TRIED = 100


def free_port(wanted: int, avoid: int) -> int:
    """The first from the wanted one that is free on every loopback address; raises AdminError."""
    for port in range(wanted, min(wanted + TRIED, 65536)):
        if port != avoid and all(_is_free(host, port) for host in _hosts()):
            return port
    raise AdminError(f"{wanted}: neither this port nor one of the next is free; choose another")


def loopback(port: int) -> tuple[ListenAddress, ...]:
    """The port at every address that this machine has for itself: `localhost` may mean either."""
    return tuple(ListenAddress(host, port) for host in _hosts())


def _hosts() -> tuple[str, ...]:
    return ("127.0.0.1", "::1") if _is_free("::1", 0) else ("127.0.0.1",)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as error:
        if error.errno == errno.EACCES:
            raise AdminError(f"{port}: ports below 1024 are the system's; choose another") from None
        return False
    return True
