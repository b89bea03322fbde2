"""What the servers of one test share: DNS, an authority, and the file that names it."""

from pathlib import Path

from .authority import Authority
from .nameserver import Nameserver


class Site:
    """Begins with an empty DNS."""

    def __init__(self, folder: Path) -> None:
        self.nameserver = Nameserver().start()
        self.authority = Authority()
        self.authorities = self.authority.write(folder / "authorities.pem")

    def publish(self, domain: str, port: int, direct: int | None = None) -> None:
        """The domain's server, and that of its rooms, listen there."""
        for name in (domain, f"rooms.{domain}"):
            self.nameserver.service(name, port, direct=direct)

    def close(self) -> None:
        self.nameserver.close()
