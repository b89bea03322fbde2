"""Starting with many accounts."""

import time
from collections.abc import Iterator
from statistics import median

from bench.run import Run
from bench.scenarios.scenario import Figure, Options, Row, Scenario, settle
from bench.servers.catalog import FLOOR
from bench.servers.server import Server
from bench.site import Population

FEW, MANY = 100, 100_000
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """The first start is not counted: the files are read from the disk then."""
    names = [name for name in run.names if name != FLOOR]
    few: dict[str, list[dict[str, float]]] = {}
    for accounts in (FEW, MANY):
        servers = [run.prepared(name, Population(accounts)) for name in names]
        for number in range(-1, options.rounds):
            for server in servers:
                figures = _start(run, server)
                if number >= 0 and accounts == FEW:
                    few.setdefault(server.name, []).append(figures)
                if number >= 0:
                    more = more_than(figures, few[server.name]) if accounts == MANY else {}
                    yield Row(f"{accounts:,} accounts", server.name, number, {**figures, **more})


def more_than(many: dict[str, float], few: list[dict[str, float]]) -> dict[str, float]:
    """What a start with many accounts takes in addition."""
    return {f"more_{key}": many[key] - median(start[key] for start in few) for key in ("ready_s", "mib")}


def _start(run: Run, server: Server) -> dict[str, float]:
    began = time.monotonic()
    server.start()
    up = time.monotonic()
    try:
        settle(2)
        slow = run.probe.slowness(began, up + 2)
        return {
            "ready_s": up - began,
            "cpu_s": server.processes.cpu() / slow,
            "mib": server.processes.memory() / MIB,
        }
    finally:
        server.stop()


STARTUP = Scenario(
    name="startup",
    title="Starting",
    what=f"From the command until clients can connect, with {FEW} and with {MANY:,} accounts; CPU and memory "
    "(Pss) two seconds later. The generator takes no part.",
    figures=(
        Figure("ready_s", "s until ready", 2),
        Figure("cpu_s", "CPU s", 2),
        Figure("mib", "MiB", 1),
        Figure("more_ready_s", f"s more than with {FEW}", 2, most=0.1),
        Figure("more_mib", f"MiB more than with {FEW}", 1, most=1),
    ),
    measure=measure,
)
