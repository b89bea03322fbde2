"""Ours, as an operator runs it; or by way of `crash.inside`, where it has to die in its commit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from bench.processes import Command
from bench.servers.server import HOST
from bench.site import DOMAIN, ROOMS, Site
from crash import inside
from crash.plan import Fault, Life, Possible
from crash.servers.postgres import Postgres
from crash.servers.server import Server

CHECKOUT = Path(__file__).parents[2]

CONFIGURATION = """
domains = ["{domain}"]
state = "state"

[database]
url = "{database}"

[tls]
certificate = "{certificate}"
key = "{key}"

[c2s]
listen = []
listen_direct_tls = ["{host}:{port}"]
connections_per_address = 100000
new_connections_per_second = 100000
new_connection_burst = 100000
bytes_per_second = "1 GiB"
byte_burst = "1 GiB"
stanzas_per_second = 1000000
stanza_burst = 1000000

[rooms.limits]
messages_per_second = 10000
message_burst = 10000
presences_per_minute = 10000
presence_burst = 10000
room_messages_per_second = 100000
room_message_burst = 100000

[rooms.declared.hall]
owners = ["{owner}"]
"""
ENDS = {Fault.KILLED: 3, Fault.BEFORE_COMMIT: 1, Fault.IN_COMMIT: 2, Fault.AFTER_COMMIT: 1}


class CommonRoom(Server):
    """On SQLite."""

    possible: ClassVar[Possible] = Possible(ENDS, {Fault.DISK_FULL: 0.15})
    room: ClassVar[str | None] = f"hall@{ROOMS}"

    def __init__(self, folder: Path, site: Site) -> None:
        super().__init__(folder, site)
        self._configuration = folder / "commonroom.toml"
        self._full = folder / "full"

    def prepare(self) -> None:
        facts = {"certificate": self.site.certificate, "key": self.site.key, "database": self._database()}
        population = self.site.population
        owner = population.address(population.accounts - 1)
        text = CONFIGURATION.format(domain=DOMAIN, host=HOST, port=self.ports["direct"], owner=owner, **facts)
        self._configuration.write_text(text)
        (self.folder / "state").mkdir(mode=0o700)
        people = self.folder / "population.json"
        stored = {"domain": population.domain, "accounts": population.accounts, "friends": []}
        people.write_text(json.dumps(stored))
        fill = (sys.executable, "-m", "bench.servers.fill_commonroom", self._configuration, people)
        subprocess.run(fill, check=True, cwd=CHECKOUT)

    def command(self, life: Life | None) -> Command:
        module, environment = "commonroom", {"PYTHONPATH": f"{CHECKOUT / 'src'}:{CHECKOUT}"}
        if life is not None and life.end.is_in_commit:
            module = "crash.inside"
            environment[inside.POINT] = f"{life.end.value}:{life.commit}"
        if life is not None and life.hardship is Fault.DISK_FULL:
            module = "crash.inside"
            environment[inside.FULL] = str(self._full)
        serve = (sys.executable, "-m", module, "serve", "--config", self._configuration)
        return Command(serve, environment)

    def begin_hardship(self, life: Life) -> None:
        self._full.touch()

    def end_hardship(self, life: Life) -> None:
        self._full.unlink(missing_ok=True)

    def _database(self) -> str:
        return "sqlite"


class CommonRoomOnPostgres(CommonRoom):
    """On a PostgreSQL server of the run's own."""

    possible: ClassVar[Possible] = Possible(ENDS, {Fault.DATABASE_KILLED: 0.3})

    def prepare(self) -> None:
        self._postgres = Postgres()
        super().prepare()

    def begin_hardship(self, life: Life) -> None:
        self._postgres.kill()

    def end_hardship(self, life: Life) -> None:
        self._postgres.start()

    def close(self) -> None:
        super().close()
        self._postgres.close()

    def _database(self) -> str:
        return self._postgres.url
