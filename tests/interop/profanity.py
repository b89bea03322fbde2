"""Profanity on a terminal, as a person uses it: commands are typed, answers are read off the screen."""

import os
from pathlib import Path

from .people import Person
from .server import ServerUnderTest
from .tmux import Terminal

RESOURCE = "profanity"
CONFIGURATION = """\
[ui]
splash=false
[connection]
reconnect=1
[logging]
maxsize=1048580
"""
LOG_TAIL_LINES = 40


class Profanity:
    """One running Profanity with its own folders; the server's certificate is its only authority."""

    def __init__(self, folder: Path, server: ServerUnderTest, *, trusts_server: bool = True) -> None:
        self._server = server
        self._log = folder / "data/profanity/logs/profanity.log"
        (folder / "config/profanity").mkdir(parents=True)
        (folder / "config/profanity/profrc").write_text(CONFIGURATION)
        authorities = server.certificate if trusts_server else os.devnull
        self.terminal = Terminal(
            folder,
            "profanity --log DEBUG",
            {
                "HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "XDG_DATA_HOME": str(folder / "data"),
                "SSL_CERT_FILE": str(authorities),
                "SSL_CERT_DIR": str(folder / "no-certificates"),
            },
        )

    def connect(self, person: Person, *, tls: str = "force", password: str | None = None) -> None:
        """Type /connect and the password. The policy is "force", "trust" or "legacy" (direct TLS)."""
        port = self._server.tls_port if tls == "legacy" else self._server.starttls_port
        self.see("[offline]")
        where = f"server {self._server.host} port {port} tls {tls}"
        self.type(f"/connect {person.jid}/{RESOURCE} {where}")
        self.see("Enter password:")
        self.type(password or person.password)

    def log_in(self, person: Person, *, tls: str = "force") -> None:
        """Connect, and see that it worked over TLS."""
        self.connect(person, tls=tls)
        self.see("logged in successfully")
        self.see("[TLS] [online]")

    def type(self, line: str) -> None:
        self.terminal.type(line)

    def see(self, text: str) -> None:
        """Wait until the text is on the screen."""
        self.terminal.wait_for(text)

    def close(self) -> None:
        self.terminal.close()

    def transcript(self) -> str:
        """The screen, and the end of Profanity's own log, which has the stanzas."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join([self.terminal.transcript(), *lines[-LOG_TAIL_LINES:]])
