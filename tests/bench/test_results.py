"""What the bench makes of its measurements."""

import json

import pytest

from bench.results import Spread, document, keep, rows_of, spread, summarize
from bench.scenarios.scenario import Figure, Options, Row, Scenario, quietly
from bench.tables import as_markdown, as_text, best_peer, cell, kept_to, ratio, reached, verdict

SCENARIO = Scenario(
    name="chat",
    title="Messages",
    what="They talk.",
    figures=(Figure("cpu_us", "µs", 1, bar=0.6, goal=0.4), Figure("per_second", "messages/s")),
    measure=lambda run, options: iter(()),
)


def row(server: str, number: int, cpu: float, case: str = "TLS") -> Row:
    return Row(case, server, number, {"cpu_us": cpu, "per_second": 1e6 / cpu})


ROWS = [
    row("commonroom", 0, 20.0),
    row("prosody", 0, 55.0),
    row("relay", 0, 5.0),
    row("commonroom", 1, 30.0),
    row("prosody", 1, 50.0),
    row("relay", 1, 5.0),
    row("commonroom", 2, 21.0),
    row("prosody", 2, 100.0),
    row("relay", 2, 5.0),
]


def test_a_spread_of_nothing_is_no_figure():
    with pytest.raises(ValueError, match="no median"):
        spread([])


def test_a_disturbed_round_does_not_move_the_median():
    figures = summarize(ROWS)["TLS"]
    assert figures["commonroom"]["cpu_us"] == Spread(21.0, 20.0, 30.0)
    assert figures["prosody"]["cpu_us"] == Spread(55.0, 50.0, 100.0)


def test_the_floor_is_no_peer():
    servers = summarize(ROWS)["TLS"]
    assert best_peer(servers, "cpu_us") == "prosody"
    assert ratio(servers, "cpu_us") == pytest.approx(21 / 55)
    assert verdict(SCENARIO, servers) == "0.38 of Prosody's µs (bar 0.6, goal 0.4): goal reached"


def test_what_misses_says_so():
    figure = SCENARIO.figures[0]
    assert reached(0.61, figure) == "bar missed"
    assert reached(0.6, figure) == "bar reached, goal missed"
    assert reached(0.4, figure) == "goal reached"
    assert reached(0.1, SCENARIO.figures[1]) == ""
    assert kept_to(10.1, Figure("b", "bytes", most=10)) == "bar missed"
    assert kept_to(10, Figure("b", "bytes", most=10)) == "bar reached"
    assert kept_to(10, figure) == ""


def test_without_peers_there_is_nothing_to_compare():
    servers = summarize(ROWS[:1])["TLS"]
    assert best_peer(servers, "cpu_us") is None
    assert ratio(servers, "cpu_us") is None
    assert verdict(SCENARIO, servers) == ""


def test_cells_tell_the_spread_unless_there_is_none():
    assert cell(Spread(1234.5, 1000.0, 2000.4), 0) == "1,234 (1,000–2,000)"
    assert cell(Spread(5.04, 5.01, 5.04), 1) == "5.0"
    assert cell(Spread(-0.01, -0.02, 0.04), 1) == "0.0"


def test_tables_name_servers_as_people_do():
    cases = summarize(ROWS)
    assert list(as_markdown(SCENARIO, cases["TLS"])) == [
        "|  | µs | messages/s |",
        "|---|---:|---:|",
        "| Common Room | 21.0 (20.0–30.0) | 47,619 (33,333–50,000) |",
        "| Prosody | 55.0 (50.0–100.0) | 18,182 (10,000–20,000) |",
        "| relay in C | 5.0 | 200,000 |",
    ]
    assert "ours: 0.38 of Prosody's" in as_text(SCENARIO, cases)


def test_a_kept_run_can_be_read_again(tmp_path):
    found = document("chat", ROWS, {"rounds": 3}, {"prosody": "Prosody 0.12.3"})
    read = json.loads(keep(found, tmp_path).read_text())
    assert rows_of(read) == ROWS
    assert read["machine"]["cores"] > 0


def test_the_least_disturbed_measurement_counts_and_not_the_best_one():
    measured = iter([{"others_percent": 40.0, "cpu_us": 1.0}, {"others_percent": 20.0, "cpu_us": 9.0}])
    assert quietly(Options(tries=2), lambda: next(measured)) == {"others_percent": 20.0, "cpu_us": 9.0}


def test_a_quiet_measurement_is_not_made_again():
    measured = iter([{"others_percent": 5.0}])
    assert quietly(Options(tries=3), lambda: next(measured)) == {"others_percent": 5.0}
