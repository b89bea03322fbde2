"""ejabberd from Debian's package, run by `erl` as its script does; without a node name, so without epmd."""

import os
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from glob import glob
from pathlib import Path

from bench.processes import Command, Processes
from bench.servers.prosody import package_version
from bench.servers.server import HOST, Server, plain_command
from bench.site import ITERATIONS, ROOMS, SALT, Population, Site, keys

NO_BUSY_WAIT = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")

CONFIGURATION = """
hosts: [ "{domain}" ]
loglevel: info
certfiles: [ "{pem}" ]
listen:
  - port: {starttls}
    ip: "{host}"
    module: ejabberd_c2s
    max_stanza_size: 262144
    backlog: 1024
    starttls_required: true
  - port: {direct}
    ip: "{host}"
    module: ejabberd_c2s
    max_stanza_size: 262144
    backlog: 1024
    tls: true
  - port: {plain}
    ip: "{host}"
    module: ejabberd_c2s
    max_stanza_size: 262144
    backlog: 1024
{others}auth_method: internal
auth_password_format: scram
disable_sasl_mechanisms: [ "digest-md5", "X-OAUTH2" ]
modules:
  mod_disco: {{}}
  mod_last: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_private: {{}}
  mod_roster: {{ versioning: true }}
  mod_time: {{}}
  mod_version: {{}}
"""
# Added behind the list of listeners.
S2S = """  - port: {port}
    ip: "{host}"
    module: ejabberd_s2s_in
    max_stanza_size: 262144
    backlog: 1024
ca_file: "{authorities}"
s2s_cafile: "{authorities}"
s2s_use_starttls: required
outgoing_s2s_families: [ipv4]
"""
INETRC = """
{{resolv_conf, ""}}.
{{hosts_file, ""}}.
{{lookup, [dns]}}.
{{nameserver, {{{address}}}, {port}}}.
"""
# Added to the list of modules, which stands last, where a scenario wants them.
MANAGED = """  mod_stream_mgmt:
    resend_on_timeout: if_offline
    max_ack_queue: 5000
"""
ARCHIVE = """  mod_mam:
    default: always
"""
# Without the limits that ours does not have here, either.
ROOM_SERVICE = """  mod_muc:
    host: "{host}"
    max_users: 5000
    max_users_presence: 5000
    max_user_conferences: 1000
    default_room_options:
      max_users: 5000
"""
SQLITE = """    db_type: sql
sql_type: sqlite
sql_database: "{database}"
"""
TABLES = Path("/usr/share/ejabberd/sql/lite.sql")

# A term a line; read when the server has started, and written to its tables.
LOAD = """
{{ok, Terms}} = file:consult("{terms}"),
lists:foreach(fun(Term) -> mnesia:dirty_write(Term) end, Terms),
mnesia:dump_log(),
init:stop().
"""
LOAD_SECONDS = 300


class Ejabberd(Server):
    """`tuned`: schedulers that have nothing to do sleep at once.

    Its archive, if it has one, is in Mnesia unless `sqlite`.
    """

    def __init__(
        self, name: str, folder: Path, site: Site, core: int, tuned: bool = True, sqlite: bool = False
    ) -> None:
        super().__init__(name, folder, site, core)
        self._sqlite = sqlite
        self._tuning = NO_BUSY_WAIT if tuned else ()
        self._core = core

    def prepare(self) -> None:
        pem = self.written("site.pem", self.site.certificate.read_text() + self.site.key.read_text())
        (self.folder / "spool").mkdir()
        facts = {"domain": self.site.domain, "pem": pem, "host": HOST, "others": self._others()}
        text = CONFIGURATION.format(**facts, **self.ports)
        self.written("ejabberd.yml", text + self._extras())
        terms = self.written("terms", "\n".join(population_terms(self.site.population)))
        self._load(terms)

    def commands(self) -> Sequence[Command]:
        return (self._command(),)

    def version(self) -> str:
        return f"ejabberd {package_version('ejabberd')}"

    def _extras(self) -> str:
        extras = self.site.extras
        rooms = ROOM_SERVICE.format(host=ROOMS) if extras.rooms else ""
        return MANAGED * extras.managed + rooms + (self._archive() if extras.archived else "")

    def _others(self) -> str:
        federation = self.site.federation
        if federation is None:
            return ""
        host, port = federation.nameserver
        self.written("inetrc", INETRC.format(address=host.replace(".", ","), port=port))
        return S2S.format(port=self.ports["s2s"], host=HOST, authorities=federation.authorities)

    def _archive(self) -> str:
        if not self._sqlite:
            return ARCHIVE
        path = self.folder / "archive.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.executescript(TABLES.read_text())
        return ARCHIVE + SQLITE.format(database=path)

    def _load(self, terms: Path) -> None:
        loading = Processes(self._core, self.folder / "load.log")
        wait = "application:ensure_all_started(ejabberd), ejabberd:start(),"
        loading.start(self._command("-eval", wait + LOAD.format(terms=terms)), self.folder)
        loading.wait(LOAD_SECONDS)

    def _command(self, *more: str) -> Command:
        libraries = os.path.dirname(next(iter(glob("/usr/lib/*/ejabberd-*"))))
        environment = {
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_LIBS": libraries,
            "ERL_MAX_PORTS": "32000",
            "HOME": str(self.folder),
        }
        if self.site.federation is not None:
            environment["ERL_INETRC"] = str(self.folder / "inetrc")
        options = ("+K", "true", "+P", "250000", *self._tuning)
        database = ("-mnesia", "dir", f'"{self.folder}/spool"')
        arguments = ("erl", "-noinput", *options, *database, "-s", "ejabberd", *more)
        return plain_command(*arguments, environment=environment)


def population_terms(population: Population) -> Iterator[str]:
    """The rows of ejabberd's tables `passwd` and `roster`, as Erlang writes terms."""
    made = keys()
    salt = b64encode(SALT).decode()
    password = (
        f'{{scram,<<"{made.stored_base64}">>,<<"{made.server_base64}">>,<<"{salt}">>,sha,{ITERATIONS}}}'
    )
    for number in range(population.accounts):
        yield f'{{passwd,{{<<"u{number}">>,<<"{population.domain}">>}},{password}}}.'
    for owner, friends in population.friends.items():
        user = f'<<"u{owner}">>,<<"{population.domain}">>'
        for friend in friends:
            contact = f'{{<<"u{friend}">>,<<"{population.domain}">>,<<>>}}'
            yield (
                f"{{roster,{{{user},{contact}}},{{{user}}},{contact},"
                f'<<"Contact {friend}">>,both,none,[<<"Friends">>],<<>>,[]}}.'
            )
