"""What the servers of one test share: DNS, an authority, and the file that names it."""

import random
from pathlib import Path

from .authority import Authority
from .nameserver import Nameserver


class Site:
    """Begins with an empty DNS."""

    def __init__(self, folder: Path) -> None:
        self.nameserver = Nameserver().start()
        self._system: Nameserver | None = None
        self.system_nameserver = f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"
        self.authority = Authority()
        self.stranger = Authority("Unknown Authority")  # whom no server trusts
        self.authorities = self.authority.write(folder / "authorities.pem")

    def publish(self, domain: str, port: int, direct: int | None = None) -> None:
        """The domain's server, and that of its rooms, listen there."""
        for name in (domain, f"rooms.{domain}", f"group.{domain}"):
            self.nameserver.service(name, port, direct=direct)

    def serve_port_53(self) -> None:
        """Answer the same at an address of our own on the port that no configuration can change."""
        if self._system is None:
            self._system = Nameserver(self.system_nameserver, 53, self.nameserver.records).start()

    def close(self) -> None:
        self.nameserver.close()
        if self._system is not None:
            self._system.close()
