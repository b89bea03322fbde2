"""Prosody from Debian's package. Its accounts are files, written directly."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Command
from bench.servers.server import HOST, Server, plain_command
from bench.site import DOMAIN, ITERATIONS, SALT, Population, Site, keys

GENERATIONAL = 'gc = { mode = "generational" }'

CONFIGURATION = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ info = "{folder}/prosody.log" }}
{tuning}
interfaces = {{ "{host}" }}
c2s_ports = {{ {starttls}, {plain} }}
c2s_direct_tls_ports = {{ {direct} }}
c2s_direct_tls_ssl = {{ key = "{key}", certificate = "{certificate}" }}
ssl = {{ key = "{key}", certificate = "{certificate}" }}
c2s_require_encryption = false
network_settings = {{ nagle = false }}
authentication = "internal_hashed"
modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "offline", "posix",
    "time", "version", "ping", "private", "lastactivity", "uptime",
}}
modules_disabled = {{ "s2s" }}
VirtualHost "{domain}"
"""

ACCOUNT = """return {{
	["salt"] = "{salt}";
	["iteration_count"] = {iterations};
	["stored_key"] = "{stored}";
	["server_key"] = "{server}";
}};
"""
CONTACT = """	["{jid}"] = {{
		["jid"] = "{jid}";
		["name"] = "{name}";
		["subscription"] = "both";
		["groups"] = {{ ["Friends"] = true; }};
	}};
"""
ROSTER = """return {{
	[false] = {{ ["version"] = 1; ["pending"] = {{}}; }};
{contacts}}};
"""


class Prosody(Server):
    """`tuned`: with the generational collector, which its manual recommends to try."""

    def __init__(self, name: str, folder: Path, site: Site, core: int, tuned: bool = True) -> None:
        super().__init__(name, folder, site, core)
        self._tuned = tuned

    def prepare(self) -> None:
        self._configuration = self.written(
            "prosody.cfg.lua",
            CONFIGURATION.format(
                folder=self.folder,
                tuning=GENERATIONAL if self._tuned else "",
                host=HOST,
                domain=DOMAIN,
                key=self.site.key,
                certificate=self.site.certificate,
                **self.ports,
            ),
        )
        data = self.folder / "data" / DOMAIN.replace(".", "%2e")
        self._write_accounts(data / "accounts")
        self._write_rosters(data / "roster")

    def commands(self) -> Sequence[Command]:
        return (plain_command("prosody", "-F", "--config", self._configuration),)

    def version(self) -> str:
        return f"Prosody {package_version('prosody')}"

    def _write_accounts(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        made = keys()
        text = ACCOUNT.format(
            salt=SALT.decode(),
            iterations=ITERATIONS,
            stored=made.stored.hex(),
            server=made.server.hex(),
        )
        for number in range(self.site.population.accounts):
            (folder / f"u{number}.dat").write_text(text)

    def _write_rosters(self, folder: Path) -> None:
        folder.mkdir()
        for owner, friends in self.site.population.friends.items():
            contacts = (
                CONTACT.format(jid=Population.address(friend), name=f"Contact {friend}") for friend in friends
            )
            (folder / f"u{owner}.dat").write_text(ROSTER.format(contacts="".join(contacts)))


def package_version(package: str) -> str:
    """Debian's version, without what Debian added to it."""
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True
    )
    return told.stdout.partition("-")[0]
