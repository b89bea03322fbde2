"""A run: servers, their generators and the probe, from start to end."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench.generator import Generator
from bench.limits import memory_disk, raise_open_files
from bench.meter import Meter, Probe, Used
from bench.native import Programs, build
from bench.network import Network
from bench.servers.catalog import maker
from bench.servers.commonroom import Installation
from bench.servers.couple import Couple
from bench.servers.server import Server
from bench.site import FAR_DOMAIN, NO_EXTRAS, PASSWORD, Extras, Population, Site, make_site

Say = Callable[[str], None]
ROOM = 1 << 30  # bytes for the files of all servers


@dataclass(frozen=True, slots=True)
class Cores:
    """The servers' core, and the generators'."""

    server: int
    generator: int


def two_cores() -> Cores:
    """The first two that this process may use; raises RuntimeError if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise RuntimeError("a server and a generator on one core say nothing about either; two are needed")
    return Cores(allowed[0], allowed[1])


class Subject(Protocol):
    """A server, or what is measured like one."""

    name: str

    @property
    def processes(self) -> Used: ...


class Run:
    """All that a scenario works with. Servers keep running while others are measured: they sleep."""

    def __init__(
        self,
        programs: Programs,
        cores: Cores,
        folder: Path,
        names: Sequence[str],
        ours: Installation,
        say: Say,
    ) -> None:
        self.programs = programs
        self.cores = cores
        self.names = tuple(names)
        self.say = say
        self.probe = Probe(programs.probe, cores.server)
        self.versions: dict[str, str] = {}
        self._folder = folder
        self._ours = ours
        self._counter = 0

    @property
    def log(self) -> Path:
        """What those say that are no servers."""
        return self._folder / "others.log"

    @contextmanager
    def servers(
        self,
        population: Population,
        names: Sequence[str] | None = None,
        extras: Extras = NO_EXTRAS,
        in_memory: bool = False,
    ) -> Iterator[list[Server]]:
        """Servers with these people, prepared and started; stopped at the end.

        `in_memory`: no write waits for a disk, if there is room for their files.
        """
        with ExitStack() as stack:
            chosen = self.names if names is None else names
            folder = stack.enter_context(_folder(memory_disk(ROOM))) if in_memory else self._folder
            servers = [self.prepared(name, population, extras, folder) for name in chosen]
            for server in servers:
                self.say(f"starting {server.name}")
                stack.callback(server.stop)
                server.start()
            yield servers

    def prepared(
        self, name: str, population: Population, extras: Extras = NO_EXTRAS, inside: Path | None = None
    ) -> Server:
        """A server in a folder of its own, not started."""
        folder = self._new_folder(name, inside)
        return self._made(name, folder, make_site(folder, population, extras))

    def federated(
        self,
        name: str,
        population: Population,
        network: Network,
        below: tuple[str, ...] = (),
        idle_timeout: str = "10m",
    ) -> Server:
        """One that others of the network find, also by domains below its own; not started."""
        folder = self._new_folder(name)
        server = self._made(name, folder, network.site(folder, population, idle_timeout))
        for domain in (population.domain, *below):
            network.publish(domain, server.ports["s2s"])
        return server

    @contextmanager
    def couples(self, population: Population) -> Iterator[list[Couple]]:
        """Two servers of each kind, with the same people on both sides, started; stopped at the end."""
        with ExitStack() as stack:
            yield [stack.enter_context(self._couple(name, population)) for name in self.names]

    @contextmanager
    def _couple(self, name: str, population: Population) -> Iterator[Couple]:
        far = replace(population, domain=FAR_DOMAIN)
        with self.network() as network, ExitStack() as stack:
            servers = [self.federated(name, each, network) for each in (population, far)]
            for server in servers:
                self.say(f"starting {server.name} for {server.site.domain}")
                stack.callback(server.stop)
                server.start()
            yield Couple(*servers)

    @contextmanager
    def network(self) -> Iterator[Network]:
        """For servers that find each other."""
        network = Network(self._new_folder("network"))
        try:
            yield network
        finally:
            network.close()

    def _new_folder(self, name: str, inside: Path | None = None) -> Path:
        self._counter += 1
        folder = (inside or self._folder) / f"{self._counter}-{name.partition('@')[0]}"
        folder.mkdir()
        return folder

    def _made(self, name: str, folder: Path, site: Site) -> Server:
        server = maker(name, self.programs, self._ours)(name, folder, site, self.cores.server)
        self.say(f"preparing {name}: {site.population.accounts} accounts")
        server.prepare()
        self.versions[name] = server.version()
        return server

    @contextmanager
    def generator(
        self, server: Server, transport: str = "starttls", mechanism: str | None = None
    ) -> Iterator[Generator]:
        """The clients of one server, none of them connected."""
        generator = Generator(
            self.programs.generator,
            self.cores.generator,
            server.door(transport, mechanism),
            server.site.domain,
            PASSWORD,
            server.folder / "generator.log",
        )
        try:
            yield generator
        finally:
            generator.close()

    def meter(self, server: Subject, generator: Generator) -> Meter:
        """For one server."""
        return Meter(self.probe, self.cores.server, server.processes, generator)


@contextmanager
def new_run(names: Sequence[str], ours: Installation, say: Say) -> Iterator[Run]:
    """Builds what is needed; leaves nothing behind."""
    cores = two_cores()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores.generator})
    raise_open_files()
    with _folder() as folder:
        run = Run(build(folder), cores, folder, names, ours, say)
        try:
            yield run
        finally:
            run.probe.close()
            os.sched_setaffinity(0, allowed)


@contextmanager
def _folder(where: Path | None = None) -> Iterator[Path]:
    """Is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="commonroom-bench-", dir=where) as folder:
        yield Path(folder)
