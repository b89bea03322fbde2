"""Poezio on a terminal, as a person uses it: it logs in by itself, commands are typed, answers are read."""

import os
import shlex
import shutil
from pathlib import Path

from .people import Person
from .server import ServerUnderTest
from .tmux import Terminal
from .waiting import wait_until

# No bookmarks and no archive: what is on the screen came from the room just now. What a person would have to
# wait for is off.
CONFIGURATION = """\
[Poezio]
jid = {person.jid}/poezio
password = {person.password}
custom_host = {server.host}
custom_port = {server.starttls_port}
ca_cert_path = {server.certificate}
default_nick = {person.name}
plugins_autoload =
auto_reconnect = false
use_remote_bookmarks = false
use_bookmarks_method =
mam_sync = false
use_log = false
enable_avatars = false
extract_inline_images = false
send_os_info = false
"""
LOG_TAIL_LINES = 60
PROGRAM = "poezio"
# In a container everybody is root, for whom Poezio does not start: it is told that this is somebody else.
# Debian's package is for Debian's Python.
AS_SOMEBODY = (
    "import os, runpy, shutil; os.geteuid = lambda: 1; "
    f"runpy.run_path(shutil.which({PROGRAM!r}), run_name='__main__')"
)


class Poezio:
    """One running Poezio with its own folders; the server's certificate is its only authority."""

    def __init__(self, folder: Path, server: ServerUnderTest, person: Person) -> None:
        folder.mkdir()
        self._log = folder / "poezio.log"
        configuration = folder / "poezio.cfg"
        configuration.write_text(CONFIGURATION.format(person=person, server=server))
        assert shutil.which(PROGRAM), f"the program {PROGRAM} is not installed"
        start = ("/usr/bin/python3", "-c", AS_SOMEBODY) if os.geteuid() == 0 else (PROGRAM,)
        self.terminal = Terminal(
            folder,
            shlex.join((*start, "--file", str(configuration), "--debug", str(self._log))),
            {
                "HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "XDG_DATA_HOME": str(folder / "data"),
                "XDG_CACHE_HOME": str(folder / "cache"),
            },
        )

    def command(self, line: str) -> None:
        """Type a command where Poezio begins: there is no input before its first key was pressed."""
        self.see("Enter commands with")
        self.terminal.press("/")
        wait_until(lambda: "Enter commands with" not in self.terminal.screen(), "the input")
        self.type(line.removeprefix("/"))

    def type(self, line: str) -> None:
        """What comes in one piece is taken for pasted, also the Enter at its end: it waits for the line."""
        self.terminal.press(line)
        self.see(line)
        self.terminal.enter()

    def see(self, text: str) -> None:
        """Wait until the text is on the screen."""
        self.terminal.wait_for(text)

    def close(self) -> None:
        self.terminal.close()

    def transcript(self) -> str:
        """The screen, and the end of Poezio's own log, which has the stanzas."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join([self.terminal.transcript(), *lines[-LOG_TAIL_LINES:]])
