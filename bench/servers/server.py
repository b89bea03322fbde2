"""What a measured server must do for the bench."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench.generator import Door
from bench.processes import Command, Processes, wait_until
from bench.site import Site

HOST = "127.0.0.1"
# 100,000 accounts may have to be read first.
START_SECONDS = 300.0


class Server(ABC):
    """One server: `prepare` once, then `start` and `stop` as often as wanted."""

    # The first one is for whom it does not matter.
    mechanisms: ClassVar[tuple[str, ...]] = ("SCRAM-SHA-1", "PLAIN")

    def __init__(self, name: str, folder: Path, site: Site, core: int) -> None:
        self.name = name
        self.folder = folder
        self.site = site
        self.ports = dict(zip(("starttls", "direct", "plain", "s2s"), free_ports(4), strict=True))
        self.processes = Processes(core, folder / "output.log")

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration and the accounts."""

    @abstractmethod
    def commands(self) -> Sequence[Command]:
        """What runs it in the foreground; each is started when the one before it is."""

    @abstractmethod
    def version(self) -> str:
        """As people name it."""

    def start(self) -> None:
        """Return when clients can connect."""
        for command in self.commands():
            self.processes.start(command, self.folder)
        wait_until(self._is_up, f"{self.name} to start", START_SECONDS)

    def stop(self) -> None:
        """Nothing of it runs any more."""
        self.processes.stop()

    def is_ready(self) -> bool:
        """Whether it accepts clients, and other servers if it is to."""
        wanted = ("starttls",) if self.site.federation is None else ("starttls", "s2s")
        return all(accepts(self.ports[name]) for name in wanted)

    def door(self, transport: str = "starttls", mechanism: str | None = None) -> Door:
        """Where clients connect: transport is starttls, direct or plain."""
        return Door(self.ports[transport], transport, mechanism or self.mechanisms[0])

    def written(self, name: str, text: str) -> Path:
        """A file of its folder."""
        path = self.folder / name
        path.write_text(text)
        return path

    def _is_up(self) -> bool:
        if self.processes.ended():
            log = (self.folder / "output.log").read_text(errors="replace")
            raise RuntimeError(f"{self.name} has ended\n{log[-3000:]}")
        return self.is_ready()


def plain_command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Command:
    """A command, with no or little environment of its own."""
    return Command(arguments, environment or {})


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
