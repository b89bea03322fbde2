"""What the plots show; drawing them needs matplotlib, which tests do without."""

from bench.plots import Bars, Line, Share, Shares, digest, path_of, plots
from bench.report import load_summary
from bench.results import cases_of, summarize
from bench.scenarios.archived import ARCHIVED
from bench.scenarios.churn import PARTS, day_figures
from bench.scenarios.scenario import Row


def summary(scenario: str, *rows: Row) -> dict[str, object]:
    return {scenario: {"cases": summarize(rows)}}


def test_what_was_not_measured_has_no_plot():
    assert plots({}) == {}
    assert cases_of(None) == {}


def test_without_a_peer_there_is_no_share():
    assert plots(summary("chat", Row("TLS", "commonroom", 0, {"cpu_us": 30.0}))) == {}


def test_the_overview_has_each_bar_of_each_case():
    ours = Row("2,000 messages/s", "commonroom", 0, {"cpu_us": 30.0, "p99_ms": 2.0})
    theirs = Row("2,000 messages/s", "prosody", 0, {"cpu_us": 60.0, "p99_ms": 1.0})
    overview = plots(summary("rate", ours, theirs))["overview"]
    assert isinstance(overview, Shares)
    assert overview.shares == (
        Share("A fixed rate, 2,000 messages/s: CPU µs per message", 0.5, 0.6, 0.4),
        Share("A fixed rate, 2,000 messages/s: p99 ms", 2.0, 1.0, 0.7),
    )


def test_a_server_that_cannot_do_a_case_has_no_bar_there():
    rows = [
        Row("SCRAM", "commonroom", 0, {"cpu_ms": 1.0}),
        Row("PLAIN", "commonroom", 0, {"cpu_ms": 2.0}),
        Row("PLAIN", "jabberd2", 0, {"cpu_ms": 3.0}),
    ]
    login = plots(summary("login", *rows))["login"]
    assert isinstance(login, Bars)
    assert login.cases == ("SCRAM", "PLAIN")
    assert login.series == (("Common Room", (1.0, 2.0)), ("jabberd2", (None, 3.0)))


def test_each_storage_of_an_archive_has_a_bar():
    rows = [Row("TLS", name, 0, {"cpu_us": 100.0}) for name in ARCHIVED.servers]
    archived = plots(summary("archived", *rows))["archived"]
    assert isinstance(archived, Bars)
    assert [name for name, _ in archived.series][:3] == [
        "Common Room",
        "Prosody with files",
        "ejabberd with Mnesia",
    ]


def test_a_day_is_a_line():
    figures = day_figures([1024 * (50 + part) for part in range(PARTS + 1)], 1000)
    churn = plots(summary("churn", Row("1,000 sessions", "commonroom", 0, figures)))["churn"]
    assert isinstance(churn, Line)
    assert churn.series == (("Common Room", tuple(50.0 + part for part in range(PARTS + 1))),)


def test_other_data_is_another_plot():
    one, other = (Shares("a", (Share("b", share, None, None),)) for share in (0.5, 0.6))
    assert digest(one) != digest(other)
    assert digest(one) == digest(Shares("a", (Share("b", 0.5, None, None),)))


def test_the_kept_plots_are_those_of_the_kept_figures():
    for name, plot in plots(load_summary()).items():
        assert digest(plot) in path_of(name).read_text(), "`make bench ARGS=report` draws it again"
