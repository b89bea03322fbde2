"""Processes pinned to a core, and what they have used so far, from /proc."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 15.0
# Of /proc/stat: user, nice, system, irq, softirq, steal; not idle, not waiting.
BUSY = (0, 1, 2, 5, 6, 7)


class Command(NamedTuple):
    """A program with its arguments, and what its environment has in addition."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str]


class Processes:
    """What belongs to one server: the processes started here, and all that they started."""

    def __init__(self, core: int, log: Path) -> None:
        self._core = core
        self._log = log
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: Command, folder: Path) -> None:
        """Start one more, pinned to the core; what it says goes to the log."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                ["taskset", "-c", str(self._core), *command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )
        self._started.append(process)

    def ended(self) -> bool:
        """Whether one of them has ended by itself."""
        return any(process.poll() is not None for process in self._started)

    def wait(self, seconds: float) -> None:
        """Until all have ended; raises TimeoutExpired."""
        for process in self._started:
            process.wait(seconds)
        self._started.clear()

    def stop(self) -> None:
        """Ask them to end, the last started first; insist after a while. Nothing of them is left."""
        for process in reversed(self._started):
            family = [process.pid, *descendants(process.pid)]
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in family[1:]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._started.clear()

    def pids(self) -> list[int]:
        """All that are there now."""
        return [pid for process in self._started for pid in (process.pid, *descendants(process.pid))]

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all of them."""
        return sum(map(cpu_seconds, self.pids()))

    def memory(self) -> int:
        """KiB in memory; what several share is divided among them (the kernel's Pss)."""
        return sum(_memory(pid, "Pss") for pid in self.pids())

    def own_memory(self) -> int:
        """Of that, what is no file's: the share of a library changes when others begin to use it, or end."""
        return sum(_memory(pid, "Pss_Anon") for pid in self.pids())


def cpu_seconds(pid: int) -> float:
    """User and system of all threads: to the nanosecond where the kernel tells, else to the tick."""
    try:
        threads = [Path(f"{PROC}/{pid}/task/{task}/schedstat") for task in os.listdir(f"{PROC}/{pid}/task")]
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    except (OSError, ValueError, IndexError):
        return _cpu_ticks(pid) / TICKS


def _cpu_ticks(pid: int) -> int:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _memory(pid: int, kind: str) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")), 0)


def descendants(pid: int) -> list[int]:
    """Its children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for name in os.listdir(PROC):
        if name.isdecimal():
            with suppress(OSError):
                stat = (PROC / name / "stat").read_text()
                yield int(name), int(stat.rpartition(")")[2].split()[1])


def core_busy(core: int) -> float:
    """Seconds in which the core did anything since the machine started."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *numbers = line.split()
        if name == f"cpu{core}":
            return sum(int(numbers[field]) for field in BUSY) / TICKS
    raise ValueError(f"there is no core {core}")


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Poll; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {seconds:g} s")
        time.sleep(0.05)
