"""Ours, run as an operator runs it, from this checkout or from another one.

The peers are Debian's builds, so ours runs on Debian's Python where that can be: an interpreter that somebody
compiled without the optimisations that Debian uses is half as fast again.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.processes import Command
from bench.servers.server import HOST, Server, plain_command
from bench.site import Site

CHECKOUT = Path(__file__).parents[2]
DEBIANS = Path("/usr/bin/python3")

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
new_connections_per_second = 100000
new_connection_burst = 100000
bytes_per_second = "1 GiB"
byte_burst = "1 GiB"
stanzas_per_second = 1000000
stanza_burst = 1000000

[archive]
default = "{archive}"

[rooms.limits]
messages_per_second = 10000
message_burst = 10000
room_messages_per_second = 100000
room_message_burst = 100000
joins_per_second = 100000
join_burst = 100000
"""
FEDERATION = """
[federation]
enabled = true
listen = ["{host}:{port}"]
authorities = "{authorities}"
nameservers = ["{nameserver[0]}:{nameserver[1]}"]
idle_timeout = "{idle_timeout}"
connections = 100000
connections_per_address = 100000
bytes_per_second = "1 GiB"
byte_burst = "1 GiB"
stanzas_per_second = 1000000
stanza_burst = 1000000
"""


class Installation(NamedTuple):
    """Ours: the folder that `commonroom` is imported from, and the interpreter."""

    source: Path
    python: Path

    def environment(self) -> dict[str, str]:
        """Another interpreter of the same version finds our environment's packages by their path."""
        folders = [str(self.source)]
        if not _is_own(self.python):
            folders.append(sysconfig.get_path("platlib"))
        return {"PYTHONPATH": ":".join(folders)}


def python_version(python: Path) -> str:
    """As "3.11.2"."""
    words = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout
    return words.split()[1]


def usual_python() -> Path:
    """Debian's, if our environment's packages suit it; else our own."""
    own = ".".join(map(str, sys.version_info[:2]))
    if DEBIANS.exists() and python_version(DEBIANS).startswith(f"{own}."):
        return DEBIANS
    return Path(sys.executable)


def _is_own(python: Path) -> bool:
    return python == Path(sys.executable)


class CommonRoom(Server):
    """Accounts are written through the service's own stores."""

    def __init__(self, name: str, folder: Path, site: Site, core: int, installation: Installation) -> None:
        super().__init__(name, folder, site, core)
        self._python = installation.python
        self._environment = installation.environment()

    def prepare(self) -> None:
        text = CONFIGURATION.format(
            domain=self.site.domain,
            certificate=self.site.certificate,
            key=self.site.key,
            host=HOST,
            archive="always" if self.site.extras.archived else "never",
            **self.ports,
        )
        if self.site.federation is not None:
            text += FEDERATION.format(host=HOST, port=self.ports["s2s"], **self.site.federation._asdict())
        if self.site.extras.hash:
            text += self._listed()
        self._configuration = self.written("commonroom.toml", text)
        (self.folder / "state").mkdir(mode=0o700)
        population = self.site.population
        stored = 0 if self.site.extras.hash else population.accounts
        people = {
            "domain": population.domain,
            "accounts": stored,
            "friends": list(population.friends.items()),
        }
        file = self.written("population.json", json.dumps(people))
        subprocess.run(
            [self._python, "-m", "bench.servers.fill_commonroom", self._configuration, file],
            check=True,
            env={"PYTHONPATH": f"{self._environment['PYTHONPATH']}:{CHECKOUT}"},
        )

    def _listed(self) -> str:
        """All accounts in a password file."""
        population, extras = self.site.population, self.site.extras
        names = (population.address(number).partition("@")[0] for number in range(population.accounts))
        file = self.written("passwd", "".join(f"{name}:{extras.hash}\n" for name in names))
        return f'\n[accounts]\nkeys = "{extras.keys}"\n\n[accounts.files.people]\npasswords = ["{file}"]\n'

    def commands(self) -> Sequence[Command]:
        arguments = (self._python, "-m", "commonroom", "serve", "--config", self._configuration)
        return (plain_command(*arguments, environment=self._environment),)

    def version(self) -> str:
        told = subprocess.run(
            [self._python, "-m", "commonroom", "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=self._environment,
        )
        return f"Common Room {told.stdout.split()[-1]} on CPython {python_version(self._python)}"
