"""Servers that federate: ours, and those of others from Debian's packages, each with a domain of its own."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path

from tests.cli.commands import run, worked
from tests.interop.people import PASSWORDS
from tests.interop.server import CommonRoom, ServerUnderTest
from tests.interop.waiting import wait_until

from .authority import Issued
from .site import Site, loopback_address


class Peer(ServerUnderTest):
    """A server with a domain in the site's DNS, an address, and a certificate that the test chooses.

    The address is its own, so that the ports are free, and stay free while it is restarted.
    """

    package: str | None = None  # Debian's name of it, if it is not ours
    start_seconds = stop_seconds = 120.0  # limits for a machine that is busy with something else
    s2s_port, s2s_tls_port = 15269, 15270
    rooms: str | None = "rooms"  # what stands before its domain in the addresses of rooms
    takes_logins = True  # also when another client has left in the same moment
    tells_of_subscriptions = True  # that could not be sent
    echoes_presence = True  # to the resource that sent it (RFC 6121 §4.2.2)

    def __init__(self, folder: Path, site: Site, domain: str, issued: Issued) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, PASSWORDS)
        self.site = site
        self.domain = domain
        self.host = loopback_address()
        self.starttls_port, self.tls_port = 15222, 15223
        self.install(issued)
        site.publish(domain, self.s2s_port, self.host)

    @property
    def certificate(self) -> Path:
        """The server's own."""
        return self.folder / "certificate.pem"

    def install(self, issued: Issued) -> None:
        """Have it show this one, from its next start on."""
        self.issued = issued.write(self.certificate, self.folder / "key.pem")
        (self.folder / "both.pem").write_bytes(issued.chain_pem() + issued.key_pem())

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


def version(kind: type[Peer]) -> str:
    """Of its Debian package."""
    command = ("dpkg-query", "-W", "-f", "${Version}", str(kind.package))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or "that is not installed: tools/lab_packages.sh installs it"


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
connect_timeout = "60s"
retry_first = "1s"
retry_longest = "1s"
{options}
[log]
format = "json"
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
            worked(run(*user_add, "--config", self.configuration, stdin=password + "\n"))

    def events(self, name: str) -> list[dict[str, object]]:
        """What its log says of them since it was started last."""
        lines = [line for line in self.output().splitlines() if line.startswith("{") and line.endswith("}")]
        return [each for each in map(json.loads, lines) if each["event"] == name]


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

    package = "prosody"

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

    package = "ejabberd"
    starttls = "required"

    def accept_any_certificate(self) -> None:
        self.starttls = "optional"  # with `required` it demands a valid one

    def prepare(self) -> None:
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
