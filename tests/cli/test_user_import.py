"""`commonroom user import`."""

import json
import time
from pathlib import Path

import pytest

from .commands import failed, run, set_up, worked


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return set_up(tmp_path)


def test_every_wrong_line_is_named_and_nothing_is_imported(config: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.txt"
    people.write_text("alice:hunter1\nhunter2\n\nbob:\nalice@nowhere.example:hunter3\n")
    said = failed(run("user", "import", people, "-c", config))
    lines = said.splitlines()
    assert lines[0] == f"{people}:2: there is no colon; write localpart:password"
    assert [line.split(":")[1] for line in lines[:-1]] == ["2", "4", "5"]
    assert lines[-1] == "Error: nothing was imported; wrong lines: 3"
    assert "hunter" not in said
    assert worked(run("user", "list", "-c", config)) == ""


def test_programs_get_the_wrong_lines_as_json(config: Path) -> None:
    result = run("user", "import", "-", "--json", "-c", config, stdin="alice:x\nbob\n")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "new": 0,
        "updated": 0,
        "faults": [{"line": 2, "text": "there is no colon; write localpart:password"}],
    }


def test_a_file_that_is_not_there_is_told(config: Path) -> None:
    assert "does not exist" in failed(run("user", "import", "nowhere.txt", "-c", config), 2)


def test_an_account_that_exists_is_refused_unless_updates_are_allowed(config: Path) -> None:
    assert worked(run("user", "import", "-", "-c", config, stdin="alice:x\n")) == ""
    again = ("user", "import", "-", "-c", config)
    assert "alice@localhost exists already" in failed(run(*again, stdin="alice:y\nbob:z\n"))
    said = worked(run(*again, "--update", "--json", stdin="alice:y\nbob:z\n"))
    assert json.loads(said) == {"new": 1, "updated": 1, "faults": []}


def test_the_domain_must_be_configured(config: Path) -> None:
    said = failed(run("user", "import", "-", "--domain", "nowhere.example", "-c", config, stdin="alice:y\n"))
    assert "nowhere.example is not served here; configured: localhost" in said


@pytest.mark.timeout(300)
def test_ten_thousand_accounts_are_imported_in_seconds(config: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.txt"
    people.write_text("".join(f"user{number:05}:password {number}\n" for number in range(10_000)))
    begun = time.process_time()
    said = worked(run("user", "import", people, "--json", "-c", config))
    # 28 s for three hashes with the default iterations, on all cores. Not by the clock: others may use them.
    assert time.process_time() - begun < 80
    assert json.loads(said) == {"new": 10_000, "updated": 0, "faults": []}
    assert worked(run("user", "list", "-c", config)).count("\n") == 10_000
