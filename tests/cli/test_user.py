"""`commonroom user`."""

import json
import subprocess
from pathlib import Path

import pytest

from .commands import PROGRAM, failed, run, set_up, terminal, worked

DOMAINS = ("--domain", "localhost", "--domain", "example.org")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return set_up(tmp_path, *DOMAINS)


def add(config: Path, address: str, password: str = "secret") -> None:
    assert worked(run("user", "add", address, "--password-stdin", "-c", config, stdin=password)) == ""


@pytest.mark.parametrize("command", ["add", "passwd"])
@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        ("", "there is no password on standard input"),
        ("\n", "there is no password on standard input"),
        ("hunter2\nhunter3\n", "there is more than one line on standard input"),
        (b"hunter2\xff", "the password on standard input is not UTF-8"),
    ],
)
def test_what_is_no_password_is_refused(config: Path, command: str, stdin: str | bytes, reason: str) -> None:
    said = failed(run("user", command, "a@localhost", "--password-stdin", "-c", config, stdin=stdin), 2)
    assert reason in said
    assert "hunter" not in said


def test_a_password_that_cannot_be_one_is_not_repeated(config: Path) -> None:
    said = failed(run("user", "add", "a@localhost", "--password-stdin", "-c", config, stdin="hunter\t2"))
    assert "a@localhost: this is not a password" in said
    assert "hunter" not in said


@pytest.mark.parametrize("command", ["add", "passwd"])
def test_without_a_terminal_the_password_must_be_piped_in(config: Path, command: str) -> None:
    assert "--password-stdin" in failed(run("user", command, "a@localhost", "-c", config), 2)


@pytest.mark.parametrize("command", ["add", "show", "passwd", "disable", "enable", "remove"])
def test_an_address_elsewhere_is_refused_with_the_domains_that_are_here(config: Path, command: str) -> None:
    said = failed(run("user", command, "alice@example.net", "-c", config, stdin="secret"))
    assert "alice@example.net: example.net is not served here; configured: localhost, example.org" in said


@pytest.mark.parametrize(
    "words", [("show",), ("passwd", "--password-stdin"), ("disable",), ("remove", "--yes")]
)
def test_an_account_that_does_not_exist_is_told(config: Path, words: tuple[str, ...]) -> None:
    said = failed(run("user", *words, "alice@localhost", "-c", config, stdin="secret"))
    assert said == "Error: alice@localhost: there is no such account\n"


def test_an_account_that_exists_is_not_made_again(config: Path) -> None:
    add(config, "alice@localhost")
    said = failed(run("user", "add", "Alice@localhost", "--password-stdin", "-c", config, stdin="other"))
    assert "alice@localhost: there is such an account" in said


def test_an_account_is_not_removed_without_a_word(config: Path) -> None:
    add(config, "alice@localhost")
    assert "say --yes" in failed(run("user", "remove", "alice@localhost", "-c", config), 2)
    assert worked(run("user", "list", "-c", config)) == "alice@localhost\n"


def test_a_database_that_is_no_database_is_told_plainly(config: Path) -> None:
    (config.parent / "var" / "commonroom.sqlite3").write_text("nothing" * 200)
    assert "not an SQLite database" in failed(run("user", "list", "-c", config))


def test_accounts_are_listed_and_nothing_else(config: Path) -> None:
    for address in ("zoe@localhost", "bob@example.org", "alice@localhost"):
        add(config, address)
    assert worked(run("user", "disable", "zoe@localhost", "-c", config)) == ""
    assert (
        worked(run("user", "list", "-c", config))
        == "alice@localhost\nbob@example.org\nzoe@localhost\tdisabled\n"
    )
    assert worked(run("user", "list", "--domain", "example.org", "-c", config)) == "bob@example.org\n"
    listed = json.loads(worked(run("user", "list", "--json", "-c", config)))
    assert [(entry["address"], entry["disabled"]) for entry in listed] == [
        ("alice@localhost", False),
        ("bob@example.org", False),
        ("zoe@localhost", True),
    ]
    assert "configured: localhost" in failed(run("user", "list", "--domain", "nowhere", "-c", config))


def test_a_list_of_nobody_is_an_empty_one(config: Path) -> None:
    assert worked(run("user", "list", "-c", config)) == ""
    assert json.loads(worked(run("user", "list", "--json", "-c", config))) == []


def test_who_reads_a_part_of_the_list_hears_no_complaint(config: Path) -> None:
    lines = "".join(f"user{number:04}:x\n" for number in range(2000))
    shortened = config.read_text().replace(
        '#mechanisms = ["SCRAM-SHA-512-PLUS"',
        'mechanisms = ["SCRAM-SHA-1"]\n#mechanisms = ["SCRAM-SHA-512-PLUS"',
    )
    assert shortened != config.read_text()
    config.write_text(shortened)
    worked(run("user", "import", "-", "-c", config, stdin=lines))
    command = (*PROGRAM, "user", "list", "-c", str(config))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        assert listing.stdout.readline() == "user0000@localhost\n"
        listing.stdout.close()
        assert listing.stderr.read() == ""


def test_what_is_known_of_an_account_is_shown(config: Path) -> None:
    add(config, "alice@localhost")
    shown = json.loads(worked(run("user", "show", "alice@localhost", "--json", "-c", config)))
    assert shown.pop("created").endswith("Z")
    assert shown == {
        "address": "alice@localhost",
        "state": "active",
        "disabled": False,
        "source": "stored",
        "departed": None,
        "hashes": {"SHA-1": 4096, "SHA-256": 4096, "SHA-512": 4096},
        "contacts": 0,
        "offline_messages": 0,
        "offline_bytes": 0,
        "last_online": None,
    }
    text = worked(run("user", "show", "alice@localhost", "-c", config))
    for line in ("can log in:        yes", "last online:       never", "messages waiting:  0 (0 bytes)"):
        assert line in text


def test_an_account_is_disabled_enabled_and_removed(config: Path) -> None:
    add(config, "alice@localhost")
    assert worked(run("user", "disable", "alice@localhost", "-c", config)) == ""
    assert "no, it is disabled" in worked(run("user", "show", "alice@localhost", "-c", config))
    assert worked(run("user", "enable", "alice@localhost", "-c", config)) == ""
    assert "can log in:        yes" in worked(run("user", "show", "alice@localhost", "-c", config))
    assert worked(run("user", "remove", "alice@localhost", "--yes", "-c", config)) == ""
    assert worked(run("user", "list", "-c", config)) == ""


def test_the_configuration_can_be_named_by_the_environment(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(config, "alice@localhost")
    monkeypatch.setenv("COMMONROOM_CONFIG", str(config))
    assert worked(run("user", "list")) == "alice@localhost\n"


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(config: Path, tmp_path: Path) -> None:
    with terminal("user", "add", "alice@localhost", cwd=tmp_path) as command:
        command.answer("Password: ", "hunter2")
        command.answer("Once more: ", "hunter3")
        command.answer("do not match.\r\nPassword: ", "hunter2")
        command.answer("Once more: ", "hunter2")
        said = command.rest()
        assert "alice@localhost was added." in said
        assert "hunter" not in said
        assert command.process.returncode == 0


def test_at_a_terminal_a_removal_is_asked_about(config: Path, tmp_path: Path) -> None:
    add(config, "alice@localhost")
    with terminal("user", "remove", "alice@localhost", cwd=tmp_path) as command:
        command.answer("Remove alice@localhost, with its contacts and messages? [y/N]:", "")
        assert "Aborted" in command.rest()
    assert worked(run("user", "list", "-c", config)) == "alice@localhost\n"


def test_who_is_removed_is_on_no_rooms_list(config: Path) -> None:
    for name, owner in (("chess", "alice@localhost"), ("tea", "bob@localhost")):
        add(config, owner)
        worked(run("room", "create", f"{name}@group.localhost", "--owner", owner, "-c", config))
    worked(run("room", "members", "tea@group.localhost", "--set", "alice@localhost", "outcast", "-c", config))
    worked(run("user", "remove", "alice@localhost", "--yes", "-c", config))
    for name in ("chess", "tea"):
        assert "alice" not in worked(run("room", "members", f"{name}@group.localhost", "-c", config))
