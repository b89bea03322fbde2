"""What scenarios work out themselves, and what the command line makes of names."""

import re
import resource

import pytest

from bench.__main__ import _servers
from bench.limits import connections
from bench.scenarios.catalog import SCENARIOS
from bench.scenarios.chat import CHAT
from bench.scenarios.churn import ACCOUNTS, CHURN, CLIENTS, PARTS, day_figures, turns_of_a_part
from bench.scenarios.idle import STEPS, Step
from bench.scenarios.rate import RATE
from bench.scenarios.startup import STARTUP, more_than
from bench.servers.catalog import PROGRAMS, is_installed


def test_a_peer_that_is_named_must_be_installed(monkeypatch):
    monkeypatch.setitem(PROGRAMS, "prosody", "/nowhere/prosody")
    with pytest.raises(ValueError, match=r"prosody: not installed; tools/bench_packages\.sh"):
        _servers(CHAT, "commonroom,prosody")


def test_a_peer_that_is_not_installed_is_left_out_aloud(monkeypatch, capsys):
    monkeypatch.setitem(PROGRAMS, "prosody", "/nowhere/prosody")
    assert "prosody" not in _servers(CHAT, None)
    assert re.search(r"\bprosody\b.*: not installed", capsys.readouterr().err)
    assert not is_installed("prosody-default")


def test_ours_and_the_floor_need_no_package():
    assert is_installed("commonroom")
    assert is_installed("relay")
    assert is_installed("commonroom@elsewhere/src")


def test_a_day_is_measured_with_ours_alone_unless_others_are_named():
    assert _servers(CHURN, None) == ["commonroom"]
    assert _servers(CHURN, "commonroom,relay") == ["commonroom", "relay"]


def test_as_many_connections_as_files_allow_in_round_numbers():
    assert connections(20_000, 20_000) == 19_500
    assert connections(20_000, 1_048_576) == 20_000
    assert connections(20_000, resource.RLIM_INFINITY) == 20_000


def test_a_day_has_as_many_sessions_as_asked_for():
    assert turns_of_a_part(200_000) * PARTS * CLIENTS == 200_000
    assert turns_of_a_part(1) == 1
    assert ACCOUNTS % CLIENTS == 0
    assert CLIENTS % 2 == 0


def test_growth_is_told_for_the_whole_day_and_for_its_second_half():
    memory = [1000, 1100, 1200, 1300, 1400, 1500, 1500, 1500, 1500, 1500, 1600]
    figures = day_figures(memory, 1024)
    assert figures["bytes"] == 600
    assert figures["late_bytes"] == 200
    assert (figures["before_mib"], figures["after_mib"]) == (1000 / 1024, 1600 / 1024)
    assert figures["mib_5"] == 1500 / 1024


def test_a_start_with_many_accounts_is_held_against_the_median_of_those_with_few():
    few = [{"ready_s": 0.25, "mib": mib, "cpu_s": 1.0} for mib in (40.0, 44.0, 90.0)]
    assert more_than({"ready_s": 0.5, "mib": 45.0}, few) == {"more_ready_s": 0.25, "more_mib": 1.0}


def test_idle_clients_become_more_and_wait_longer():
    assert [(step.clients, step.seconds) for step in STEPS] == sorted(STEPS[i][:2] for i in range(len(STEPS)))
    assert Step(19_500, 20, True).case == "19,500 clients, ours alone, after 20 s"


def test_servers_are_compared_where_there_is_a_bar_or_by_the_first_figure():
    assert [figure.key for figure in RATE.compared] == ["cpu_us", "p99_ms"]
    assert [figure.key for figure in STARTUP.compared] == ["ready_s"]


def test_every_table_tells_what_the_generator_used():
    for scenario in SCENARIOS:
        assert scenario is STARTUP or "generator_percent" in [figure.key for figure in scenario.figures]
