"""Servers that federate: ours, and those of others from Debian's packages, each with a domain of its own."""

import gzip
import os
import re
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from glob import glob
from pathlib import Path

from tests.interop.people import PASSWORDS
from tests.interop.server import CommonRoom, ServerUnderTest, free_ports
from tests.interop.waiting import wait_until

from .authority import Issued
from .site import Site


class Peer(ServerUnderTest):
    """A server with a domain of its own in the site's DNS, and a certificate that the test chooses."""

    start_seconds = 40.0
    rooms: str | None = "rooms"  # what stands before its domain in the addresses of rooms
    takes_logins = True  # also when another client has left in the same moment
    echoes_presence = True  # to the resource that sent it (RFC 6121 §4.2.2)

    def __init__(self, folder: Path, site: Site, domain: str, issued: Issued) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, PASSWORDS)
        self.site = site
        self.domain = domain
        self.issued = issued
        self.s2s_port, self.s2s_tls_port = free_ports(2)
        issued.write(folder / "certificate.pem", folder / "key.pem")
        site.publish(domain, self.s2s_port)

    @property
    def certificate(self) -> Path:
        """The server's own."""
        return self.folder / "certificate.pem"

    def written(self, name: str, text: str) -> Path:
        """A file in the server's folder."""
        path = self.folder / name
        path.write_text(text)
        return path

    def accept_any_certificate(self) -> None:
        """Be content with dialback; before `prepare`."""

    def facts(self) -> dict[str, object]:
        """What configurations are made of."""
        host, port = self.site.nameserver.address
        return {
            "folder": self.folder,
            "host": self.host,
            "domain": self.domain,
            "starttls_port": self.starttls_port,
            "tls_port": self.tls_port,
            "s2s_port": self.s2s_port,
            "s2s_tls_port": self.s2s_tls_port,
            "dns_host": host,
            "dns_port": port,
            "authorities": self.site.authorities,
        }

    def is_ready(self) -> bool:
        return all(accepts(self.host, port) for port in (self.starttls_port, self.s2s_port))


def accepts(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


OURS = """
domains = ["{domain}"]
state = "{folder}"
[c2s]
listen = ["{host}:{starttls_port}"]
listen_direct_tls = ["{host}:{tls_port}"]
linger = "500ms"
[sasl]
delay_first = "10ms"
delay_longest = "10ms"
[federation]
enabled = true
listen = ["{host}:{s2s_port}"]
listen_direct_tls = ["{host}:{s2s_tls_port}"]
authorities = "{authorities}"
nameservers = ["{dns_host}:{dns_port}"]
connect_timeout = "10s"
retry_first = "1s"
retry_longest = "1s"
{options}
"""


class Ours(CommonRoom, Peer):
    """Common Room; `options` are further lines of its table [federation]."""

    rooms = "group"

    def __init__(self, folder: Path, site: Site, domain: str, issued: Issued, options: str = "") -> None:
        Peer.__init__(self, folder, site, domain, issued)
        self.options = options

    def accept_any_certificate(self) -> None:
        self.options = 'security = "encrypted"'

    def prepare(self) -> None:
        self.written("commonroom.toml", OURS.format(**self.facts(), options=self.options))
        for name, password in self.accounts.items():
            user_add = ("user", "add", f"{name}@{self.domain}", "--password-stdin")
            self._run(*user_add, "--config", self.configuration, stdin=password + "\n")


PROSODY = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
log = {{ debug = "*console" }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {starttls_port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
s2s_ports = {{ {s2s_port} }}
s2s_direct_tls_ports = {{ {s2s_tls_port} }}
ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem", cafile = "{authorities}" }}
c2s_direct_tls_ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem" }}
s2s_direct_tls_ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem" }}
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {secure}
unbound = {{ resolvconf = false, hoststxt = false, forward = {{ "{dns_host}@{dns_port}" }},
    options = {{ ["do-not-query-localhost:"] = "no" }} }}
authentication = "internal_plain"
modules_enabled = {{
    "roster", "saslauth", "tls", "dialback", "s2s_auth_certs", "disco", "offline", "posix",
    "time", "version", "ping", "private", "lastactivity", "uptime", {more}
}}
VirtualHost "{domain}"
Component "rooms.{domain}" "muc"
    restrict_room_creation = false
"""


class ProsodyPeer(Peer):
    """Prosody; `secure`: it wants a certificate of us, too."""

    def __init__(
        self,
        folder: Path,
        site: Site,
        domain: str,
        issued: Issued,
        secure: bool = True,
        modules: Sequence[str] = (),
    ) -> None:
        super().__init__(folder, site, domain, issued)
        self.secure = secure
        self.modules = modules

    def accept_any_certificate(self) -> None:
        self.secure = False

    def prepare(self) -> None:
        more = ", ".join(f'"{each}"' for each in self.modules)
        self.written(
            "prosody.cfg.lua", PROSODY.format(**self.facts(), secure=str(self.secure).lower(), more=more)
        )
        name = re.sub(r"[^A-Za-z0-9_]", lambda found: f"%{ord(found[0]):02x}", self.domain)
        accounts = self.folder / name / "accounts"
        accounts.mkdir(parents=True)
        for name, password in self.accounts.items():
            (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}" }};\n')

    def command(self) -> Sequence[str | Path]:
        return ("prosody", "-F", "--config", self.folder / "prosody.cfg.lua")

    def stop(self) -> None:
        """Wait until Prosody sleeps first: a signal in the middle of a write makes it lose what follows."""
        wait_until(lambda: self.process_state() == "S", "Prosody to be idle")
        super().stop()


EJABBERD = """
hosts: [ "{domain}" ]
loglevel: debug
certfiles: [ "{folder}/both.pem" ]
ca_file: "{authorities}"
s2s_use_starttls: {starttls}
s2s_cafile: "{authorities}"
outgoing_s2s_timeout: 10
outgoing_s2s_families: [ipv4]
listen:
  - port: {starttls_port}
    ip: "{host}"
    module: ejabberd_c2s
    starttls_required: true
  - port: {tls_port}
    ip: "{host}"
    module: ejabberd_c2s
    tls: true
  - port: {s2s_port}
    ip: "{host}"
    module: ejabberd_s2s_in
auth_method: internal
auth_password_format: plain
disable_sasl_mechanisms: [ "digest-md5", "X-OAUTH2" ]
modules:
  mod_disco: {{}}
  mod_last: {{}}
  mod_muc:
    host: "rooms.{domain}"
    access_create: all
  mod_offline: {{}}
  mod_ping: {{}}
  mod_private: {{}}
  mod_roster: {{ versioning: true }}
  mod_s2s_dialback: {{}}
  mod_time: {{}}
  mod_version: {{}}
"""
INETRC = """
{{resolv_conf, ""}}.
{{hosts_file, ""}}.
{{lookup, [dns]}}.
{{nameserver, {{{dns_tuple}}}, {dns_port}}}.
"""
LOAD = """
lists:foreach(fun({{U, P}}) -> mnesia:dirty_write({{passwd, {{U, <<"{domain}">>}}, P}}) end, [{accounts}]).
"""


class EjabberdPeer(Peer):
    """ejabberd, run by `erl` as its script does; without a node name, so without epmd."""

    starttls = "required"

    def accept_any_certificate(self) -> None:
        self.starttls = "optional"  # with `required` it demands a valid one

    def prepare(self) -> None:
        both = self.issued.chain_pem() + self.issued.key_pem()
        (self.folder / "both.pem").write_bytes(both)
        (self.folder / "spool").mkdir()
        self.written("ejabberd.yml", EJABBERD.format(**self.facts(), starttls=self.starttls))
        host, port = self.site.nameserver.address
        self.written("inetrc", INETRC.format(dns_tuple=host.replace(".", ","), dns_port=port))

    def command(self) -> Sequence[str | Path]:
        accounts = ",".join(f'{{<<"{name}">>,<<"{word}">>}}' for name, word in self.accounts.items())
        wait = "application:ensure_all_started(ejabberd), ejabberd:start(), "
        load = LOAD.format(domain=self.domain, accounts=accounts)
        libraries = os.path.dirname(next(iter(glob("/usr/lib/*/ejabberd-*"))))
        environment: Mapping[str, object] = {
            "EJABBERD_CONFIG_PATH": self.folder / "ejabberd.yml",
            "EJABBERD_LOG_PATH": self.folder / "ejabberd.log",
            "ERL_LIBS": libraries,
            "ERL_INETRC": self.folder / "inetrc",
            "HOME": self.folder,
        }
        settings = [f"{name}={value}" for name, value in environment.items()]
        database = ("-mnesia", "dir", f'"{self.folder}/spool"')
        erl = ("erl", "-noinput", "+K", "true", "+sbwt", "none", *database, "-eval", wait + load)
        return ("env", *settings, *erl)

    def transcript(self) -> str:
        log = self.folder / "ejabberd.log"
        return log.read_text(errors="replace")[-8000:] if log.exists() else super().transcript()


ROUTER = """<router>
  <id>router</id>
  <log type='file'><file>{folder}/router.log</file></log>
  <local><ip>{host}</ip><port>{router_port}</port><users>{folder}/router-users.xml</users></local>
  <io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits></io>
  <aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
"""
USERS = "<users><user><name>jabberd</name><secret>secret</secret></user></users>\n"
TO_ROUTER = (
    "<router><ip>{host}</ip><port>{router_port}</port><user>jabberd</user><pass>secret</pass></router>"
)
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
  <check><queue>10</queue><keepalive>0</keepalive><idle>0</idle></check>
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
SCHEMA = Path("/usr/share/doc/jabberd2/db-setup.sqlite.gz")
PROGRAMS = ("router", "sm", "c2s", "s2s")


class Jabberd2Peer(Peer):
    """jabberd2: dialback as it was; four processes that one shell looks after.

    It asks the servers of /etc/resolv.conf on port 53 alone: the shell has a mount of its own over that file.
    """

    rooms = None
    takes_logins = False
    echoes_presence = False

    def prepare(self) -> None:
        (self.folder / "both.pem").write_bytes(self.issued.chain_pem() + self.issued.key_pem())
        facts = self.facts() | {
            "router_port": free_ports(1)[0],
            "modules": glob("/usr/lib/*/jabberd2")[0],
            "chains": "".join(
                f"<chain id='{name}'>{''.join(f'<module>{module}</module>' for module in modules)}</chain>"
                for name, modules in CHAINS.items()
            ),
        }
        facts["to_router"] = TO_ROUTER.format_map(facts)
        facts["sqlite"] = SQLITE.format_map(facts)
        self.router_port = facts["router_port"]
        self.written("router-users.xml", USERS)
        for name, template in zip(PROGRAMS, (ROUTER, SM, C2S, S2S), strict=True):
            self.written(f"{name}.xml", template.format_map(facts))
        self._make_accounts()
        self.site.serve_port_53()
        self.written("resolv.conf", f"nameserver {self.site.system_nameserver}\n")
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
        lines = [f"mount --bind {self.folder}/resolv.conf /etc/resolv.conf || exit 1"]
        for name in PROGRAMS:
            lines.append(f"/usr/sbin/jabberd2-{name} -c {self.folder}/{name}.xml & sleep 0.5")
        return "\n".join([*lines, "trap 'kill $(jobs -p); wait; exit 0' TERM", "wait", ""])

    def command(self) -> Sequence[str | Path]:
        return ("unshare", "--mount", "sh", self.folder / "run.sh")

    def is_ready(self) -> bool:
        """It listens before the session manager has said that it is there."""
        log = self.folder / "sm.log"
        return super().is_ready() and log.exists() and "ready for sessions" in log.read_text()

    def transcript(self) -> str:
        logs = (self.folder / f"{name}.log" for name in PROGRAMS)
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs if log.exists())
