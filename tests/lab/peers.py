"""Servers that federate: ours, and those of others from Debian's packages, each with a domain of its own."""

import os
import socket
from collections.abc import Mapping, Sequence
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
        """What clients trust: the server's own certificate, whoever signed it, and the authority."""
        bundle = self.folder / "for-clients.pem"
        if not bundle.exists():
            bundle.write_bytes(self.issued.chain_pem() + self.site.authorities.read_bytes())
        return bundle

    def written(self, name: str, text: str) -> Path:
        """A file in the server's folder."""
        path = self.folder / name
        path.write_text(text)
        return path

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

    def __init__(self, folder: Path, site: Site, domain: str, issued: Issued, options: str = "") -> None:
        Peer.__init__(self, folder, site, domain, issued)
        self.options = options

    @property
    def certificate(self) -> Path:
        return Peer.certificate.fget(self)  # type: ignore[attr-defined, no-any-return]

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

    def prepare(self) -> None:
        more = ", ".join(f'"{each}"' for each in self.modules)
        self.written(
            "prosody.cfg.lua", PROSODY.format(**self.facts(), secure=str(self.secure).lower(), more=more)
        )
        accounts = self.folder / self.domain.replace(".", "%2e") / "accounts"
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
s2s_use_starttls: required
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

    def prepare(self) -> None:
        both = self.issued.chain_pem() + self.issued.key_pem()
        (self.folder / "both.pem").write_bytes(both)
        (self.folder / "spool").mkdir()
        self.written("ejabberd.yml", EJABBERD.format(**self.facts()))
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
