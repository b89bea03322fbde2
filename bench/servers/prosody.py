"""Prosody from Debian's package. Its accounts are files, written directly."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Command
from bench.servers.server import HOST, Server, plain_command
from bench.site import ITERATIONS, ROOMS, SALT, Site, keys

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
ssl = {{ key = "{key}", certificate = "{certificate}"{authorities} }}
c2s_require_encryption = false
network_settings = {{ nagle = false }}
authentication = "internal_hashed"
modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "offline", "posix",
    "time", "version", "ping", "private", "lastactivity", "uptime",{modules}
}}
{others}{settings}VirtualHost "{domain}"
{rooms}"""
NO_S2S = """modules_disabled = { "s2s" }
"""
S2S = """s2s_ports = {{ {port} }}
s2s_require_encryption = true
s2s_secure_auth = true
unbound = {{ resolvconf = false, hoststxt = false, forward = {{ "{nameserver}" }},
    options = {{ ["do-not-query-localhost:"] = "no" }} }}
"""
# As in the configuration that its package brings: servers acknowledge what they get (XEP-0198).
S2S_MODULES = ' "dialback", "s2s_auth_certs", "smacks",'
# Added where a scenario wants them.
MANAGED_MODULES = ' "smacks",'
ARCHIVE_MODULES = ' "mam",'
ARCHIVE = """default_archive_policy = true
archive_expires_after = "never"
"""
ROOM_SERVICE = """Component "{host}" "muc"
muc_room_locking = false
"""
SQLITE = """storage = {{ archive = "sql" }}
sql = {{ driver = "SQLite3"; database = "{folder}/archive.sqlite" }}
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
    """`tuned`: with the generational collector, which its manual recommends to try.

    Its archive, if it has one, is in files unless `sqlite`.
    """

    def __init__(
        self, name: str, folder: Path, site: Site, core: int, tuned: bool = True, sqlite: bool = False
    ) -> None:
        super().__init__(name, folder, site, core)
        self._tuned = tuned
        self._sqlite = sqlite

    def prepare(self) -> None:
        self._configuration = self.written(
            "prosody.cfg.lua",
            CONFIGURATION.format(
                folder=self.folder,
                tuning=GENERATIONAL if self._tuned else "",
                host=HOST,
                domain=self.site.domain,
                key=self.site.key,
                certificate=self.site.certificate,
                authorities=self._authorities(),
                modules=self._modules(),
                others=self._others(),
                settings=self._settings(),
                rooms=ROOM_SERVICE.format(host=ROOMS) if self.site.extras.rooms else "",
                **self.ports,
            ),
        )
        data = self.folder / "data" / self.site.domain.replace(".", "%2e")
        self._write_accounts(data / "accounts")
        self._write_rosters(data / "roster")

    def commands(self) -> Sequence[Command]:
        return (plain_command("prosody", "-F", "--config", self._configuration),)

    def version(self) -> str:
        return f"Prosody {package_version('prosody')}"

    def _modules(self) -> str:
        extras = self.site.extras
        federated = S2S_MODULES * (self.site.federation is not None)
        return MANAGED_MODULES * extras.managed + ARCHIVE_MODULES * extras.archived + federated

    def _authorities(self) -> str:
        federation = self.site.federation
        return "" if federation is None else f', cafile = "{federation.authorities}"'

    def _others(self) -> str:
        federation = self.site.federation
        if federation is None:
            return NO_S2S
        host, port = federation.nameserver
        return S2S.format(port=self.ports["s2s"], nameserver=f"{host}@{port}")

    def _settings(self) -> str:
        if not self.site.extras.archived:
            return ""
        return ARCHIVE + (SQLITE.format(folder=self.folder) if self._sqlite else "")

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
        population = self.site.population
        for owner, friends in population.friends.items():
            contacts = (
                CONTACT.format(jid=population.address(friend), name=f"Contact {friend}") for friend in friends
            )
            (folder / f"u{owner}.dat").write_text(ROSTER.format(contacts="".join(contacts)))


def package_version(package: str) -> str:
    """Debian's version, without what Debian added to it."""
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True
    )
    return told.stdout.partition("-")[0]
