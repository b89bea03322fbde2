"""go-sendxmpp, which sends one message or listens for messages, as a script runs it."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .people import Person
from .server import ServerUnderTest
from .waiting import wait_until

RUN_SECONDS = 15.0
PROGRAM = "go-sendxmpp"


class GoSendxmpp:
    """The program with a home of its own; the server's certificate is its only authority."""

    def __init__(self, folder: Path, server: ServerUnderTest) -> None:
        assert shutil.which(PROGRAM), f"the program {PROGRAM} is not installed"
        self._server = server
        self._folder = folder
        self._said: list[str] = []
        self._listener: subprocess.Popen[bytes] | None = None

    def send(
        self,
        sender: Person,
        to: str,
        body: str,
        *,
        direct_tls: bool = False,
        password: str | None = None,
        trusts_server: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Send one message, and return the exit status and what the program wrote."""
        done = subprocess.run(
            (*self._command(sender, password, direct_tls=direct_tls), to),
            input=body,
            env=self._environment(trusts_server=trusts_server),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        self._said.append(done.stdout + done.stderr)
        return done

    def listen(self, listener: Person) -> None:
        """Start listening (-l) for everybody's messages."""
        with self._heard.open("wb") as output:
            self._listener = subprocess.Popen(
                (*self._command(listener, None, direct_tls=False), "--listen"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(trusts_server=True),
            )

    def hear(self, text: str) -> str:
        """Wait until the listener wrote a line with the text, and return the line."""
        wait_until(lambda: text in self._heard.read_text(), f"{PROGRAM} to hear {text!r}")
        return next(line for line in self._heard.read_text().splitlines() if text in line)

    def close(self) -> None:
        """End the listener."""
        if self._listener is not None:
            self._listener.kill()
            self._listener.wait()

    def transcript(self) -> str:
        heard = self._heard.read_text() if self._heard.exists() else ""
        return "\n".join([*self._said, heard])

    @property
    def _heard(self) -> Path:
        return self._folder / "heard.txt"

    def _command(self, person: Person, password: str | None, *, direct_tls: bool) -> Sequence[str]:
        port = self._server.tls_port if direct_tls else self._server.starttls_port
        address = ("--jserver", f"{self._server.host}:{port}", *(["--tls"] if direct_tls else []))
        return (PROGRAM, "--username", person.jid, "--password", password or person.password, *address)

    def _environment(self, *, trusts_server: bool) -> dict[str, str]:
        authorities = self._server.certificate if trusts_server else os.devnull
        return {
            "HOME": str(self._folder),
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": str(authorities),
            "SSL_CERT_DIR": str(self._folder / "no-certificates"),
        }
