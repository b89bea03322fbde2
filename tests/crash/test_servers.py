"""The servers that are killed: what is not possible is told, and the peers keep what the bench gives them."""

import os
import signal
import sys

import pytest

from bench.processes import wait_until
from bench.servers import ejabberd, prosody
from bench.site import Population, make_site
from crash.plan import Fault, Possible, lives
from crash.servers.catalog import chosen
from crash.servers.commonroom import CommonRoom
from crash.servers.peers import Prosody
from crash.servers.server import Server, ServerFailed


def until_ended(server: Server) -> None:
    wait_until(server.has_ended, "the process to end", 20)


def test_another_database_is_not_possible():
    with pytest.raises(ValueError, match="commonroom is run on sqlite or postgresql here, not on files"):
        chosen("commonroom", "files")


def test_ours_is_on_sqlite_unless_told():
    assert chosen("commonroom", None) is CommonRoom


def test_what_is_added_for_the_peers_stands_where_it_belongs():
    assert prosody.CONFIGURATION.rstrip().removesuffix("{rooms}").rstrip().endswith('VirtualHost "{domain}"')
    options = [line for line in ejabberd.CONFIGURATION.splitlines() if line and not line[0].isspace()]
    assert options[-1] == "modules:"


def test_prosody_has_stream_management_and_an_archive(tmp_path):
    server = Prosody(tmp_path, make_site(tmp_path, Population(2)))
    server.prepare()
    assert 'modules_enabled = { "smacks", "mam" }' in (tmp_path / "prosody.cfg.lua").read_text()


def test_ours_is_run_as_by_an_operator_unless_it_must_die_in_its_commit(tmp_path):
    server = CommonRoom(tmp_path, make_site(tmp_path, Population(2)))
    plan = list(lives(1, 50, 4, CommonRoom.possible))
    for life in (None, *plan):
        command = server.command(life)
        inside = life is not None and (life.end.is_in_commit or life.hardship is not None)
        assert command.arguments[:4] == (
            sys.executable,
            "-m",
            "crash.inside" if inside else "commonroom",
            "serve",
        )
        assert ("CRASH_POINT" in command.environment) == (life is not None and life.end.is_in_commit)
    assert {life.end for life in plan} == set(CommonRoom.possible.ends)


def test_a_server_that_ends_by_itself_is_a_failure_with_its_log(tmp_path):
    server = CommonRoom(tmp_path, make_site(tmp_path, Population(2)))
    server.start(None)  # there is no configuration
    until_ended(server)
    for is_expected in (False, True):
        with pytest.raises(ServerFailed, match=r"(?s)CommonRoom ended with status 1.*commonroom\.toml"):
            server.check_end(is_expected)
    server.close()


def test_a_server_that_was_killed_has_failed_unless_that_was_planned(tmp_path):
    server = CommonRoom(tmp_path, make_site(tmp_path, Population(2)))
    server.start(None)
    os.kill(server.pid, signal.SIGKILL)
    until_ended(server)
    with pytest.raises(ServerFailed, match="status -9"):
        server.check_end(False)
    server.check_end(True)


def test_a_peer_is_only_killed():
    assert Prosody.possible == Possible({Fault.KILLED: 1}, {})
