"""jabberd2: federation as it was before certificates counted."""

import gzip
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from glob import glob
from pathlib import Path

from .peers import Peer

ROUTER = """<router>
  <id>router</id>
  <log type='file'><file>{folder}/router.log</file></log>
  <local><ip>{host}</ip><port>{router_port}</port><users>{folder}/router-users.xml</users></local>
  <io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits></io>
  <aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
"""
USERS = "<users><user><name>jabberd</name><secret>secret</secret></user></users>\n"
TO_ROUTER = """<router>
    <ip>{host}</ip><port>{router_port}</port><user>jabberd</user><pass>secret</pass>
    <retry><init>60</init><lost>60</lost><sleep>1</sleep></retry>
  </router>"""
SQLITE = "<sqlite><dbname>{folder}/sqlite.db</dbname></sqlite>"
SM = """<sm>
  <id>sm</id>
  {to_router}
  <log type='file'><file>{folder}/sm.log</file></log>
  <local><id>{domain}</id></local>
  <storage><path>{modules}</path><driver>sqlite</driver>{sqlite}</storage>
  <aci/>
  <modules><path>{modules}</path>{chains}</modules>
  <discovery><identity><category>server</category><type>im</type><name>lab</name></identity></discovery>
  <user><auto-create/></user>
</sm>
"""
C2S = """<c2s>
  <id>c2s</id>
  {to_router}
  <log type='file'><file>{folder}/c2s.log</file></log>
  <local>
    <id realm='{domain}' pemfile='{folder}/both.pem'>{domain}</id>
    <ip>{host}</ip><port>{starttls_port}</port>
    <ssl-port>{tls_port}</ssl-port><pemfile>{folder}/both.pem</pemfile>
  </local>
  <io>
    <max_fds>1024</max_fds>
    <limits><bytes>0</bytes><stanzas>0</stanzas><connects>0</connects><stanzasize>65535</stanzasize></limits>
  </io>
  <authreg>
    <path>{modules}</path><module>sqlite</module>
    <mechanisms><traditional/><sasl><plain/></sasl></mechanisms>
    <ssl-mechanisms><traditional/><sasl><plain/></sasl></ssl-mechanisms>
    <sqlite><dbname>{folder}/sqlite.db</dbname><password_type><plaintext/></password_type></sqlite>
  </authreg>
</c2s>
"""
S2S = """<s2s>
  <id>s2s</id>
  {to_router}
  <log type='file'><file>{folder}/s2s.log</file></log>
  <local>
    <ip>{host}</ip><port>{s2s_port}</port><origin>{host}</origin>
    <secret>not told</secret>
    <pemfile>{folder}/both.pem</pemfile>
    <cachain>{authorities}</cachain>
  </local>
  <io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits></io>
  <lookup><srv>xmpp-server</srv><min-ttl>1</min-ttl></lookup>
  <check><interval>1</interval><queue>10</queue><keepalive>0</keepalive><idle>0</idle></check>
</s2s>
"""
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
ROUTER_PORT = 15347
SCHEMA = Path("/usr/share/doc/jabberd2/db-setup.sqlite.gz")
PROGRAMS = ("router", "sm", "c2s", "s2s")


class Jabberd2Peer(Peer):
    """jabberd2: dialback as it was; four processes that one shell looks after.

    Its resolver (libudns) takes name servers and their port from the environment, so nothing needs root.
    """

    package = "jabberd2"
    rooms = None
    takes_logins = False
    tells_of_subscriptions = False
    echoes_presence = False

    def prepare(self) -> None:
        facts = self.facts() | {
            "router_port": ROUTER_PORT,
            "modules": glob("/usr/lib/*/jabberd2")[0],
            "chains": "".join(
                f"<chain id='{name}'>{''.join(f'<module>{module}</module>' for module in modules)}</chain>"
                for name, modules in CHAINS.items()
            ),
        }
        facts["to_router"] = TO_ROUTER.format_map(facts)
        facts["sqlite"] = SQLITE.format_map(facts)
        self.written("router-users.xml", USERS)
        for name, template in zip(PROGRAMS, (ROUTER, SM, C2S, S2S), strict=True):
            self.written(f"{name}.xml", template.format_map(facts))
        self._make_accounts()
        self.written("run.sh", self._script())

    def _make_accounts(self) -> None:
        with closing(sqlite3.connect(self.folder / "sqlite.db")) as database:
            database.executescript(gzip.decompress(SCHEMA.read_bytes()).decode())
            for name, password in self.accounts.items():
                values = (name, self.domain, password)
                database.execute(
                    'INSERT INTO authreg ("username", "realm", "password") VALUES (?, ?, ?)', values
                )
                active = 'INSERT INTO active ("collection-owner", "time") VALUES (?, 1)'
                database.execute(active, (f"{name}@{self.domain}",))
            database.commit()

    def _script(self) -> str:
        """The others give up if the router is not there."""
        host, port = self.site.nameserver.address
        lines = [f"export NAMESERVERS={host} RES_OPTIONS=port:{port}"]
        for name in PROGRAMS:
            lines.append(f'/usr/sbin/jabberd2-{name} -c {self.folder}/{name}.xml & all="$all $!"')
            if name == "router":
                listens = f"grep -qs 'listening for' {self.folder}/router.log"
                lines.append(f"until {listens}; do kill -0 $! || exit 1; sleep 0.05; done")
        return "\n".join([*lines, "trap 'kill $all; wait; exit 0' TERM", "wait", ""])

    def command(self) -> Sequence[str | Path]:
        return ("sh", self.folder / "run.sh")

    def start(self) -> None:
        """With new logs, as they say when it is ready."""
        for name in PROGRAMS:
            (self.folder / f"{name}.log").unlink(missing_ok=True)
        super().start()

    def is_ready(self) -> bool:
        """It listens before the session manager has said that it is there."""
        log = self.folder / "sm.log"
        return super().is_ready() and log.exists() and "ready for sessions" in log.read_text()

    def transcript(self) -> str:
        logs = (self.folder / f"{name}.log" for name in PROGRAMS)
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs if log.exists())
