"""Ours, run as an operator runs it, from this checkout or from another one."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from bench.processes import Command
from bench.servers.server import HOST, Server, plain_command
from bench.site import DOMAIN, Site

CHECKOUT = Path(__file__).parents[2]

CONFIGURATION = """
domains = ["{domain}"]
state = "state"

[tls]
certificate = "{certificate}"
key = "{key}"

[c2s]
listen = ["{host}:{starttls}"]
listen_direct_tls = ["{host}:{direct}"]
listen_plain = ["{host}:{plain}"]
connections_per_address = 100000
bytes_per_second = "1 GiB"
byte_burst = "1 GiB"
stanzas_per_second = 1000000
stanza_burst = 1000000
"""


class CommonRoom(Server):
    """`source` is the folder that `commonroom` is imported from."""

    transports: ClassVar[frozenset[str]] = frozenset({"starttls", "direct", "plain"})

    def __init__(self, name: str, folder: Path, site: Site, core: int, source: Path) -> None:
        super().__init__(name, folder, site, core)
        self._environment = {"PYTHONPATH": str(source)}

    def prepare(self) -> None:
        """The accounts are written through the service's own stores."""
        text = CONFIGURATION.format(
            domain=DOMAIN, certificate=self.site.certificate, key=self.site.key, host=HOST, **self.ports
        )
        self._configuration = self.written("commonroom.toml", text)
        (self.folder / "state").mkdir(mode=0o700)
        population = self.site.population
        people = {"accounts": population.accounts, "friends": list(population.friends.items())}
        file = self.written("population.json", json.dumps(people))
        subprocess.run(
            [sys.executable, "-m", "bench.servers.fill_commonroom", self._configuration, file],
            check=True,
            env={"PYTHONPATH": f"{self._environment['PYTHONPATH']}:{CHECKOUT}"},
        )

    def commands(self) -> Sequence[Command]:
        arguments = (sys.executable, "-m", "commonroom", "serve", "--config", self._configuration)
        return (plain_command(*arguments, environment=self._environment),)

    def version(self) -> str:
        python = ".".join(map(str, sys.version_info[:3]))
        told = subprocess.run(
            [sys.executable, "-m", "commonroom", "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=self._environment,
        )
        return f"Common Room {told.stdout.split()[-1]} on CPython {python}"
