"""Setting a service up: everything is written, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commonroom.admin.errors import AdminError, AlreadyThere
from commonroom.admin.setup import setup
from commonroom.config import ConfigError, ListenAddress, Settings, load
from commonroom.config.c2s import C2s
from commonroom.config.schema import Database
from commonroom.net.certificates import Severity, inspect
from commonroom.storage.database import inspect_database
from commonroom.storage.errors import CannotOpen
from commonroom.storage.migrations import REVISIONS

NOW = datetime.now(UTC)
WRITTEN = ("certificate.pem", "commonroom.sqlite3", "key.pem")


def settings(**options: object) -> Settings:
    return replace(Settings(domains=("example.org",), state=Path("var")), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["commonroom.toml", *(f"var/{name}" for name in WRITTEN)])
def test_what_exists_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(AlreadyThere, match=f"{file}: it exists already; remove it"):
        setup(settings(), tmp_path / "commonroom.toml", NOW)
    assert file.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(AdminError, match="var: this is not a folder"):
        setup(settings(), tmp_path / "commonroom.toml", NOW)
    with pytest.raises(AdminError, match=r"(cannot be made|not a folder)"):
        setup(settings(state=Path("var/below")), tmp_path / "commonroom.toml", NOW)
    assert not (tmp_path / "commonroom.toml").exists()


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    both = (ListenAddress("127.0.0.1", 5222),)
    with pytest.raises(ConfigError, match="give one of them another port"):
        setup(settings(c2s=replace(C2s(), listen=both, listen_direct_tls=both)), tmp_path / "c.toml", NOW)
    assert list(tmp_path.iterdir()) == []


def test_after_a_database_that_cannot_be_reached_nothing_is_left(tmp_path: Path) -> None:
    nowhere = Database(url="postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(CannotOpen):
        setup(settings(database=nowhere), tmp_path / "etc" / "commonroom.toml", NOW)
    assert list(tmp_path.iterdir()) == []


def test_everything_is_written_for_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "commonroom.toml"
    made = setup(settings(domains=("example.org", "chat.example.org")), path, NOW)
    state = tmp_path / "etc" / "var"
    assert made == load(path)
    assert (made.domains, made.state) == (("example.org", "chat.example.org"), state)
    assert sorted(file.name for file in state.iterdir()) == sorted(WRITTEN)
    modes = {file.name: f"{file.stat().st_mode & 0o777:o}" for file in (state, path, *state.iterdir())}
    assert modes == {
        "var": "700",
        "commonroom.toml": "640",
        "certificate.pem": "644",
        "commonroom.sqlite3": "600",
        "key.pem": "600",
    }


def test_what_is_written_can_be_used(tmp_path: Path) -> None:
    made = setup(settings(), tmp_path / "commonroom.toml", NOW)
    problems = inspect(made.state / "certificate.pem", made.state / "key.pem", made.domains, NOW)
    assert [problem.severity for problem in problems] == [Severity.NOTE]
    assert inspect_database("sqlite:///commonroom.sqlite3", made.state) == REVISIONS[-1]
