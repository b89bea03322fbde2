"""A service as a process, with alice@localhost (`secret`), for commands that ask it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from commonroom.config import load

from .commands import Running, run, running, set_up, worked
from .raw_client import RawClient


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found


@contextmanager
def operated(
    folder: Path, more: str = "", before: Callable[[Path], None] = lambda _: None
) -> Iterator[tuple[Path, Running]]:
    """Its configuration, which has these lines at the end; and the process. `before` is done first."""
    starttls, direct = free_ports(2)
    path = set_up(folder, "--port", str(starttls), "--tls-port", str(direct))
    path.write_text(
        "domains = ['localhost']\nstate = 'var'\n[c2s]\n"
        f"listen = ['127.0.0.1:{starttls}']\nlisten_direct_tls = ['127.0.0.1:{direct}']\n{more}"
    )
    worked(run("user", "add", "alice@localhost", "--password-stdin", "-c", path, stdin="secret"))
    before(path)
    with running("serve", "--config", path, cwd=folder) as service:
        yield path, service


def online(config: Path) -> RawClient:
    """Alice, connected and available."""
    (address,) = load(config).c2s.listen_direct_tls
    client = RawClient(address.port, config.parent / "var" / "certificate.pem")
    client.login("alice", "secret")
    return client
