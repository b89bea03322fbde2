"""Looking a configuration over: what is wrong is said, and what to do; nothing is changed."""

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commonroom.admin import open_files
from commonroom.admin.checks import Finding, check, check_files
from commonroom.admin.lock import StateLock
from commonroom.admin.places import SQLITE_FILE
from commonroom.admin.setup import setup
from commonroom.config import ListenAddress, Settings
from commonroom.config.c2s import C2s
from commonroom.config.schema import Database
from commonroom.config.tls import DomainTls, Tls
from commonroom.net.certificates import Severity, create_self_signed

NOW = datetime.now(UTC)
LISTEN = replace(C2s(), connections=10, listen=(ListenAddress("127.0.0.1", 0),), listen_direct_tls=())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a service that has just been set up."""
    ports = {"listen": (ListenAddress("127.0.0.1", 5222),), "listen_direct_tls": ()}
    written = Settings(domains=("example.org",), state=Path("var"), c2s=replace(LISTEN, **ports))  # type: ignore[arg-type]
    return replace(setup(written, tmp_path / "commonroom.toml", NOW), c2s=LISTEN)


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def findings(settings: Settings, now: datetime = NOW) -> list[Finding]:
    """All but the note that the certificate is self-signed."""
    return [f for f in asyncio.run(check(settings, now)) if "self-signed" not in f.text]


def the_one(settings: Settings, now: datetime = NOW) -> Finding:
    (finding,) = findings(settings, now)
    return finding


def test_a_state_folder_that_is_a_file_is_an_error(settings: Settings, tmp_path: Path) -> None:
    found = findings(replace(settings, state=tmp_path / "commonroom.toml"))
    assert (Severity.ERROR, "state") in [(f.severity, f.about) for f in found]


def test_a_state_folder_that_everybody_may_change_is_a_warning(settings: Settings) -> None:
    settings.state.chmod(0o777)
    found = the_one(settings)
    assert (found.severity, found.about) == (Severity.WARNING, "state")
    assert found.text.endswith("chmod 700 it")


def test_a_certificate_that_is_not_there_is_an_error(settings: Settings) -> None:
    (settings.state / "certificate.pem").unlink()
    found = the_one(settings)
    assert (found.severity, found.about) == (Severity.ERROR, "certificate")
    assert "certificate.pem: there is no such file" in found.text


def test_a_domain_that_the_certificate_does_not_name_is_an_error(settings: Settings) -> None:
    found = the_one(replace(settings, domains=("example.org", "chat.example.org")))
    assert (found.severity, found.about) == (Severity.ERROR, "certificate")
    assert "not for chat.example.org" in found.text


def test_the_certificate_of_a_domain_of_its_own_is_looked_at(settings: Settings, tmp_path: Path) -> None:
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    create_self_signed(certificate, key, ["other.example.org"], NOW)
    own = Tls(domains={"rooms.example.org": DomainTls(certificate, key)})
    assert "not for rooms.example.org" in the_one(replace(settings, tls=own)).text


def test_a_certificate_that_expires_is_told_before_it_does(settings: Settings) -> None:
    assert the_one(settings, NOW + timedelta(days=360)).severity is Severity.WARNING
    assert the_one(settings, NOW + timedelta(days=366)).severity is Severity.ERROR


def test_a_file_that_is_no_database_is_an_error(settings: Settings) -> None:
    (settings.state / SQLITE_FILE).write_text("not a database, and longer than its header would be" * 10)
    found = the_one(settings)
    assert (found.severity, found.about) == (Severity.ERROR, "database")
    assert "not an SQLite database" in found.text


def test_a_database_of_a_newer_program_is_an_error(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.state / SQLITE_FILE)) as file, file:
        file.execute("UPDATE commonroom_version SET version_num = '9999'")
    file.close()
    found = the_one(settings)
    assert (found.severity, found.about) == (Severity.ERROR, "database")
    assert "newer Common Room" in found.text


def test_a_database_that_cannot_be_reached_is_an_error_and_its_password_is_not_shown(
    settings: Settings,
) -> None:
    nowhere = Database(url="postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    found = the_one(replace(settings, database=nowhere))
    assert (found.severity, found.about) == (Severity.ERROR, "database")
    assert "hunter2" not in found.text


def test_a_database_that_is_not_there_yet_is_a_note_and_is_not_made(settings: Settings) -> None:
    (settings.state / SQLITE_FILE).unlink()
    assert the_one(settings).severity is Severity.NOTE
    assert not (settings.state / SQLITE_FILE).exists()


def test_an_empty_database_is_a_note_and_stays_empty(settings: Settings) -> None:
    (settings.state / SQLITE_FILE).unlink()
    (settings.state / SQLITE_FILE).touch()
    for _ in range(2):
        assert the_one(settings) == Finding(
            Severity.NOTE, "database", "it has no tables; the first start makes them"
        )


def test_an_address_where_another_program_listens_is_an_error(settings: Settings, busy: int) -> None:
    c2s = replace(LISTEN, listen=(ListenAddress("127.0.0.1", busy),))
    found = the_one(replace(settings, c2s=c2s))
    assert (found.severity, found.about) == (Severity.ERROR, "addresses")
    assert f"127.0.0.1:{busy}: another program listens there already" in found.text


def test_addresses_are_the_running_service_s(settings: Settings, busy: int) -> None:
    c2s = replace(LISTEN, listen=(ListenAddress("127.0.0.1", busy),))
    with StateLock(settings.state):
        assert findings(replace(settings, c2s=c2s)) == []


def test_a_service_that_nobody_can_reach_is_an_error(settings: Settings) -> None:
    found = the_one(replace(settings, c2s=replace(LISTEN, listen=())))
    assert (found.severity, found.about) == (Severity.ERROR, "addresses")


def test_more_connections_than_the_system_has_files_are_a_warning(settings: Settings) -> None:
    many = 10**10  # Linux has no more for anybody (fs.nr_open)
    assert open_files.possible(many) < many
    (found,) = check_files(replace(settings, c2s=replace(LISTEN, connections=many)))
    assert found.severity is Severity.WARNING
    assert "LimitNOFILE" in found.text


def test_a_service_that_was_just_set_up_is_fine(settings: Settings) -> None:
    assert findings(settings) == []
