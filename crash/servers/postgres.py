"""A PostgreSQL server of the run's own that can be killed: the tests' one, and SIGKILL."""

import os
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.processes import descendants
from tests.postgres import running_cluster

# After a SIGKILL the last processes may still hold the shared memory for a moment.
START_SECONDS = 10.0


class Postgres:
    """Runs from the beginning."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._cluster = self._open.enter_context(running_cluster(syncs=True))

    @property
    def url(self) -> str:
        """As an operator would write it."""
        return self._cluster.url()

    def start(self) -> None:
        """Return when it answers; does nothing if it does already."""
        end = time.monotonic() + START_SECONDS
        while not self._pids():
            try:
                self._cluster.start()
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Nothing of it is left."""
        self.start()
        self._open.close()

    def _pids(self) -> list[int]:
        """The postmaster, if it is there, and its children. The file with its number outlives it."""
        try:
            postmaster = int((self._cluster.folder / "data/postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{postmaster}/cmdline").read_bytes()
        except (OSError, IndexError, ValueError):
            return []
        if str(self._cluster.folder).encode() not in command:
            return []  # the number is another process's by now
        return [postmaster, *descendants(postmaster)]
