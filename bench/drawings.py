"""Draws the plots of docs/performance.md with matplotlib: the same data gives the same file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.plots import FOLDER, Bars, Line, Plot, Share, Shares, digest, path_of

# Without this, names inside of a file are random; text stays text, so that it can be searched and is small.
STYLE: Any = {"svg.hashsalt": "commonroom", "svg.fonttype": "none", "font.size": 9, "axes.axisbelow": True}
GOOD, FAIR, BAD = "#2a7f4f", "#c98a1b", "#b3402f"
COLORS = ("#2a5d9f", "#9aa5b1", "#c98a1b", "#7b4f9d", "#4f8f6f", "#333333")
WIDTH = 8.0
LONGEST = 1.5  # share of the best peer's


def draw_all(plots: Mapping[str, Plot], folder: Path = FOLDER) -> None:
    """A file for each, and no others."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.svg"):
        path.unlink()
    for name, plot in plots.items():
        draw(plot, path_of(name, folder))


def draw(plot: Plot, path: Path) -> None:
    """Write one."""
    with mpl.rc_context(STYLE):
        match plot:
            case Shares():
                figure = _shares(plot)
            case Bars():
                figure = _bars(plot)
            case Line():
                figure = _line(plot)
        metadata = {"Date": None, "Creator": None, "Description": digest(plot)}
        figure.savefig(path, format="svg", metadata=metadata, bbox_inches="tight")


def _new(title: str, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _color(share: Share) -> str:
    if share.bar is None or share.goal is None:
        return COLORS[1]
    return BAD if share.share > share.bar else GOOD if share.share <= share.goal else FAIR


def _shares(plot: Shares) -> Figure:
    figure, axes = _new(plot.title, 1 + 0.34 * len(plot.shares))
    places = range(len(plot.shares))
    axes.barh(places, [min(s.share, LONGEST) for s in plot.shares], color=[_color(s) for s in plot.shares])
    for place, share in enumerate(plot.shares):
        axes.text(0.015, place, f"{share.share:.2f}", va="center", color="white", weight="bold")
    _marks(axes, [share.bar for share in plot.shares], "black", "bar")
    _marks(axes, [share.goal for share in plot.shares], "#7fd1a3", "goal")
    axes.axvline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel(
        f"green: goal reached; yellow: bar reached; red: missed; grey: no bar. Cut off at {LONGEST}."
    )
    axes.set_yticks(places, [share.name for share in plot.shares])
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    return figure


def _marks(axes: Any, limits: Sequence[float | None], color: str, name: str) -> None:
    places = [place for place, limit in enumerate(limits) if limit is not None]
    low, high = [place - 0.45 for place in places], [place + 0.45 for place in places]
    axes.vlines([limits[place] for place in places], low, high, color=color, linewidth=2, label=name)


def _bars(plot: Bars) -> Figure:
    figure, axes = _new(plot.title, 3.6)
    width = 0.84 / len(plot.series)
    for number, (name, values) in enumerate(plot.series):
        there = [(place, value) for place, value in enumerate(values) if value is not None]
        offset = (number - (len(plot.series) - 1) / 2) * width
        places = [place + offset for place, _ in there]
        drawn = axes.bar(places, [value for _, value in there], width, label=name, color=COLORS[number % 6])
        axes.bar_label(drawn, fmt="%.3g", fontsize=7)
    axes.set_xticks(range(len(plot.cases)), [case.replace(", ", ",\n") for case in plot.cases])
    axes.set_ylabel(plot.unit)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _line(plot: Line) -> Figure:
    figure, axes = _new(plot.title, 3)
    for number, (name, values) in enumerate(plot.series):
        axes.plot(range(len(values)), values, marker="o", label=name, color=COLORS[number % 6])
    axes.set_ylim(0, 1.2 * max(max(values) for _, values in plot.series))
    axes.set_xlabel(plot.steps)
    axes.set_ylabel(plot.unit)
    axes.legend(frameon=False, loc="lower right")
    return figure
