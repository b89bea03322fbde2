"""Backups: what is damaged is refused; one made under load is of one moment, and is restored as it was."""

import asyncio
import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commonroom.accounts.stored import new_account
from commonroom.admin.backup import MANIFEST, back_up, check_backup, restore
from commonroom.admin.errors import AdminError, AlreadyThere, BadBackup
from commonroom.admin.lock import AlreadyRunning, StateLock
from commonroom.admin.registry import open_registry
from commonroom.config import Settings
from commonroom.config.schema import Database
from commonroom.protocol.jid import JID
from commonroom.storage.records import Account
from tests.postgres import Cluster, running_cluster

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE = JID.parse("alice@example.org")


def settings(folder: Path, **tables: object) -> Settings:
    state = folder / "var"
    state.mkdir(exist_ok=True)
    return replace(Settings(domains=("example.org",), state=state), **tables)  # type: ignore[arg-type]


def account(name: str) -> Account:
    return new_account(JID.parse(f"{name}@example.org"), "secret", ("SHA-256",), 4096, bytes, NOW)


async def fill(wanted: Settings, *names: str) -> None:
    async with open_registry(wanted) as registry:
        for name in names:
            registry.stores.accounts.put(account(name))
        await registry.stores.writes.flushed()


async def names(wanted: Settings) -> set[str]:
    async with open_registry(wanted) as registry:
        page = await registry.stores.accounts.page(None, None, 10_000)
        return {each.jid.local or "" for each in page}


@pytest.fixture
def made(tmp_path: Path) -> tuple[Settings, Path]:
    """A service with one account, and a backup of it."""
    wanted = settings(tmp_path)
    (tmp_path / "commonroom.toml").write_text("domains = ['example.org']\n")
    asyncio.run(fill(wanted, "alice"))
    file = tmp_path / "backup.tar"
    back_up(wanted, tmp_path / "commonroom.toml", file, NOW)
    return wanted, file


def repacked(file: Path, change: dict[str, bytes | None]) -> None:
    """The same backup with other content, as somebody who meddles would make it."""
    with tarfile.open(file) as tar:
        content = {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore[union-attr]
    with tarfile.open(file, "w") as tar:
        for name, data in {**content, **change}.items():
            if data is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


def manifest(file: Path) -> dict[str, object]:
    with tarfile.open(file) as tar:
        found: dict[str, object] = json.load(tar.extractfile(MANIFEST))  # type: ignore[arg-type]
    return found


def test_what_is_no_backup_is_refused(made: tuple[Settings, Path], tmp_path: Path) -> None:
    wanted, _ = made
    (tmp_path / "text").write_text("no tar")
    for file, told in (
        (tmp_path / "text", "not a whole backup"),
        (tmp_path / "none", "there is no such file"),
    ):
        with pytest.raises(BadBackup, match=told):
            check_backup(file, wanted)


def test_a_torn_backup_is_refused(made: tuple[Settings, Path]) -> None:
    wanted, file = made
    whole = file.read_bytes()
    for size in (100, 2000, len(whole) // 2, len(whole) - 30_000):
        file.write_bytes(whole[:size])
        with pytest.raises(BadBackup):
            restore(wanted, file, True, NOW)
    assert asyncio.run(names(wanted)) == {"alice"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"commonroom.sqlite3": b"another"}, "is damaged"),
        ({"commonroom.sqlite3": None}, "not a whole backup"),
        ({MANIFEST: b"{}"}, "does not know such backups"),
        ({MANIFEST: b"["}, "does not know such backups"),
    ],
)
def test_a_backup_that_was_changed_is_refused(
    made: tuple[Settings, Path], change: dict[str, bytes | None], told: str
) -> None:
    wanted, file = made
    repacked(file, change)
    with pytest.raises(BadBackup, match=told):
        restore(wanted, file, True, NOW)
    assert asyncio.run(names(wanted)) == {"alice"}


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped-commonroom", "a/b"])
def test_nothing_is_written_outside(made: tuple[Settings, Path], tmp_path: Path, name: str) -> None:
    wanted, file = made
    about = manifest(file)
    about["sha256"] = {name: "0" * 64}
    repacked(file, {MANIFEST: json.dumps(about).encode(), name: b"evil"})
    with pytest.raises(BadBackup, match="in it is no file"):
        restore(wanted, file, True, NOW)
    assert not (tmp_path / "escaped").exists()
    assert not Path("/tmp/escaped-commonroom").exists()


def test_a_backup_that_cannot_be_read_is_told(made: tuple[Settings, Path], tmp_path: Path) -> None:
    wanted, _ = made
    with pytest.raises(BadBackup, match=r"it cannot be read \(Is a directory\)"):
        check_backup(tmp_path, wanted)


@pytest.mark.parametrize("sums", [None, [], "commonroom.sqlite3", {"commonroom.sqlite3": 1, "": 2}])
def test_a_manifest_that_is_none_is_told(made: tuple[Settings, Path], sums: object) -> None:
    wanted, file = made
    repacked(file, {MANIFEST: json.dumps(manifest(file) | {"sha256": sums}).encode()})
    with pytest.raises(BadBackup):
        check_backup(file, wanted)


def test_a_backup_goes_over_nothing(made: tuple[Settings, Path], tmp_path: Path) -> None:
    wanted, file = made
    with pytest.raises(AlreadyThere):
        back_up(wanted, tmp_path / "commonroom.toml", file, NOW)
    with pytest.raises(AlreadyThere, match="say --replace"):
        restore(wanted, file, False, NOW)
    with pytest.raises(AdminError, match="/nowhere: it cannot be written"):
        back_up(wanted, tmp_path / "commonroom.toml", tmp_path / "nowhere" / "b.tar", NOW)


def test_without_a_database_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(AdminError, match="there is no database"):
        back_up(settings(tmp_path), tmp_path / "c.toml", tmp_path / "b.tar", NOW)
    assert not (tmp_path / "b.tar").exists()


def test_nothing_is_restored_under_a_service_that_runs(made: tuple[Settings, Path]) -> None:
    wanted, file = made
    with StateLock(wanted.state), pytest.raises(AlreadyRunning):
        restore(wanted, file, True, NOW)


def test_what_was_there_is_set_aside(made: tuple[Settings, Path]) -> None:
    wanted, file = made
    asyncio.run(fill(wanted, "bob"))
    done = restore(wanted, file, True, NOW)
    assert (done.accounts, done.made) == (1, "2026-03-01T12:00:00Z")
    assert asyncio.run(names(wanted)) == {"alice"}
    (aside,) = [
        each for each in wanted.state.glob("*before-restore-*") if each.suffix not in ("-wal", "-shm")
    ]
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (2,)


def test_it_is_for_its_owner_and_has_the_configuration(made: tuple[Settings, Path]) -> None:
    wanted, file = made
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as tar:
        assert set(tar.getnames()) == {MANIFEST, "commonroom.sqlite3", "commonroom.toml"}
    assert check_backup(file, wanted).accounts == 1
    assert not [each for each in file.parent.iterdir() if each.name.startswith(".commonroom-")]


def test_a_backup_made_under_load_is_of_one_moment(tmp_path: Path) -> None:
    """What one turn of the loop writes is one transaction: in the backup there is all of it, or none."""
    wanted = settings(tmp_path)
    asyncio.run(fill(wanted, "alice"))
    file = tmp_path / "loaded.tar"
    written = asyncio.run(_under_load(wanted, file))
    (tmp_path / "elsewhere").mkdir()
    elsewhere = settings(tmp_path / "elsewhere")
    found = restore(elsewhere, file, False, NOW)
    there = asyncio.run(names(elsewhere)) - {"alice"}
    assert found.accounts == len(there) + 1
    assert {f"b{each[1:]}" for each in there if each[0] == "a"} == {each for each in there if each[0] == "b"}
    numbers = sorted(int(each[1:]) for each in there if each[0] == "a")
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < written


async def _under_load(wanted: Settings, file: Path) -> int:
    made = account("x")
    loop = asyncio.get_running_loop()
    async with open_registry(wanted) as registry:
        number, backing = 0, None
        while backing is None or not backing.done() or number % 50:
            for letter in "ab":
                jid = JID.parse(f"{letter}{number}@example.org")
                registry.stores.accounts.put(replace(made, jid=jid))
            number += 1
            await asyncio.sleep(0)
            if number == 100:
                await registry.stores.writes.flushed()
                backing = loop.run_in_executor(None, back_up, wanted, file.parent / "none.toml", file, NOW)
            elif registry.stores.writes.behind > 1000:
                await registry.stores.writes.flushed()
        await registry.stores.writes.flushed()
        await backing
    return number


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


def test_postgresql_is_dumped_and_restored(cluster: Cluster, tmp_path: Path) -> None:
    for name in ("here", "there"):
        cluster.sql(f"CREATE DATABASE {name}")
    here = settings(tmp_path, database=Database(url=cluster.url("here")))
    there = settings(tmp_path, database=Database(url=cluster.url("there")))
    asyncio.run(fill(here, "alice", "bob"))
    file = tmp_path / "dump.tar"
    back_up(here, tmp_path / "none.toml", file, NOW)
    restore(there, file, False, NOW)
    assert asyncio.run(names(there)) == {"alice", "bob"}
    asyncio.run(fill(there, "carol"))
    with pytest.raises(AdminError, match="psql: "):
        restore(there, file, False, NOW)
    assert asyncio.run(names(there)) == {"alice", "bob", "carol"}
    restore(there, file, True, NOW)
    assert asyncio.run(names(there)) == {"alice", "bob"}
    with pytest.raises(BadBackup, match="another kind of database"):
        restore(settings(tmp_path), file, False, NOW)
