"""A server process of its own for tests with real clients: started, drained, killed and restarted at will."""

import os
import re
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .waiting import wait_until

START_SECONDS = 10.0
STOP_SECONDS = 10.0
COMMAND_SECONDS = 20.0
LOG_TAIL_LINES = 40
READY = re.compile(r"\bready\b")


class ServerUnderTest(ABC):
    """One server with its own folder, accounts and certificate; its ports stay the same over restarts."""

    host = "127.0.0.1"
    domain = "localhost"
    start_seconds = START_SECONDS
    stop_seconds = STOP_SECONDS
    lacks: ClassVar[Mapping[str, str]] = {}
    """What this server cannot do, with the reason; empty for ours."""

    def __init__(self, folder: Path, accounts: Mapping[str, str]) -> None:
        self.folder = folder
        self.accounts = dict(accounts)
        self.log = folder / "server.log"
        self.starttls_port, self.tls_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def certificate(self) -> Path:
        """The server's self-signed certificate (PEM), which clients are given as their only authority."""

    @abstractmethod
    def prepare(self) -> None:
        """Write configuration and certificate, and create the accounts; once, before the first start."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the process that was just started accepts clients."""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def process_state(self) -> str:
        """The kernel's letter for what the process does: "S" when it sleeps (proc(5))."""
        assert self._process is not None, "the server is not running"
        status = Path(f"/proc/{self._process.pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0]

    def start(self) -> None:
        """Return when clients can connect; AssertionError with the log when the server does not come up."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            wait_until(self._is_up, f"{type(self).__name__} to become ready", self.start_seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.transcript()}") from None

    def stop(self) -> None:
        """Ask the server to drain (SIGTERM) and wait until it has ended with status 0."""
        status = self._end(signal.SIGTERM)
        assert status == 0, f"the server ended with status {status}\n{self.transcript()}"

    def kill(self) -> None:
        """End the server, and what it may have started, before it can write anything (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Drain, and start again over the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Leave no process behind, whatever state the test left the server in."""
        if self._process is not None:
            self.kill()

    def output(self) -> str:
        """What the process that was started last has written so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def transcript(self) -> str:
        """The end of the server's log, for a failing test's report."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _is_up(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"the server ended at once with status {status}"
        return self.is_ready()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None, "the server is not running"
        process, self._process = self._process, None
        if process.poll() is None:
            (os.killpg if number is signal.SIGKILL else os.kill)(process.pid, number)
        try:
            return process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            late = f"the server lived on for {self.stop_seconds:g} s after {number.name}"
            raise AssertionError(f"{late}\n{self.transcript()}") from None


SLOW_GUESSING = '#delay_first = "1s"'
FAST_GUESSING = 'delay_first = "10ms"\ndelay_longest = "10ms"'


class CommonRoom(ServerUnderTest):
    """Our server, run as an operator runs it: `init`, `user add`, `serve`. All its options are named here."""

    @property
    def configuration(self) -> Path:
        return self.folder / "commonroom.toml"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def prepare(self) -> None:
        self._run(
            *("init", "--domain", self.domain, "--state", self.folder, "--config", self.configuration),
            *("--host", self.host, "--port", str(self.starttls_port), "--tls-port", str(self.tls_port)),
        )
        # Every client comes from one address here; those who may not log in must not slow down the others.
        text = self.configuration.read_text()
        assert text.count(SLOW_GUESSING) == 1
        self.configuration.write_text(text.replace(SLOW_GUESSING, FAST_GUESSING))
        for name, password in self.accounts.items():
            user_add = ("user", "add", f"{name}@{self.domain}", "--password-stdin")
            self._run(*user_add, "--config", self.configuration, stdin=password + "\n")

    def command(self) -> Sequence[str | Path]:
        return (sys.executable, "-m", "commonroom", "serve", "--config", self.configuration)

    def is_ready(self) -> bool:
        return READY.search(self.output()) is not None

    def _run(self, *arguments: str | Path, stdin: str = "") -> None:
        command = (sys.executable, "-m", "commonroom", *arguments)
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        said = f"{done.stdout}{done.stderr}"
        assert done.returncode == 0, f"{' '.join(map(str, command))}: status {done.returncode}\n{said}"


def free_ports(count: int) -> list[int]:
    """Different TCP ports that the operating system calls free."""
    sockets = [socket.create_server((ServerUnderTest.host, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
