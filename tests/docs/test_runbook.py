"""docs/operations.md is followed to the letter, in an empty folder: the blocks of `sh` are what is typed."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run as run_command
from tests.cli.commands import running, worked
from tests.cli.operated import free_ports

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
PASSWORD = "user add alice@example.org"


def block(heading: str) -> str:
    """What is typed below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, heading
    return str(found[0])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder, and the program on the PATH."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "commonroom"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m commonroom "$@"\n')
    program.chmod(0o755)
    (tmp_path / "here").mkdir()
    return tmp_path


def typed(home: Path, text: str) -> str:
    """In a shell that ends at the first command that fails; gives what was printed."""
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ("bash", "-euc", text),
        cwd=home / "here",
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_questions(text: str) -> str:
    """Nobody is there to type a password, other programs may have the ports, and `serve` comes after it."""
    assert PASSWORD in text
    starttls, direct = free_ports(2)
    text = text.replace("--domain example.org", f"--domain example.org --port {starttls} --tls-port {direct}")
    lines = [line for line in text.splitlines() if not line.endswith("serve")]
    return "\n".join(lines).replace(PASSWORD, f"{PASSWORD} --password-stdin <<< secret")


@pytest.fixture
def first_day(home: Path) -> Iterator[Path]:
    """After the first day, with the service running; its configuration."""
    typed(home, without_questions(block("First day")))
    config = home / "here" / "commonroom.toml"
    with running("serve", "--config", config, cwd=home / "here"):
        yield config


def test_the_restore_drill(home: Path, first_day: Path) -> None:
    said = typed(home, block("Backup and restore").replace("/tmp/drill", str(home / "drill")))
    assert said.endswith("alice@example.org\n")
    assert said.count("it is good") == 3
    assert (home / "drill" / "var" / "commonroom.sqlite3").exists()
    assert worked(run_command("user", "list", "-c", first_day)) == "alice@example.org\n"


def test_an_upgrade(home: Path, first_day: Path) -> None:
    said = typed(home, block("Upgrade").replace("--over 60", "--over 1"))
    assert "There is nothing to do." in said
    assert (home / "here" / "before-upgrade.tar").exists()
    end = time.monotonic() + 20
    while (run_command("stats", "-c", first_day)).exit_code == 0:
        assert time.monotonic() < end, "it was not stopped"
        time.sleep(0.1)
    with running("serve", "--config", first_day, cwd=home / "here"):
        assert "sessions:" in typed(home, "commonroom check; commonroom stats")
