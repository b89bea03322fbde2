"""docs/performance.md, written from the kept results: `python -m bench report`."""

import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.capacity import section as capacity_section
from bench.plots import FOLDER, Bars, Line, Shares, path_of, plots
from bench.results import SUMMARY, Spread, cases_of, rows_of, summarize
from bench.scenarios.catalog import SCENARIOS
from bench.scenarios.scenario import Figure, Scenario
from bench.servers.catalog import OURS, label
from bench.tables import as_markdown, best_peer, cell, kept_to, ratio, reached, verdict

PAGE = Path(__file__).parents[1] / "docs/performance.md"
MATPLOTLIB_IS_MISSING = (
    "bench: the plots are not drawn, because matplotlib is missing. Run:\n"
    "  .venv/bin/python -m pip install -e '.[bench]'\n  make bench ARGS=report"
)

INTRODUCTION = """\
# Performance

What the service costs, beside other servers of its kind, measured in one run on one machine. This page is
written by the bench from what it kept (`make bench ARGS=report`); nothing in it is typed by hand.

## In short

Ours, as a share of the best tuned peer's. The bar is what we must reach, the goal what we want; what misses
one says so.
"""

METHOD = """\
## How it is measured

- **Side by side.** All servers run at the same time and are measured in turns, round by round; those that
  are not measured sleep. Figures are medians over the rounds, in brackets the least and the most. Only
  figures of one table may be compared: absolute ones mean nothing elsewhere.
- **CPU** is user and system time of all of a server's processes, from /proc. The server has one core, the
  load generator another.
- **A probe** runs on the server's core all the while: a fixed loop of about a millisecond, every 50 ms.
  CPU is divided by how long that took, because the speed of a core on a shared host changes from second
  to second. So the unit is a second of a core on which the loop takes exactly 1 ms.
- **Others** who work on the same machine are shown as their share of the server's core. A measurement
  during which they had more than a tenth is made again, three times at most, and the least disturbed one
  counts.
- **The generator** is a program in C that sends stanzas which were encoded beforehand and counts what
  arrives by looking for one string. Its own core's load is shown beside every figure: where it is near 100 %,
  a rate is the generator's and not the server's. That is so in rows of the relay only; what a message costs
  the relay's core is right all the same.
- **The same for all**: certificate (ECDSA P-256, self-signed), TLS 1.3, accounts with one password and
  SCRAM keys of 4,096 iterations, rosters; limits on rates and connections are off, logs are on, and each
  has about the features that ours has. jabberd2 keeps passwords in the clear, and knows no SCRAM.
- **Only what a table is about**: no message is archived, and no client acknowledges any (XEP-0198), except
  in the tables that say so.
- **Tuned** means: Prosody with `gc = { mode = "generational" }`, ejabberd with `+sbwt none`, without
  modules that ours has no counterpart of. They are Debian's packages, and ours runs on Debian's Python.
- **In flight** is how many messages each pair has on their way at once: with 1, each answers the one before.
- **The floor** is a relay in C that knows TLS and nothing of XMPP.

```
make bench                                    # everything, then this page; more than an hour
make bench ARGS="chat --rounds 5"             # one scenario; with --record it gets onto this page
make bench ARGS="churn --sessions 20000"      # a shorter day
make bench ARGS="idle --cases '1,000 clients'"
make bench ARGS="chat --servers commonroom,prosody,prosody-default"
make bench ARGS="login --servers commonroom,commonroom@../changed/src"   # two checkouts side by side
make bench ARGS=report                        # this page again
```

`tools/bench_packages.sh` installs what it needs: the peers, a C compiler and OpenSSL's headers. The plots
need matplotlib (`.venv/bin/python -m pip install -e '.[bench]'`); the service and its tests do not. What
each run found is kept in bench/results/ as JSON, row by row. tests/bench/test_call_budget.py holds the
number of function calls that one message and one copy of a presence may take, and test_border_budget.py that
of a message to and from another server: both are checked with every test run. Who raises one writes down why.
"""


def keep_summary(found: dict[str, Any], path: Path = SUMMARY) -> None:
    """Put a run's medians in the place of that scenario's former ones."""
    known = load_summary(path)
    known[found["scenario"]] = {
        **{key: found[key] for key in ("when", "machine", "options", "versions")},
        "cases": summarize(rows_of(found)),
    }
    order = [scenario.name for scenario in SCENARIOS if scenario.name in known]
    path.write_text(json.dumps({name: known[name] for name in order}, indent=1) + "\n")


def load_summary(path: Path = SUMMARY) -> dict[str, Any]:
    """By scenario; empty if there was no run yet."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def page(summary: dict[str, Any]) -> str:
    """The whole page."""
    measured = [(s, summary[s.name]) for s in SCENARIOS if s.name in summary]
    images = dict(_images(summary))
    lines = [INTRODUCTION, *_overview(measured), *images.pop("overview", []), "", *_machine(summary), ""]
    lines += [*capacity_section(summary), METHOD]
    for scenario, found in measured:
        lines += [*_section(scenario, found), *images.pop(scenario.name, []), ""]
    return "\n".join(lines).rstrip() + "\n"


def write(summary: dict[str, Any]) -> None:
    """The page, and its plots if they can be drawn."""
    PAGE.write_text(page(summary))
    if can_draw():
        import_module("bench.drawings").draw_all(plots(summary))


def can_draw() -> bool:
    """Whether matplotlib is here: a page without new plots needs none."""
    return find_spec("matplotlib") is not None


def _images(summary: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for name, plot in plots(summary).items():
        yield name, ["", f"![{_words(plot)}]({FOLDER.name}/{path_of(name).name})"]


def _words(plot: Shares | Bars | Line) -> str:
    return f"Plot: {plot.title}"


def _overview(measured: Sequence[tuple[Scenario, dict[str, Any]]]) -> Iterator[str]:
    yield "| | | ours | best peer | share | bar | goal | |"
    yield "|---|---|---:|---:|---:|---:|---:|---|"
    for scenario, found in measured:
        for case, servers in cases_of(found).items():
            for figure in scenario.compared:
                row = _overview_row(f"{scenario.title}, {case}", figure, servers)
                if row is not None:
                    yield f"| {' | '.join(row)} |"
            for figure in scenario.limited:
                if figure.key in servers.get(OURS, {}):
                    row = _limited_row(f"{scenario.title}, {case}", figure, servers[OURS][figure.key])
                    yield f"| {' | '.join(row)} |"


def _overview_row(name: str, figure: Figure, servers: dict[str, dict[str, Spread]]) -> list[str] | None:
    share, peer = ratio(servers, figure.key), best_peer(servers, figure.key)
    if share is None or peer is None:
        return None
    ours, theirs = servers[OURS][figure.key], servers[peer][figure.key]
    limits = ["–" if limit is None else f"{limit:g}" for limit in (figure.bar, figure.goal)]
    return [
        name,
        figure.title,
        cell(ours, figure.digits),
        f"{label(peer)} {cell(theirs, figure.digits)}",
        f"{share:.2f}",
        *limits,
        reached(share, figure) or "no bar set",
    ]


def _limited_row(name: str, figure: Figure, ours: Spread) -> list[str]:
    told = kept_to(ours.median, figure)
    return [name, figure.title, cell(ours, figure.digits), "–", "–", f"≤ {figure.most:g}", "–", told]


def _machine(summary: dict[str, Any]) -> Iterator[str]:
    if not summary:
        return
    newest = max(summary.values(), key=lambda found: found["when"])
    facts = newest["machine"]
    versions = dict(version for found in summary.values() for version in found["versions"].items())
    days = sorted({found["when"][:10] for found in summary.values()})
    yield (
        f"Measured {' and '.join(days)} on {facts['cores']} cores of {facts['processor']}, "
        f"{facts['system']}, Linux {facts['kernel']}: {', '.join(versions.values())}."
    )


def _section(scenario: Scenario, found: dict[str, Any]) -> Iterator[str]:
    yield f"## {scenario.title}"
    yield ""
    yield scenario.what
    rounds = 1 if scenario.once else found["options"]["rounds"]
    yield f"{rounds} round{'s' if rounds > 1 else ''}. `make bench ARGS={scenario.name}`."
    for case, servers in cases_of(found).items():
        yield ""
        yield f"**{case}**" + (f": ours is {told}" if (told := verdict(scenario, servers)) else "")
        yield ""
        yield from as_markdown(scenario, servers)
