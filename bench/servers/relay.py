"""The floor: a relay in C that knows TLS and nothing else. See native/relay.c."""

from collections.abc import Sequence
from pathlib import Path

from bench.generator import Door
from bench.processes import Command
from bench.servers.server import Server, accepts, plain_command
from bench.site import Site


class Relay(Server):
    """It has no accounts: clients are numbers."""

    def __init__(self, name: str, folder: Path, site: Site, core: int, program: Path) -> None:
        super().__init__(name, folder, site, core)
        self._program = program

    def prepare(self) -> None:
        """Nothing."""

    def commands(self) -> Sequence[Command]:
        ports = (str(self.ports[name]) for name in ("direct", "plain"))
        return (plain_command(self._program, *ports, self.site.certificate, self.site.key),)

    def is_ready(self) -> bool:
        return accepts(self.ports["direct"])

    def door(self, transport: str = "starttls", mechanism: str | None = None) -> Door:
        """Its TLS stands for that of others, by whatever way they come to it."""
        if transport == "plain":
            return Door(self.ports["plain"], "plain-relay", "PLAIN")
        return Door(self.ports["direct"], "relay", "PLAIN")

    def version(self) -> str:
        return "relay in C"
