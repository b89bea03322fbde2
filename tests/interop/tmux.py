"""A program on a terminal of its own: a private tmux server, a fixed geometry, and waiting for text."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .waiting import wait_until

COLUMNS = 120
ROWS = 40
COMMAND_SECONDS = 5.0
TEXT_SECONDS = 8.0


class Terminal:
    """Runs one program; nothing of the user's own tmux, environment or home is seen or touched."""

    def __init__(self, folder: Path, command: str, environment: Mapping[str, str]) -> None:
        for program in ("tmux", command.split()[0]):
            assert shutil.which(program), f"the program {program} is not installed"
        self._socket = folder / "tmux"
        fixed = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
        self._environment = {**fixed, **environment}
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        # The pane outlives its program, so that a failing test can show the program's last words.
        options = ("set-option", "-g", "remain-on-exit", "on", ";", "new-session", "-d", *size, command)
        self._tmux("-f", "/dev/null", *options)

    def type(self, line: str) -> None:
        """Type the line and press Enter."""
        self.press(line)
        self.enter()

    def press(self, keys: str) -> None:
        """Type this, and no Enter."""
        self._tmux("send-keys", "-l", "--", keys)

    def enter(self) -> None:
        """Press Enter."""
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        """The visible text."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, text: str, seconds: float = TEXT_SECONDS) -> None:
        """Return when the text is on the screen; AssertionError with the screen when it does not come."""
        try:
            wait_until(lambda: text in self.screen(), f"{text!r} on the terminal", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.screen()}") from None

    def close(self) -> None:
        """End the program and its tmux server: a program may outlive its terminal."""
        pid = int(self._tmux("display-message", "-p", "#{pane_pid}"))
        is_dead = self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"
        if not is_dead:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._tmux("kill-server")

    def transcript(self) -> str:
        """The screen, or why there is none."""
        try:
            return self.screen()
        except (AssertionError, subprocess.TimeoutExpired) as gone:
            return str(gone)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ("tmux", "-S", str(self._socket), *arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"tmux {' '.join(arguments)}: {done.stderr}"
        return done.stdout
