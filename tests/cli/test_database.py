"""`commonroom database`, and starting a service on the database of an older version."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from commonroom.admin.places import SQLITE_FILE
from commonroom.storage.migrations import REVISIONS, VERSION_TABLE
from commonroom.storage.migrations.upgrade import upgrade
from commonroom.storage.sqlite import SqliteBackend

from .commands import failed, run, worked
from .operated import operated

OLD, NEW = "0005", REVISIONS[-1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "commonroom.toml"
    path.write_text("domains = ['localhost']\nstate = 'var'\n")
    (tmp_path / "var").mkdir()
    return path


@pytest.fixture
def old(config: Path) -> Path:
    make_old(config)
    return config


def make_old(config: Path) -> None:
    """The database of an older version, in place of the one that is there."""
    file = config.parent / "var" / SQLITE_FILE
    for each in file.parent.glob(f"{SQLITE_FILE}*"):
        each.unlink()
    backend = SqliteBackend(file)
    backend.connect(writing=True).close()
    with backend.engine.begin() as connection:
        upgrade(connection, OLD)


def revision(config: Path) -> str:
    with closing(sqlite3.connect(config.parent / "var" / SQLITE_FILE)) as connection:
        ((found,),) = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
    return str(found)


def backups(config: Path) -> list[Path]:
    return list((config.parent / "var").glob("before-upgrade-*.tar"))


@pytest.mark.parametrize(
    "options",
    [
        ("--copy", "x"),
        ("--backup", "x", "--no-backup"),
        ("--backup", "x", "--dry-run"),
        ("--to", "0001"),
        ("now",),
    ],
)
def test_options_that_make_no_sense_are_refused(old: Path, options: tuple[str, ...]) -> None:
    failed(run("database", "upgrade", *options, "-c", old), 2)
    assert revision(old) == OLD


def test_without_a_database_there_is_nothing_to_upgrade(config: Path) -> None:
    for command in ("show", "upgrade"):
        assert "there is no database; the first start makes it" in failed(
            run("database", command, "-c", config)
        )


def test_nothing_is_upgraded_under_a_service_that_runs_and_nothing_is_to_be_done(tmp_path: Path) -> None:
    with operated(tmp_path) as (config, _):
        assert "There is nothing to do." in worked(run("database", "upgrade", "-c", config))
        with closing(sqlite3.connect(config.parent / "var" / SQLITE_FILE)) as connection, connection:
            connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '{OLD}'")
        assert "another service is running" in failed(run("database", "upgrade", "-c", config))
        assert backups(config) == []


def test_commands_say_what_to_do_about_an_old_database(old: Path) -> None:
    assert "run `commonroom database upgrade`" in failed(run("user", "list", "-c", old))
    assert "`commonroom database upgrade --dry-run` tries it on a copy" in run("check", "-c", old).output
    assert revision(old) == OLD


def test_a_dry_run_tells_what_it_would_do_and_how_long_it_takes_and_changes_nothing(old: Path) -> None:
    said = worked(run("database", "upgrade", "--dry-run", "-c", old))
    assert f"Its tables are at {OLD}; this program works with {NEW}. To be done:\n  0006: " in said
    assert "Tried on a copy, which was opened afterwards: it works." in said
    assert "Nothing was changed. To do it: stop the service" in said
    assert revision(old) == OLD
    assert backups(old) == []


def test_programs_get_the_same_as_json(old: Path) -> None:
    shown = json.loads(worked(run("database", "show", "--json", "-c", old)))
    tried = json.loads(worked(run("database", "upgrade", "--dry-run", "--json", "-c", old)))
    assert (shown["revision"], shown["newest"], len(shown["steps"])) == (OLD, NEW, len(REVISIONS) - 5)
    assert tried["trial"]["changing"] > 0
    assert tried["done"] is None


def test_an_upgrade_makes_a_backup_that_can_be_restored_and_is_recorded(old: Path) -> None:
    said = worked(run("database", "upgrade", "-c", old))
    (backup,) = backups(old)
    assert f"the tables are at {NEW}. The backup of before: {backup}" in said
    assert revision(old) == NEW
    assert f"tables {OLD}" in worked(run("restore", "--check", backup, "-c", old))
    found = json.loads(worked(run("audit", "find", "--tag", "operator:database:", "--json", "-c", old)))
    assert found[0]["facts"] == {
        "from": OLD,
        "to": NEW,
        "backup": str(backup),
        "way": "command",
        "outcome": "done",
    }
    assert "There is nothing to do." in worked(run("database", "show", "-c", old))
    said = worked(run("restore", "--replace", backup, "-c", old))
    assert "the next start brings them up to date" in said
    assert revision(old) == OLD


def test_the_backups_place_can_be_named_and_there_may_be_none(old: Path, tmp_path: Path) -> None:
    worked(run("database", "upgrade", "--backup", tmp_path / "b.tar", "-c", old))
    assert (tmp_path / "b.tar").exists()
    make_old(old)
    assert "There is no backup of it." in worked(run("database", "upgrade", "--no-backup", "-c", old))
    assert backups(old) == []


def test_a_start_upgrades_after_a_backup(tmp_path: Path) -> None:
    def age(config: Path) -> None:
        make_old(config)

    with operated(tmp_path, before=age) as (config, service):
        assert revision(config) == NEW
        (backup,) = backups(config)
        log = service.errors.read_text()
        assert f"before={OLD} after={NEW} backup={backup}" in log
        assert "the database is up to date" in log
        worked(run("user", "list", "-c", config))


def test_a_start_on_a_newer_database_is_refused(old: Path) -> None:
    worked(run("database", "upgrade", "--no-backup", "-c", old))
    worked(run("certificate", "self-signed", "-c", old))
    with closing(sqlite3.connect(old.parent / "var" / SQLITE_FILE)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for words in (("serve",), ("database", "show"), ("database", "upgrade", "--dry-run"), ("user", "list")):
        said = failed(run(*words, "-c", old))
        assert "was last used by a newer Common Room (its tables are at 9999" in said
        assert "install that version again, or restore the backup" in said
