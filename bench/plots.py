"""What the plots of docs/performance.md show, as data; drawings.py draws them.

A plot's file tells which data it was drawn from, so that a test without matplotlib finds those that are old.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.results import Cases, cases_of
from bench.scenarios.archived import ARCHIVED
from bench.scenarios.catalog import SCENARIOS
from bench.scenarios.churn import CHURN, PARTS
from bench.scenarios.idle import IDLE
from bench.scenarios.login import LOGIN
from bench.scenarios.scenario import Scenario
from bench.servers.catalog import label
from bench.tables import ratio

# Beside the page.
FOLDER = Path(__file__).parents[1] / "docs/performance"


class Share(NamedTuple):
    """Ours of the best peer's, in one case."""

    name: str
    share: float
    bar: float | None
    goal: float | None


class Shares(NamedTuple):
    """The overview."""

    title: str
    shares: tuple[Share, ...]


class Bars(NamedTuple):
    """For each case a group of bars, one for each server: its label and values (None: was not measured)."""

    title: str
    unit: str
    cases: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]


class Line(NamedTuple):
    """Values at even steps, for each server."""

    title: str
    unit: str
    steps: str
    series: tuple[tuple[str, tuple[float, ...]], ...]


Plot = Shares | Bars | Line


def plots(summary: Mapping[str, Any]) -> dict[str, Plot]:
    """By the file's name; only what was measured."""
    made: dict[str, Plot] = {}
    if shares := tuple(_shares(summary)):
        made["overview"] = Shares("Ours as a share of the best peer's: less is better", shares)
    if ARCHIVED.name in summary:
        made["archived"] = _bars(ARCHIVED, "CPU of an archived message", cases_of(summary[ARCHIVED.name]))
    if IDLE.name in summary:
        made["idle"] = _bars(IDLE, "Memory of an idle connection", cases_of(summary[IDLE.name]))
    if LOGIN.name in summary:
        made["login"] = _bars(LOGIN, "CPU of a login", cases_of(summary[LOGIN.name]))
    if CHURN.name in summary:
        made["churn"] = _day(cases_of(summary[CHURN.name]))
    return made


def digest(plot: Plot) -> str:
    """Names what a plot was drawn from."""
    return f"data {hashlib.sha256(repr(plot).encode()).hexdigest()[:16]}"


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """The plot's file."""
    return folder / f"{name}.svg"


def _shares(summary: Mapping[str, Any]) -> Iterator[Share]:
    for scenario in SCENARIOS:
        for case, servers in cases_of(summary.get(scenario.name)).items():
            for figure in scenario.compared:
                share = ratio(servers, figure.key)
                if share is not None:
                    name = f"{scenario.title}, {case}: {figure.title}"
                    yield Share(name, round(share, 3), figure.bar, figure.goal)


def _bars(scenario: Scenario, title: str, cases: Cases) -> Bars:
    figure = scenario.figures[0]
    servers = dict.fromkeys(name for measured in cases.values() for name in measured)
    series = tuple(
        (label(server), tuple(_median(measured.get(server, {}), figure.key) for measured in cases.values()))
        for server in servers
    )
    return Bars(title, figure.title, tuple(cases), series)


def _median(figures: Mapping[str, Any], key: str) -> float | None:
    return round(figures[key].median, 3) if key in figures else None


def _day(cases: Cases) -> Line:
    case, servers = next(iter(cases.items()))
    series = tuple(
        (label(server), tuple(round(figures[f"mib_{part}"].median, 3) for part in range(PARTS + 1)))
        for server, figures in servers.items()
    )
    return Line(f"Memory during {case}", "MiB", "tenths of them", series)
