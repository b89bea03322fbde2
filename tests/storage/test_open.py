"""Opening a database: what an operator is told when it cannot be used."""

import asyncio
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commonroom.storage.database import open_database
from commonroom.storage.errors import CannotOpen
from commonroom.storage.postgresql import PostgresBackend
from commonroom.storage.stores import sql_stores
from tests.postgres import Cluster
from tests.storage.samples import JULIET
from tests.storage.test_writer import locked

NOBODY = 65534


def refusal(url: str, folder: Path = Path()) -> str:
    """What is said about this address."""

    async def main() -> str:
        with pytest.raises(CannotOpen) as caught:
            open_database(url, folder, asyncio.get_running_loop())
        return str(caught.value)

    return asyncio.run(main())


def modes(folder: Path) -> dict[str, str]:
    return {path.name: stat.filemode(path.stat().st_mode) for path in folder.iterdir()}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach (pytest's own can only be reached by their owner)."""
    with tempfile.TemporaryDirectory(prefix="commonroom-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write everywhere; so be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "url", ["", "commonroom.sqlite", "sqlite//commonroom", "postgresql://u:secret@h:port/d"]
)
def test_what_is_no_address_is_refused_without_repeating_a_password(url: str) -> None:
    said = refusal(url)
    assert "sqlite:///file or postgresql://user@host/name" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://localhost/commonroom", "mysql: is not supported"),
        ("postgres://localhost/commonroom", "postgres: is not supported"),
        ("sqlite://", "names no file; write sqlite:///"),
        ("sqlite:///:memory:", "names no file; write sqlite:///"),
    ],
)
def test_a_database_of_another_kind_is_refused(url: str, expected: str) -> None:
    assert expected in refusal(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    said = refusal("sqlite:///commonroom.sqlite", tmp_path / "state")
    assert said == (
        f"{tmp_path}/state/commonroom.sqlite: the folder {tmp_path}/state does not exist;"
        " make it, for the service's user"
    )


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "commonroom.sqlite").mkdir()
    assert "commonroom.sqlite: cannot be written" in refusal("sqlite:///commonroom.sqlite", tmp_path)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 100)
    assert "letter.txt: not an SQLite database" in refusal("sqlite:///letter.txt", tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with without_privileges():
        assert "cannot be made (Permission denied)" in refusal("sqlite:///commonroom.sqlite", open_folder)


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_file_that_cannot_be_written_is_refused(
    open_folder: Path, sqlite_template: Path, mode: int
) -> None:
    file = open_folder / "commonroom.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    file.chmod(mode)
    with without_privileges():
        assert "cannot be written" in refusal("sqlite:///commonroom.sqlite", open_folder)


def test_a_file_that_another_program_has_locked_is_refused(tmp_path: Path, sqlite_template: Path) -> None:
    file = tmp_path / "commonroom.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    with locked(file):
        assert "another program has locked it" in refusal("sqlite:///commonroom.sqlite", tmp_path)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    said = refusal(f"postgresql://commonroom:secret@/commonroom?host={tmp_path}")
    assert said.startswith("postgresql://commonroom:***@/commonroom?host=")
    assert "Is the server running" in said
    assert "\n" not in said
    assert "secret" not in said


def test_a_missing_database_on_a_server_is_named(cluster: Cluster) -> None:
    assert 'database "missing" does not exist' in refusal(cluster.url("missing"))


def test_a_database_that_cannot_hold_all_characters_is_refused(cluster: Cluster) -> None:
    cluster.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    assert "encoded in LATIN1; make a database with ENCODING 'UTF8'" in refusal(cluster.url("latin"))


def test_a_new_file_is_made_in_the_state_folder_for_its_owner_only(tmp_path: Path) -> None:
    async def main() -> None:
        database = open_database("sqlite:///common room.sqlite", tmp_path, asyncio.get_running_loop())
        assert await sql_stores(database).accounts.exists(JULIET) is False
        assert modes(tmp_path) == dict.fromkeys(
            ("common room.sqlite", "common room.sqlite-wal", "common room.sqlite-shm"), "-rw-------"
        )
        await database.close()

    asyncio.run(main())


def test_an_absolute_file_may_be_anywhere(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "elsewhere").mkdir()
        url = f"sqlite:///{tmp_path}/elsewhere/a.sqlite"
        await open_database(url, tmp_path, asyncio.get_running_loop()).close()

    asyncio.run(main())
    assert (tmp_path / "elsewhere/a.sqlite").exists()


def test_postgresql_is_opened_by_its_address(migrated_cluster: Cluster, postgres: PostgresBackend) -> None:
    async def main() -> None:
        database = open_database(migrated_cluster.url("stores"), Path(), asyncio.get_running_loop())
        assert await sql_stores(database).accounts.exists(JULIET) is False
        await database.close()

    asyncio.run(main())
    assert "psycopg" in sys.modules
