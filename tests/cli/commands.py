"""Running commands: inside of this process where possible, as real processes where it matters."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from commonroom.cli.root import commonroom

PROGRAM = (sys.executable, "-m", "commonroom")
START_SECONDS = 20.0


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    """A command in this process; an exception that it does not expect is the test's failure."""
    return CliRunner().invoke(
        commonroom,
        [str(argument) for argument in arguments],
        input=stdin,
        catch_exceptions=False,
        prog_name="commonroom",
    )


def failed(result: Result, code: int = 1) -> str:
    """What a command that failed said, on standard error alone, without a traceback."""
    assert result.exit_code == code, f"{result.exit_code}: {result.output}"
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def worked(result: Result) -> str:
    """What a command that worked printed; it said nothing on standard error."""
    assert result.exit_code == 0, f"{result.exit_code}: {result.output}"
    assert result.stderr == ""
    return result.stdout


def set_up(folder: Path, *options: str) -> Path:
    """A service in this folder, for localhost; gives its configuration."""
    config = folder / "commonroom.toml"
    domain = () if "--domain" in options else ("--domain", "localhost")
    worked(
        run("init", "--config", config, "--state", folder / "var", "--host", "127.0.0.1", *domain, *options)
    )
    return config


class Running:
    """A service as a process; `ready` is all that it printed until it was ready, with the ready line last."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        self.errors = cwd / "errors.txt"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                (*PROGRAM, *map(str, arguments)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=cwd,
            )
        self.ready = ""
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.ready += line
            if "is ready" in line:
                return
        self.process.communicate()
        raise AssertionError(f"it ended with {self.process.returncode}: {self.errors.read_text()}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """End it with a signal; gives what it printed since it was ready. Its status must be 0."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        rest = self.process.stdout.read()
        assert self.process.wait(START_SECONDS) == 0, self.errors.read_text()
        return rest


@contextmanager
def running(*arguments: str | Path, cwd: Path) -> Iterator[Running]:
    """A service as a process, which does not outlive the test."""
    service = Running(*arguments, cwd=cwd)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.communicate()  # closes the pipe, too


class Terminal:
    """A command at a terminal."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        self._ours, theirs = os.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            (*PROGRAM, *map(str, arguments)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and type the answer; what is typed before is lost where it is not shown."""
        end = time.monotonic() + START_SECONDS
        while question not in self.text:
            assert time.monotonic() < end, f"{question!r} was not asked: {self.text}"
            assert self._read(), f"it ended before {question!r}: {self.text}"
        self.text = self.text.partition(question)[2]
        os.write(self._ours, f"{text}\n".encode())

    def rest(self) -> str:
        """What it said after the last question, when it has ended."""
        while self._read():
            pass
        os.close(self._ours)
        self.process.wait(START_SECONDS)
        return self.text

    def _read(self) -> bool:
        try:
            data = os.read(self._ours, 10_000)
        except OSError:  # what Linux says when the other end is closed
            return False
        self.text += data.decode()
        return bool(data)


@contextmanager
def terminal(*arguments: str | Path, cwd: Path) -> Iterator[Terminal]:
    """A command at a terminal, which does not outlive the test."""
    command = Terminal(*arguments, cwd=cwd)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()
