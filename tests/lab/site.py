"""What the servers of one test share: DNS, an authority, and the file that names it."""

import random
from pathlib import Path

from .authority import Authority
from .nameserver import Nameserver


class Site:
    """Begins with an empty DNS."""

    def __init__(self, folder: Path) -> None:
        self.nameserver = Nameserver().start()
        self.authority = Authority()
        self.stranger = Authority("Unknown Authority")  # whom no server trusts
        self.authorities = self.authority.write(folder / "authorities.pem")

    def publish(self, domain: str, port: int, address: str = "127.0.0.1", direct: int | None = None) -> None:
        """The domain's server, and that of its rooms, listen there."""
        for name in (domain, f"rooms.{domain}", f"group.{domain}"):
            self.nameserver.service(name, port, address, direct)

    def close(self) -> None:
        self.nameserver.close()


def loopback_address() -> str:
    """One of the machine's own addresses, which nobody else is likely to have chosen as well."""
    return ".".join(map(str, (127, random.randint(1, 254), random.randint(0, 255), random.randint(1, 254))))
