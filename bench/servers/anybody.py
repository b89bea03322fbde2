"""A server of a domain and of all below it: takes what comes from others, and says nothing. CONFIGURATION.

Ours at its edge to other servers, and nothing behind that: a service with ten thousand domains of its own
would be something else to measure.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.processes import Command
from bench.servers.commonroom import CHECKOUT, CONFIGURATION, FEDERATION, Installation
from bench.servers.server import HOST, Server, accepts, plain_command
from bench.site import Site
from commonroom.app.federation import Inside, build_federation
from commonroom.app.keeping import keeping_nothing
from commonroom.app.tasks import Tasks
from commonroom.config import load
from commonroom.net.connection import Connection
from commonroom.net.listener import Listener
from commonroom.net.s2s import IncomingConnection
from commonroom.protocol.stanza import Stanza
from commonroom.storage.memory import Memory, memory_stores


class Anybody(Server):
    """For the domain of its site, and all below."""

    def __init__(self, name: str, folder: Path, site: Site, core: int, installation: Installation) -> None:
        super().__init__(name, folder, site, core)
        self._python = installation.python
        self._path = f"{installation.environment()['PYTHONPATH']}:{CHECKOUT}"

    def prepare(self) -> None:
        facts = {"certificate": self.site.certificate, "key": self.site.key, "host": HOST, **self.ports}
        text = CONFIGURATION.format(domain=self.site.domain, archive="never", **facts)
        assert self.site.federation is not None
        federation = self.site.federation._asdict()
        text += FEDERATION.format(host=HOST, port=self.ports["s2s"], **federation)
        self._configuration = self.written("commonroom.toml", text)

    def commands(self) -> Sequence[Command]:
        arguments = (self._python, "-m", "bench.servers.anybody", self._configuration)
        return (plain_command(*arguments, environment={"PYTHONPATH": self._path}),)

    def is_ready(self) -> bool:
        return accepts(self.ports["s2s"])

    def version(self) -> str:
        return "ours of many domains"


async def serve(configuration: Path) -> None:
    """Until it is killed."""
    settings, tasks, loop = load(configuration), Tasks(), asyncio.get_running_loop()
    stores = memory_stores(Memory())
    around = Inside(
        lambda name: name.endswith(settings.domains[0]),
        _take,
        _take,
        tasks.start,
        loop.call_later,
        loop.time,
        lambda: datetime.now().astimezone(),
        keeping_nothing(),
        stores.writes,
    )
    peers = build_federation(settings, around, b"secret").peers
    accept = partial(Connection, partial(IncomingConnection, peers, False), peers.limits.connection)
    await Listener(settings.federation.listen[0], accept).start()
    await asyncio.Event().wait()


def _take(stanza: Stanza) -> None:
    """It is nobody's."""


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(Path(sys.argv[1])))
