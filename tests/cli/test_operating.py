"""Commands that a running service is asked to do, through its socket."""

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import failed, run, worked
from .operated import online, operated


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with operated(tmp_path_factory.mktemp("operated")) as (path, _):
        yield path


@pytest.mark.parametrize("address", ["nobody@localhost", "alice@localhost", "@"])
@pytest.mark.parametrize("command", ["show", "kick"])
def test_who_is_not_connected_is_told(config: Path, command: str, address: str) -> None:
    assert address in failed(run("session", command, address, "-c", config))


def test_the_socket_is_the_services_own(config: Path) -> None:
    path = config.parent / "var" / "commonroom.socket"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sessions_are_listed_shown_and_ended(config: Path) -> None:
    with online(config) as alice:
        line = worked(run("session", "list", "-c", config)).split("\t")
        assert (line[0].partition("/")[0], line[1:3]) == ("alice@localhost", ["127.0.0.1", "TLSv1.3"])
        (facts,) = json.loads(worked(run("session", "show", line[0], "--json", "-c", config)))
        assert (facts["available"], facts["priority"]) == (True, 0)
        assert "sessions:" in worked(
            run("session", "kick", "alice@localhost", "--reason", "out", "-c", config)
        )
        said = alice.closed()
        assert "<policy-violation" in said
        assert ">out</text>" in said
    assert worked(run("session", "list", "-c", config)) == ""
    assert json.loads(worked(run("session", "list", "--json", "-c", config))) == []


def test_what_is_done_to_an_account_counts_at_once(config: Path) -> None:
    with online(config) as alice:
        worked(run("user", "passwd", "alice@localhost", "--password-stdin", "-c", config, stdin="secret"))
        before = time.monotonic()
        assert "<not-authorized" in alice.closed()
        assert time.monotonic() - before < 1.5  # it looks by itself only every two seconds


def test_accounts_are_listed_page_by_page(config: Path) -> None:
    assert worked(run("user", "list", "-c", config)) == "alice@localhost\n"
    assert json.loads(worked(run("user", "show", "alice@localhost", "--json", "-c", config)))["contacts"] == 0


def test_a_stopped_service_has_no_sessions(tmp_path: Path) -> None:
    with operated(tmp_path) as (path, service):
        service.end()
        assert "this needs the service, which is not running" in failed(run("session", "list", "-c", path))
        assert worked(run("user", "list", "-c", path)) == "alice@localhost\n"


def test_what_is_read_without_a_service_is_recorded_too(tmp_path: Path) -> None:
    with operated(tmp_path) as (path, service):
        service.end()
        worked(run("audit", "find", "--who", "alice@localhost", "-c", path))
        worked(run("audit", "statistics", "-c", path))
        failed(run("audit", "find", "--tag", "nothing", "-c", path))
        found = json.loads(worked(run("audit", "find", "--tag", "operator:audit:", "--json", "-c", path)))
        assert [(each["tag"], each["facts"]["outcome"]) for each in found] == [
            ("operator:audit:find", "bad-argument"),
            ("operator:audit:statistics", "done"),
            ("operator:audit:find", "done"),
        ]
        assert {each["facts"]["way"] for each in found} == {"command"}
        assert found[2]["facts"]["who"] == "alice@localhost"


def test_each_line_of_the_log_is_an_object_for_programs(tmp_path: Path) -> None:
    with operated(tmp_path, "[log]\nformat = 'json'\n") as (path, service):
        with online(path):
            pass
        service.end()
        lines = [json.loads(line) for line in service.errors.read_text().splitlines()]
        (seen,) = (each for each in lines if each["event"] == "logged in")
        assert (seen["level"], seen["jid"].partition("/")[0]) == ("info", "alice@localhost")
        assert all({"time", "level", "event", "source"} <= each.keys() for each in lines)
