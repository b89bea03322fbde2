"""A service in memory whose accounts are in files, and somebody who changes the files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from commonroom.accounts.crypt_hash import is_password
from commonroom.accounts.directory import Directory
from commonroom.accounts.libcrypt import crypt
from commonroom.app.account_files import AccountFilesWatch
from commonroom.app.account_parts import domains_of_files
from commonroom.config import Settings
from commonroom.config.accounts import AccountFiles, Accounts
from commonroom.config.records import Records
from tests.conversations.world import Client, World, condition, plain

# A hash of `secret` that costs nothing to check.
DES = crypt(b"secret", b"ab").decode()
OTHER = crypt(b"other", b"cd").decode()
assert is_password(DES, "secret")


# Those of worlds that live: a test ends with none open (tests/conversations/conftest.py).
_directories: list[Directory] = []


def close_directories() -> None:
    """The files of accounts that worlds opened."""
    while _directories:
        _directories.pop().close()


class Files:
    """A folder with `passwd`, and the other files that are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ticks = 0

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, *lines: str, end: str = "\n") -> None:
        """As a program that replaces files does."""
        new = self.folder / "new"
        new.write_text("\n".join(lines) + (end if lines else ""), encoding="utf-8")
        new.replace(self.path(name))

    def people(self, *names: str, **hashes: str) -> None:
        """The password file: these names, with the password `secret`, and others with other hashes."""
        lines = [f"{name}:{DES}" for name in names] + [f"{name}:{hash}" for name, hash in hashes.items()]
        self.write("passwd", *lines)


class ListedWorld(World):
    """Its password file lists these names; `options` are those of `[accounts]`, `source` of its files."""

    def __init__(
        self,
        folder: Path,
        *names: str,
        source: dict[str, Any] | None = None,
        records: Records | None = None,
        **options: Any,
    ) -> None:
        self.files = Files(folder)
        if names:
            self.files.people(*names)
        tables = {"people": AccountFiles(passwords=(self.files.path("passwd"),), **(source or {}))}
        options.setdefault("hold_least", 100)
        settings = replace(
            Settings(domains=("example.org",)),
            state=folder / "state",
            accounts=Accounts(files=tables, **options),
            records=records or Records(),
        )
        directory = Directory(lambda: self.now().timestamp(), b"fake", domains_of_files(settings))
        _directories.append(directory)
        super().__init__(settings=settings, directory=directory)
        self.begin_watch()

    def begin_watch(self) -> None:
        """As a start does."""
        self.watch = AccountFilesWatch(self.settings, self.core, self.stores.writes, _at_once, self._seconds)
        self.run(self.watch.open())
        self.look()

    def _seconds(self) -> float:
        return self.now().timestamp()

    def run(self, coroutine: Any) -> Any:
        """To its end."""
        task = self.start(coroutine)
        self.turn()
        assert task.done, "it waits for something"  # type: ignore[attr-defined]
        return task._result  # type: ignore[attr-defined]

    def look(self) -> None:
        """So often that what changed is read."""
        for _ in range(3):
            self.run(self.watch.look())

    def try_login(self, name: str, password: str = "secret") -> str:
        """How an attempt by PLAIN ends: `success`, or the condition of the failure."""
        client = self.connect()
        client.open("example.org")
        client.send(plain(name, password))
        self.turn()
        answer = client.one()
        client.cut()
        return answer.name if answer.name == "success" else condition(answer) or ""


async def _at_once(work: Any) -> Any:
    return work()


def is_gone(client: Client) -> bool:
    """Whether its stream has ended."""
    return client.closed
