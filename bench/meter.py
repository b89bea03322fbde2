"""What a span of time cost: CPU of the server and of the generator, and how fast the core was meanwhile."""

import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Protocol

from bench.generator import Generator
from bench.processes import core_busy

# What the probe's loop takes on a core of speed 1. Any number would do: it only names the unit.
NOMINAL = 0.001
# Of the probe's loops, the slowest and the fastest tenth are left out: an interrupt fell into them.
TRIMMED = 0.1
FEWEST = 5
# Seconds before and after a span that is too short for that.
WIDER = (0.0, 0.5, 1.0, 2.0)


class Probe:
    """A fixed loop that runs beside the server, on its core, for as long as this is open."""

    def __init__(self, program: Path, core: int) -> None:
        self._process = subprocess.Popen(
            ["taskset", "-c", str(core), program], stdout=subprocess.PIPE, text=True
        )
        self._loops: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def slowness(self, start: float, end: float) -> float:
        """How much longer than nominally the loop took in a span of the monotonic clock, or around it."""
        loops = tuple(self._loops)
        for wider in WIDER:
            found = [seconds for when, seconds in loops if start - wider <= when <= end + wider]
            if len(found) >= FEWEST:
                break
        return slowness(found)

    def cpu(self) -> float:
        """What it has used itself."""
        return sum(seconds for _, seconds in tuple(self._loops))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            when, seconds = line.split()
            self._loops.append((float(when), float(seconds)))


def slowness(loops: list[float]) -> float:
    """The trimmed mean of the loops, in nominal ones."""
    if len(loops) < FEWEST:
        raise ValueError(f"{len(loops)} loops of the probe are too few; measure for longer")
    loops = sorted(loops)
    cut = int(len(loops) * TRIMMED)
    return mean(loops[cut : len(loops) - cut]) / NOMINAL


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time. `cpu` is scaled to a core of speed 1, `raw_cpu` is as the kernel counted it."""

    seconds: float
    cpu: float
    raw_cpu: float
    slowness: float
    generator: float  # its share of its core
    others: float  # the share of the server's core that went to neither server nor probe

    def figures(self) -> dict[str, float]:
        """What every result tells beside its own figures."""
        return {
            "seconds": self.seconds,
            "slowness": self.slowness,
            "server_percent": 100 * self.raw_cpu / self.seconds,
            "generator_percent": 100 * self.generator,
            "others_percent": 100 * self.others,
        }


class Used(Protocol):
    """What is measured: the processes of a server, or of several."""

    def cpu(self) -> float:
        """Seconds of CPU so far."""


class Meter:
    """Begin, let something happen, end."""

    def __init__(self, probe: Probe, core: int, server: Used, generator: Generator) -> None:
        self._probe = probe
        self._core = core
        self._server = server
        self._generator = generator

    def begin(self) -> None:
        """From now on."""
        self._before = self._read()

    def end(self) -> Window:
        """Until now."""
        start, *before = self._before
        end, *after = self._read()
        seconds = end - start
        server, generator, probe, busy = (late - early for early, late in zip(before, after, strict=True))
        slow = self._probe.slowness(start, end)
        return Window(
            seconds=seconds,
            cpu=server / slow,
            raw_cpu=server,
            slowness=slow,
            generator=generator / seconds,
            others=max(0.0, busy - server - probe) / seconds,
        )

    def _read(self) -> tuple[float, float, float, float, float]:
        return (
            time.monotonic(),
            self._server.cpu(),
            self._generator.cpu(),
            self._probe.cpu(),
            core_busy(self._core),
        )
