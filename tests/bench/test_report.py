"""docs/performance.md is what the bench makes of the figures that are kept, and nothing else."""

import json
from pathlib import Path

import pytest

from bench.report import PAGE, keep_summary, load_summary, page
from bench.results import document
from bench.scenarios.churn import PARTS, day_figures
from bench.scenarios.scenario import Row

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_kept_figures():
    assert PAGE.read_text() == page(load_summary()), "`make bench ARGS=report` writes it again"


def test_a_run_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "summary.json"
    for cpu in (50.0, 30.0):
        figures = {"cpu_us": cpu}
        rows = [Row("TLS", "commonroom", 0, figures), Row("TLS", "prosody", 0, {"cpu_us": 60.0})]
        keep_summary(document("chat", rows, {"rounds": 1}, {"commonroom": "ours"}), path)
    (found,) = json.loads(path.read_text()).values()
    assert found["cases"]["TLS"]["commonroom"]["cpu_us"] == [30.0, 30.0, 30.0]
    assert (
        "| One-to-one messages, TLS | CPU µs per message | 30.0 | Prosody 60.0 | 0.50 | 0.6 | 0.4 "
        "| bar reached, goal missed |" in page(load_summary(path))
    )


def test_what_misses_the_bar_is_marked(tmp_path):
    path = tmp_path / "summary.json"
    rows = [Row("TLS", "commonroom", 0, {"cpu_us": 50.0}), Row("TLS", "prosody", 0, {"cpu_us": 60.0})]
    keep_summary(document("chat", rows, {"rounds": 1}, {}), path)
    assert "| 0.83 | 0.6 | 0.4 | bar missed |" in page(load_summary(path))
    assert "0.83 of Prosody's CPU µs per message (bar 0.6, goal 0.4): bar missed" in page(load_summary(path))


def test_what_ours_may_have_only_so_much_of_needs_no_peer(tmp_path):
    path = tmp_path / "summary.json"
    figures = day_figures([1024 * part for part in range(PARTS + 1)], 1024)
    keep_summary(
        document("churn", [Row("1,024 sessions", "commonroom", 0, figures)], {"rounds": 3}, {}), path
    )
    text = page(load_summary(path))
    assert (
        "| A day of coming and going, 1,024 sessions | bytes grown per session in the last half "
        "| 10,240.0 | – | – | ≤ 10 | – | bar missed |" in text
    )
    assert "10,240.0 bytes grown per session in the last half (at most 10): bar missed" in text
    assert "1 round. `make bench ARGS=churn`" in text


def test_without_all_that_it_needs_the_page_estimates_nothing(tmp_path):
    assert "How many users" not in page(load_summary(tmp_path / "none.json"))


@pytest.mark.parametrize(
    "name",
    ["chat", "rate", "presence", "login", "reconnect", "large-roster", "idle", "churn", "startup"],
)
def test_what_the_bars_are_about_is_on_the_page(name):
    assert f"`make bench ARGS={name}`" in (ROOT / "docs/performance.md").read_text()


def test_kept_runs_stay_out_of_the_repository():
    ignored = (ROOT / "bench/results/.gitignore").read_text().split()
    assert ignored == ["*", "!.gitignore", "!summary.json"]
