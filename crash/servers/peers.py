"""Prosody and ejabberd from Debian's packages, as the bench runs them, with 0198 and the archive on."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from bench.processes import Command
from bench.servers.ejabberd import Ejabberd as BenchEjabberd
from bench.servers.prosody import Prosody as BenchProsody
from bench.servers.server import Server as BenchServer
from crash.plan import Fault, Life, Possible
from crash.servers.server import Server

# Added to the virtual host, which stands last.
PROSODY = """
    modules_enabled = { "smacks", "mam" }
    default_archive_policy = true
    archive_expires_after = "never"
"""
PROSODY_SQLITE = """
    storage = { archive = "sql" }
    sql = { driver = "SQLite3"; database = "archive.sqlite" }
"""
# Added to the list of modules, which stands last.
EJABBERD = """
  mod_stream_mgmt:
    resend_on_timeout: if_offline
    max_ack_queue: 5000
  mod_mam:
    default: always
"""
EJABBERD_SQLITE = """    db_type: sql
sql_type: sqlite
sql_database: "{folder}/archive.sqlite"
"""
EJABBERD_TABLES = Path("/usr/share/ejabberd/sql/lite.sql")


class Peer(Server):
    """Only the faults that need no help from inside."""

    possible: ClassVar[Possible] = Possible({Fault.KILLED: 1}, {})
    made_by: ClassVar[type[BenchServer]]
    configuration: ClassVar[str]
    addition: ClassVar[str]

    def prepare(self) -> None:
        core = min(os.sched_getaffinity(0))
        self._server = self.made_by(self.made_by.__name__, self.folder, self.site, core)
        self._server.prepare()
        self.ports = self._server.ports
        with (self.folder / self.configuration).open("a") as file:
            file.write(self.addition.replace("{folder}", str(self.folder)))

    def command(self, life: Life | None) -> Command:
        [command] = self._server.commands()
        return command


class Prosody(Peer):
    """Its archive is in files."""

    made_by = BenchProsody
    configuration = "prosody.cfg.lua"
    addition = PROSODY


class ProsodyOnSqlite(Prosody):
    """Needs Debian's package lua-dbi-sqlite3."""

    addition = PROSODY + PROSODY_SQLITE


class Ejabberd(Peer):
    """Its archive is in Mnesia."""

    made_by = BenchEjabberd
    configuration = "ejabberd.yml"
    addition = EJABBERD


class EjabberdOnSqlite(Ejabberd):
    """Needs Debian's package erlang-p1-sqlite3."""

    addition = EJABBERD + EJABBERD_SQLITE

    def prepare(self) -> None:
        with closing(sqlite3.connect(self.folder / "archive.sqlite")) as database:
            database.executescript(EJABBERD_TABLES.read_text())
        super().prepare()
