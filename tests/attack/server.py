"""A server process of its own: started, watched from outside, ended; nothing of it is called from here."""

import asyncio
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from commonroom.accounts.stored import new_account
from commonroom.net.certificates import create_self_signed
from commonroom.protocol.jid import JID
from commonroom.storage.database import open_database
from commonroom.storage.stores import sql_stores

HOST = "127.0.0.1"
DOMAIN = "localhost"
OTHER_DOMAIN = "other.localhost"
PASSWORD = "correct horse"
ITERATIONS = 4096
HASHES = ("SHA-1", "SHA-256", "SHA-512")
ACCOUNTS = 1000
OLD_ACCOUNTS = 50

START_SECONDS = 10.0
STOP_SECONDS = 5.0
READY = re.compile(r"\bready\b")

Tables = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process holds at the moment."""

    kib: int  # resident memory
    files: int  # open file descriptors, sockets among them
    seconds: float  # of CPU, so far


class Server:
    """A running service with accounts `u0`, `u1` …, all with the same password; the first two attack nobody.

    `tables` holds what its configuration says beyond the defaults.
    """

    def __init__(self, folder: Path, tables: Tables, accounts: int = ACCOUNTS) -> None:
        self.folder = folder
        self.port, self.tls_port, self.plain_port = free_ports(3)
        self._log = folder / "server.log"
        self._names = iter(f"u{number}" for number in range(2, accounts))
        self._old_names = iter(f"old{number}" for number in range(OLD_ACCOUNTS))
        self._addresses = _addresses()
        create_self_signed(
            folder / "certificate.pem", folder / "key.pem", (DOMAIN, OTHER_DOMAIN), datetime.now(UTC)
        )
        self.configuration = folder / "commonroom.toml"
        self.configuration.write_text(self._toml(tables))
        asyncio.run(self._make_accounts(accounts))

    def _toml(self, tables: Tables) -> str:
        c2s = {
            "listen": [f"{HOST}:{self.port}"],
            "listen_direct_tls": [f"{HOST}:{self.tls_port}"],
            "listen_plain": [f"{HOST}:{self.plain_port}"],
        }
        lines = [f"domains = ['{DOMAIN}', '{OTHER_DOMAIN}']", f"state = '{self.folder}'"]
        for name, options in {**tables, "c2s": {**c2s, **tables.get("c2s", {})}}.items():
            lines += [f"[{name}]", *(f"{key} = {_written(value)}" for key, value in options.items())]
        return "\n".join(lines) + "\n"

    async def _make_accounts(self, count: int) -> None:
        """Straight into the database: the keys are made once, because they cost."""
        database = open_database("sqlite:///commonroom.sqlite3", self.folder, asyncio.get_running_loop())
        accounts = sql_stores(database).accounts
        now = datetime.now(UTC)
        first = new_account(JID.of("u0", DOMAIN), PASSWORD, HASHES, ITERATIONS, secrets.token_bytes, now)
        for number in range(count):
            accounts.put(type(first)(JID.of(f"u{number}", DOMAIN), first.keys, now))
        for number in range(OLD_ACCOUNTS):
            accounts.put(type(first)(JID.of(f"old{number}", DOMAIN), first.keys[:1], now))
        await database.close()

    # The process

    def start(self, patience: float = START_SECONDS) -> None:
        """Return when clients can connect."""
        command = (sys.executable, "-m", "commonroom", "serve", "--config", str(self.configuration))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.pid = self._process.pid
        deadline = time.monotonic() + patience
        while not READY.search(self.log()):
            assert self._process.poll() is None, f"the server ended at once\n{self.log()}"
            assert time.monotonic() < deadline, f"the server does not come up\n{self.log()}"
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process, kindly first."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def log(self) -> str:
        """All that the server has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def logged_since(self, before: int, *words: str) -> list[str]:
        """The lines of the log, but for so many characters at its beginning, that have all these words."""
        lines = self.log()[before:].splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def says(self, before: int, *words: str) -> str:
        """One of these lines, as soon as there is one."""
        deadline = time.monotonic() + STOP_SECONDS
        while not (found := self.logged_since(before, *words)):
            assert time.monotonic() < deadline, f"not logged: {words}\n{self.log()[before:]}"
            time.sleep(0.05)
        return found[0]

    def usage(self) -> Usage:
        """What the kernel says of the process."""
        proc = Path(f"/proc/{self.pid}")
        match = re.search(r"VmRSS:\s+(\d+) kB", (proc / "status").read_text())
        assert match is not None
        ticks = (proc / "stat").read_text().rpartition(")")[2].split()[11:13]
        seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return Usage(int(match[1]), len(os.listdir(proc / "fd")), seconds)

    # What tests take, each for itself

    def account(self) -> str:
        """The name of an account that no test had before."""
        return next(self._names)

    def old_account(self) -> str:
        """The same; its password is kept for SHA-1 only."""
        return next(self._old_names)

    def address(self) -> str:
        """A loopback address to connect from that no test had before."""
        return next(self._addresses)


def _written(value: object) -> str:
    """As TOML has it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _addresses() -> Iterator[str]:
    return (f"127.7.{number // 250}.{number % 250 + 1}" for number in range(60_000))


def free_ports(count: int) -> list[int]:
    """Different TCP ports that the operating system calls free."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
