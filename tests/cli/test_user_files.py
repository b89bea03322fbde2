"""`commonroom user plan` and `confirm`, and what other commands say of accounts in files."""

import json
from pathlib import Path

import pytest

from commonroom.accounts.libcrypt import crypt
from commonroom.admin.account_files import (
    CONFIRMED,
    STATUS,
    FilesState,
    FilesStatus,
    builder,
    read_status,
    write_status,
)
from commonroom.admin.places import accounts_folder, snapshot_in_force
from commonroom.admin.registry import Registry
from commonroom.cli.output import settings_of
from commonroom.cli.with_registry import with_registry
from commonroom.protocol.jid import JID
from commonroom.storage.records import Account

from .commands import failed, run, set_up, worked
from .test_session import FIRST

DES = crypt(b"secret", b"ab").decode()
NAMES = [f"u{number}" for number in range(30)]


def write(path: Path, *names: str) -> Path:
    path.write_text("".join(f"{name}:{DES}\n" for name in names))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service whose files list thirty accounts, which are in force."""
    path = set_up(tmp_path)
    write(tmp_path / "passwd", *NAMES)
    with path.open("a") as file:
        file.write('\n[accounts.files.people]\npasswords = ["passwd"]\n')
    settings = settings_of(path)
    accounts_folder(settings).mkdir()
    builder(settings, None, 0).build(snapshot_in_force(settings))
    return path


def test_without_files_there_is_nothing_to_plan(tmp_path: Path) -> None:
    config = set_up(tmp_path)
    assert "no files are configured" in failed(run("user", "plan", "-c", config))
    assert "no files are configured" in failed(run("user", "confirm", "--yes", "-c", config))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "odd"}'])
def test_a_state_that_is_none_is_as_if_there_were_none(config: Path, text: str) -> None:
    """As of a service that lost its power while it wrote."""
    settings = settings_of(config)
    (accounts_folder(settings) / STATUS).write_text(text)
    assert read_status(settings) is None


@pytest.mark.parametrize("text", ["", "nothing", "=new", "old="])
def test_instead_wants_two_files(config: Path, text: str) -> None:
    assert "instead" in failed(run("user", "plan", "--instead", text, "-c", config), 2)


def test_a_file_that_is_not_configured_cannot_be_replaced(config: Path, tmp_path: Path) -> None:
    said = failed(run("user", "plan", "--instead", f"{tmp_path}/shadow={tmp_path}/new", "-c", config))
    assert "no such file is configured" in said
    assert f"{tmp_path}/passwd" in said


@pytest.mark.parametrize("content", [None, f"u1:{DES}"])
def test_a_file_that_cannot_be_read_is_told(config: Path, tmp_path: Path, content: str | None) -> None:
    new = tmp_path / "new"
    if content is not None:
        new.write_text(content)
    said = failed(run("user", "plan", "--instead", f"{tmp_path}/passwd={new}", "-c", config))
    assert str(new) in said


def test_nothing_changed(config: Path) -> None:
    said = worked(run("user", "plan", "-c", config))
    assert said == "30 accounts are in the files, 30 now.\nNothing changes for anybody.\n"
    assert "nothing in the files has to be confirmed" in failed(run("user", "confirm", "--yes", "-c", config))


def test_what_a_new_file_would_change_is_shown_and_not_done(config: Path, tmp_path: Path) -> None:
    new = write(tmp_path / "new", *NAMES[:28], "fresh")
    with new.open("a") as file:
        file.write("a b:x\nu3:again\n")
    said = worked(run("user", "plan", "--instead", f"{tmp_path}/passwd={new}", "-c", config))
    assert said.startswith(
        "29 accounts are in the files, 30 now.\nadded: 1\n  fresh@localhost\ndeparted: 2\n"
    )
    assert "fault: " in said
    assert "Nothing changes" in worked(run("user", "plan", "-c", config))


def test_long_lists_are_cut_unless_all_is_wanted(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "passwd", "u1")
    assert "... and 9 more" in worked(run("user", "plan", "-c", config))
    assert "more" not in worked(run("user", "plan", "--all", "-c", config)).replace("more than", "")


def test_a_large_change_is_confirmed_for_these_files_only(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "passwd", *NAMES[:5])
    said = worked(run("user", "plan", "-c", config))
    assert "25 of 30 accounts would lose their access or address" in said
    assert "there is no terminal" in failed(run("user", "confirm", "-c", config), 2)
    worked(run("user", "confirm", "--yes", "-c", config))
    settings = settings_of(config)
    digest = json.loads(worked(run("user", "plan", "--json", "-c", config)))
    assert digest["held_because"].startswith("25 of 30")
    confirmed, who = (accounts_folder(settings) / CONFIRMED).read_text().splitlines()
    assert len(confirmed) == 64
    assert who.startswith("uid ")


def test_before_the_service_ran_the_plan_has_nothing_to_compare_with(config: Path) -> None:
    snapshot_in_force(settings_of(config)).unlink()
    assert worked(run("user", "plan", "-c", config)) == (
        "30 accounts are in the files.\nNothing changes for anybody.\n"
    )


def test_what_was_in_force_and_is_damaged_is_as_if_there_was_nothing(config: Path) -> None:
    snapshot_in_force(settings_of(config)).write_bytes(b"noise")
    assert worked(run("user", "plan", "-c", config)).startswith("30 accounts are in the files.\n")


def test_several_files_are_replaced_at_once_and_faults_are_told(config: Path, tmp_path: Path) -> None:
    (tmp_path / "map").write_text("")
    with config.open("a") as file:
        file.write("mapping = 'map'\n")
    settings = settings_of(config)
    builder(settings, None, 0).build(snapshot_in_force(settings))
    new, mapping = write(tmp_path / "new", *NAMES[:-1], "a b"), tmp_path / "new-map"
    mapping.write_text("u1:first.person\nu2:u3\n")
    said = worked(
        run(
            *("user", "plan", "--instead", f"{tmp_path}/passwd={new}"),
            *("--instead", f"{tmp_path}/map={mapping}", "-c", config),
        )
    )
    assert "renamed: 1\n  u1@localhost -> first.person@localhost\n" in said
    assert "departed: 2\n" in said
    assert "fault: " in said
    assert "line 30 has no name" in said
    assert "u2@localhost does not get it" in said


@pytest.mark.parametrize("command", ["plan", "confirm"])
def test_a_configuration_that_is_none_is_told(tmp_path: Path, command: str) -> None:
    assert "nowhere.toml" in failed(run("user", command, "-c", tmp_path / "nowhere.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("domains = ['localhost']\n[accounts.files.people]\n")
    assert "passwords" in failed(run("user", command, "-c", broken))


@pytest.mark.parametrize("command", ["plan", "confirm"])
def test_words_that_do_not_belong_there_are_refused(config: Path, command: str) -> None:
    failed(run("user", command, "u1@localhost", "-c", config), 2)
    failed(run("user", command, "--nonsense", "-c", config), 2)


def test_the_folder_of_accounts_must_be_writable_to_confirm(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "passwd", "u1")
    folder = accounts_folder(settings_of(config))
    (folder / CONFIRMED).mkdir()  # something is in the way
    assert str(folder) in failed(run("user", "confirm", "--yes", "-c", config))


def test_a_program_gets_json(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "passwd", *NAMES, "fresh")
    facts = json.loads(worked(run("user", "plan", "--json", "-c", config)))
    assert facts["changes"]["added"] == {
        "count": 1,
        "accounts": [{"address": "fresh@localhost", "former": None}],
    }
    assert (facts["before"], facts["accounts"], facts["held_because"], facts["service"]) == (
        30,
        31,
        None,
        None,
    )


def test_a_service_that_holds_back_is_told(config: Path) -> None:
    write_status(settings_of(config), FilesStatus(FilesState.UNREADABLE, 0, 0, "passwd: torn"))
    assert "holds to what was in force before: passwd: torn" in worked(run("user", "plan", "-c", config))


def test_check_looks_at_the_files(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "passwd", "u1")
    assert "would lose their access" in run("check", "-c", config).output
    (tmp_path / "passwd").unlink()
    assert "passwd: it cannot be read" in run("check", "-c", config).output


def test_a_listed_account_is_shown_as_such_and_has_no_password_here(config: Path) -> None:
    async def fill(registry: Registry) -> None:
        for jid in map(JID.parse, ("u1@localhost", "gone@localhost")):
            registry.stores.accounts.put(Account(jid, (), FIRST, origin="people", departed=FIRST, login=jid))
        await registry.stores.writes.flushed()

    with_registry(config, fill)
    assert "it left the files of people" in worked(run("user", "show", "gone@localhost", "-c", config))
    assert "state:             returned" in worked(run("user", "show", "u1@localhost", "-c", config))
    assert '"source": "people"' in worked(run("user", "show", "u1@localhost", "--json", "-c", config))
    said = failed(run("user", "passwd", "u1@localhost", "--password-stdin", "-c", config, stdin="new"))
    assert "its password is in people's files" in said


def test_an_account_that_is_only_in_a_file_is_not_made_here_and_told(config: Path) -> None:
    said = failed(run("user", "add", "u1@localhost", "--password-stdin", "-c", config, stdin="secret"))
    assert "it is in the files of people" in said
    shown = json.loads(worked(run("user", "show", "u1@localhost", "--json", "-c", config)))
    assert (shown["state"], shown["source"], shown["created"]) == ("unused", "people", None)
    assert "there is no such account" in failed(run("user", "show", "nobody@localhost", "-c", config))


def test_accounts_exist_as_soon_as_the_files_say_so(config: Path) -> None:
    """Those that are kept here stand between them, in the order of the addresses."""
    worked(run("user", "add", "u15a@localhost", "--password-stdin", "-c", config, stdin="secret"))
    listed = worked(run("user", "list", "-c", config)).splitlines()
    addresses = [f"{name}@localhost" for name in (*NAMES, "u15a")]
    assert [line.partition("\t")[0] for line in listed] == sorted(addresses)
    assert "u1@localhost\tunused" in listed
    assert "u15a@localhost" in listed
    (one,) = (
        each
        for each in json.loads(worked(run("user", "list", "--json", "-c", config)))
        if each["address"] == "u15a@localhost"
    )
    assert (one["state"], one["source"]) == ("active", "stored")


def test_an_account_that_is_only_in_a_file_can_be_disabled(config: Path) -> None:
    worked(run("user", "disable", "u1@localhost", "-c", config))
    assert "u1@localhost\tdisabled" in worked(run("user", "list", "-c", config)).splitlines()
    assert "no, it is disabled" in worked(run("user", "show", "u1@localhost", "-c", config))
    worked(run("user", "enable", "u1@localhost", "-c", config))
    assert "u1@localhost" in worked(run("user", "list", "-c", config)).splitlines()


def test_accounts_of_files_are_not_imported(config: Path) -> None:
    said = failed(run("user", "import", "-", "--update", "-c", config, stdin="new:secret\nu1:secret\n"))
    assert "u1@localhost is in the files that accounts come from" in said
    assert "new@localhost" not in worked(run("user", "list", "-c", config))


def test_a_departed_account_is_listed_as_such(config: Path) -> None:
    async def fill(registry: Registry) -> None:
        jid = JID.parse("gone@localhost")
        registry.stores.accounts.put(Account(jid, (), FIRST, origin="people", departed=FIRST, login=jid))
        await registry.stores.writes.flushed()

    with_registry(config, fill)
    assert "gone@localhost\tdeparted" in worked(run("user", "list", "-c", config))
    assert '"departed": "2026-01-01T00:00:00Z"' in worked(run("user", "list", "--json", "-c", config))
