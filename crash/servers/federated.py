"""Two of ours, each with one half of every pair: what one acknowledged, the other one's clients must get."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import ClassVar

from bench.processes import Command
from bench.servers.server import HOST, free_ports
from bench.site import DOMAIN, Site
from commonroom.net.certificates import create_self_signed
from crash.plan import Life, Possible
from crash.servers.commonroom import CHECKOUT, ENDS, CommonRoom
from crash.servers.server import Server, ServerFailed
from crash.wire import Door, trusting

OTHER = "other.example"
FEDERATION = """
[federation]
enabled = true
listen = ["{host}:{port}"]
authorities = "{certificate}"
retry_first = "1s"
retry_longest = "1s"
connections_per_address = 1000

[federation.domains."{partner}"]
server = "{host}:{partner_port}"
security = "external"
"""


class Half(CommonRoom):
    """One of the two. Its clients are those accounts of the population that the other one does not have."""

    domain = DOMAIN
    partner = OTHER
    room: ClassVar[str | None] = None

    def pair_up(self, own_port: int, partner_port: int) -> None:
        """Where it listens for the other one, and where that listens."""
        self._own_port, self._partner_port = own_port, partner_port

    def prepare(self) -> None:
        super().prepare()
        table = FEDERATION.format(
            host=HOST,
            port=self._own_port,
            certificate=self.site.certificate,
            partner=self.partner,
            partner_port=self._partner_port,
        )
        text = self._configuration.read_text().replace(f'"{DOMAIN}"', f'"{self.domain}"', 1)
        self._configuration.write_text(text.partition("[rooms.limits]")[0] + table)

    @property
    def door(self) -> Door:
        return Door(HOST, self.ports["direct"], self.domain, trusting())


class OtherHalf(Half):
    """The other one."""

    domain = OTHER
    partner = DOMAIN

    def prepare(self) -> None:
        super().prepare()
        count = str(self.site.population.accounts)
        fill = (sys.executable, "-m", "crash.servers.people", self._configuration, count, OTHER)
        subprocess.run(fill, check=True, cwd=CHECKOUT)


class Federated(Server):
    """Each life kills one of the two, or both; the one that is spared lives on."""

    possible: ClassVar[Possible] = Possible(ENDS, {})

    def __init__(self, folder: Path, site: Site) -> None:
        super().__init__(folder, site)
        site.certificate.unlink()
        site.key.unlink()
        create_self_signed(site.certificate, site.key, (DOMAIN, OTHER), datetime.now(UTC))
        self._halves: tuple[Half, ...] = tuple(
            kind(_made(folder / name), site) for kind, name in ((Half, "one"), (OtherHalf, "other"))
        )
        ports = free_ports(2)
        for half, own, partner in zip(self._halves, ports, reversed(ports), strict=True):
            half.pair_up(own, partner)
        self._victims: tuple[Half, ...] = self._halves

    def prepare(self) -> None:
        for half in self._halves:
            half.prepare()

    def command(self, life: Life | None) -> Command:
        return self._halves[0].command(life)

    @property
    def door(self) -> Door:
        return self._halves[0].door

    @property
    def partners_door(self) -> Door:
        return self._halves[1].door

    def start(self, life: Life | None) -> None:
        """Those that do not run. The seed of a life, as its text, decides whom it kills."""
        one, other = self._halves
        self._victims = Random(str(life)).choice(((one,), (other,), (one, other))) if life else self._halves
        for half in self._halves:
            if half.has_ended():
                half.start(life if half in self._victims else None)

    def has_ended(self) -> bool:
        return any(half.has_ended() for half in self._victims)

    def check_end(self, is_expected: bool) -> None:
        for half in self._halves:
            half.check_end(is_expected and half in self._victims)

    def failed(self, what: str) -> ServerFailed:
        return ServerFailed("\n".join(str(half.failed(what)) for half in self._halves))

    def kill(self) -> None:
        for half in self._victims:
            half.kill()

    def close(self) -> None:
        for half in self._halves:
            half.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
