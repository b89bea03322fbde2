"""A server process of the run's own: started, killed, started again."""

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from bench.processes import Command
from bench.servers.server import HOST, free_ports
from bench.site import DOMAIN, Site
from crash.plan import Life, Possible
from crash.wire import Door, trusting

LOG_TAIL = 3000


class ServerFailed(RuntimeError):  # noqa: N818 - what happened
    """It ended by itself; the text is the end of its log."""


class Server(ABC):
    """`prepare` once, then `start` and `kill` as often as wanted. The ports stay the same."""

    possible: ClassVar[Possible]
    room: ClassVar[str | None] = None  # where some clients talk to all; None: there is none

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.site = site
        self.ports = dict(zip(("starttls", "direct", "plain"), free_ports(3), strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration and the accounts."""

    @abstractmethod
    def command(self, life: Life | None) -> Command:
        """What runs it in the foreground, for such a life; None: for the last one, which nothing ends."""

    def begin_hardship(self, life: Life) -> None:
        """Do to it what the life has in store; only for faults that `possible` names."""
        raise NotImplementedError(f"{type(self).__name__}: {life.hardship}")

    def end_hardship(self, life: Life) -> None:
        """And make it good again."""
        raise NotImplementedError(f"{type(self).__name__}: {life.hardship}")

    @property
    def door(self) -> Door:
        """Where clients connect."""
        return Door(HOST, self.ports["direct"], DOMAIN, trusting())

    @property
    def partners_door(self) -> Door:
        """Where those connect whose account has an odd number: each is the partner of an even one."""
        return self.door

    def start(self, life: Life | None) -> None:
        """Return at once: the clients see when it serves."""
        command = self.command(life)
        with (self.folder / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def check_end(self, is_expected: bool) -> None:
        """Raises ServerFailed if the process ended otherwise than by SIGKILL, or when nobody wanted it to."""
        status = self._process.poll() if self._process else None
        if status is not None and not (is_expected and status == -signal.SIGKILL):
            raise self.failed(f"ended with status {status}")

    def failed(self, what: str) -> ServerFailed:
        """The error that says so, with the end of the log."""
        log = (self.folder / "output.log").read_text(errors="replace")
        return ServerFailed(f"{type(self).__name__} {what}\n{log[-LOG_TAIL:]}")

    def kill(self) -> None:
        """SIGKILL to it and whatever it has started."""
        process, self._process = self._process, None
        if process is not None:
            _kill_group(process.pid)
            process.wait()

    def close(self) -> None:
        """Nothing of it runs any more."""
        self.kill()


def _kill_group(leader: int) -> None:
    """A group outlives its leader, as long as there is anybody in it."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
