"""jabberd2 from Debian's package: three processes, and SQLite, which its packaged configuration chooses."""

import gzip
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from glob import glob
from pathlib import Path
from typing import ClassVar

from bench.processes import Command, wait_until
from bench.servers.prosody import package_version
from bench.servers.server import HOST, Server, accepts, free_ports, plain_command
from bench.site import DOMAIN, PASSWORD, Population

SCHEMA = Path("/usr/share/doc/jabberd2/db-setup.sqlite.gz")

# Those that do what the others do here; `status` for one would write to disk with each presence.
CHAINS = {
    "sess-end": ("iq-last",),
    "in-sess": ("validate", "roster", "iq-ping", "iq-private", "disco", "offline", "presence", "deliver"),
    "in-router": ("session", "validate", "presence"),
    "pkt-sm": ("iq-last", "iq-ping", "iq-time", "iq-version", "disco", "presence"),
    "pkt-user": ("roster", "presence", "disco", "deliver", "offline", "iq-last"),
    "pkt-router": ("session", "disco"),
    "user-load": ("active", "roster"),
    "user-create": ("active",),
    "user-delete": ("active", "offline", "roster", "iq-last", "iq-private"),
    "disco-extend": ("iq-version",),
}

ROUTER = """<router>
  <id>router</id>
  <log type='file'><file>{folder}/router.log</file></log>
  <local><ip>{host}</ip><port>{router}</port><users>{folder}/router-users.xml</users></local>
  <io><max_fds>20000</max_fds><limits><bytes>0</bytes><connects>0</connects></limits></io>
  <aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
"""
USERS = "<users><user><name>jabberd</name><secret>secret</secret></user></users>\n"
TO_ROUTER = "<router><ip>{host}</ip><port>{router}</port><user>jabberd</user><pass>secret</pass></router>"
SQLITE = "<sqlite><dbname>{folder}/sqlite.db</dbname><sql>PRAGMA synchronous = NORMAL;</sql></sqlite>"

SM = """<sm>
  <id>sm</id>
  {to_router}
  <log type='file'><file>{folder}/sm.log</file></log>
  <local><id>{domain}</id></local>
  <storage><path>{modules}</path><driver>sqlite</driver>{sqlite}</storage>
  <aci/>
  <modules><path>{modules}</path>{chains}</modules>
  <discovery><identity><category>server</category><type>im</type><name>bench</name></identity></discovery>
  <user><auto-create/></user>
</sm>
"""
C2S = """<c2s>
  <id>c2s</id>
  {to_router}
  <log type='file'><file>{folder}/c2s.log</file></log>
  <local>
    <id realm='{domain}' pemfile='{folder}/site.pem'>{domain}</id>
    <ip>{host}</ip><port>{starttls}</port>
    <ssl-port>{direct}</ssl-port><pemfile>{folder}/site.pem</pemfile>
  </local>
  <io>
    <max_fds>20000</max_fds>
    <limits><bytes>0</bytes><stanzas>0</stanzas><connects>0</connects><stanzasize>65535</stanzasize></limits>
  </io>
  <authreg>
    <path>{modules}</path><module>sqlite</module>
    <mechanisms><traditional/><sasl><plain/></sasl></mechanisms>
    <ssl-mechanisms><traditional/><sasl><plain/></sasl></ssl-mechanisms>
    <sqlite>
      <dbname>{folder}/sqlite.db</dbname><sql>PRAGMA synchronous = NORMAL;</sql>
      <password_type><plaintext/></password_type>
    </sqlite>
  </authreg>
</c2s>
"""


class Jabberd2(Server):
    """It keeps passwords in the clear and knows PLAIN only (and DIGEST-MD5, which is obsolete)."""

    mechanisms: ClassVar[tuple[str, ...]] = ("PLAIN",)

    def prepare(self) -> None:
        self._router_port = free_ports(1)[0]
        self.ports["plain"] = self.ports["starttls"]  # TLS is offered there, and not demanded
        facts: dict[str, object] = {
            "folder": self.folder,
            "host": HOST,
            "domain": DOMAIN,
            "modules": glob("/usr/lib/*/jabberd2")[0],
            "chains": "".join(_chains()),
            "router": self._router_port,
            **self.ports,
        }
        facts["to_router"] = TO_ROUTER.format_map(facts)
        facts["sqlite"] = SQLITE.format_map(facts)
        self.written("site.pem", self.site.certificate.read_text() + self.site.key.read_text())
        self.written("router-users.xml", USERS)
        for name, template in (("router", ROUTER), ("sm", SM), ("c2s", C2S)):
            self.written(f"{name}.xml", template.format_map(facts))
        self._fill()

    def commands(self) -> Sequence[Command]:
        return tuple(
            plain_command(f"/usr/sbin/jabberd2-{name}", "-c", self.folder / f"{name}.xml")
            for name in ("router", "sm", "c2s")
        )

    def start(self) -> None:
        """The others give up if the router is not there."""
        router, *others = self.commands()
        self.processes.start(router, self.folder)
        wait_until(lambda: accepts(self._router_port), "jabberd2's router to start", 10)
        for command in others:
            self.processes.start(command, self.folder)
        wait_until(self._is_up, f"{self.name} to start", 30)
        # It listens before the session manager has said that it is there.
        wait_until(lambda: "ready for sessions" in (self.folder / "sm.log").read_text(), "its sessions", 30)

    def version(self) -> str:
        return f"jabberd2 {package_version('jabberd2')}"

    def _fill(self) -> None:
        population = self.site.population
        with closing(sqlite3.connect(self.folder / "sqlite.db", isolation_level=None)) as database:
            database.executescript(gzip.decompress(SCHEMA.read_bytes()).decode())
            database.execute("BEGIN")
            database.executemany(
                'INSERT INTO authreg ("username", "realm", "password") VALUES (?, ?, ?)',
                ((f"u{number}", DOMAIN, PASSWORD) for number in range(population.accounts)),
            )
            database.executemany(
                'INSERT INTO active ("collection-owner", "time") VALUES (?, 1)',
                ((population.address(number),) for number in range(population.accounts)),
            )
            database.executemany(
                'INSERT INTO "roster-items" ("collection-owner", "jid", "name", "to", "from", "ask") '
                "VALUES (?, ?, ?, 1, 1, 0)",
                _contacts(population),
            )
            database.executemany(
                'INSERT INTO "roster-groups" ("collection-owner", "jid", "group") VALUES (?, ?, \'Friends\')',
                ((owner, jid) for owner, jid, _ in _contacts(population)),
            )
            database.execute("COMMIT")


def _chains() -> Iterator[str]:
    for name, modules in CHAINS.items():
        yield f"<chain id='{name}'>{''.join(f'<module>{module}</module>' for module in modules)}</chain>"


def _contacts(population: Population) -> Iterator[tuple[str, str, str]]:
    for owner, friends in population.friends.items():
        for friend in friends:
            yield population.address(owner), population.address(friend), f"Contact {friend}"
